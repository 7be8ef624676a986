"""Lhotse: cuts as JSON lines, and Shar, where the audio of the cuts stands in tars beside them.

Each supervision of a cut is a row. Sources of type `command` are never run.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from maqam.corpora.extra import extra_columns
from maqam.corpora.formats.tars import Member, members
from maqam.corpora.lines import Lines, numbered, parsed
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import (
    Found,
    Place,
    Sound,
    Unfit,
    UnfitRowError,
    Utterance,
    located,
    number,
    shown,
    words,
)
from maqam.errors import ManifestError

Row = Mapping[str, Any]

_READ = (
    *("id", "recording_id", "start", "duration", "channel"),
    *("text", "summary", "speaker", "custom"),
)  # of a supervision
_HARMLESS = ("Resample",)  # transforms that change no more than the sample rate


def lhotse_rows(source: Path, settings: ImportSettings) -> Iterator[Found]:
    """Read cuts of Lhotse.

    Args:
        source: Cuts as JSON lines, gzipped or not, or a folder of Shar: `cuts.000000.jsonl.gz` and
            `recording.000000.tar`.
        settings: Where relative audio paths start; the current folder when absent, as in Lhotse.

    Raises:
        ManifestError: If the source cannot be read.
    """
    media, classes = (settings.media_dir or Path()).absolute(), settings.class_columns
    if not source.is_dir():
        with Lines(source) as lines:
            for line, text in numbered(lines):
                yield from _rows(Place(source.name, line), text, None, media, classes)
        return
    shards = sorted([*source.glob("cuts.*.jsonl"), *source.glob("cuts.*.jsonl.gz")])
    if not shards:
        raise ManifestError(
            "there are no cuts.*.jsonl or cuts.*.jsonl.gz here",
            where=str(source),
            hint="give a folder of Shar, or the file of a CutSet",
        )
    for shard in shards:
        yield from _shard(shard, media, classes)


def _shard(shard: Path, media: Path, classes: Sequence[str]) -> Iterator[Found]:
    """Read cuts and the tar of their audio side by side, as they were written."""
    tar = shard.with_name(f"recording.{shard.name.split('.')[1]}.tar")
    if not tar.is_file():
        tar = tar.with_suffix(".tar.gz")
    data = _data(tar) if tar.is_file() else iter(())
    with Lines(shard) as lines:
        for found, member in zip_longest(numbered(lines), data):
            if found is not None:
                place = Place(shard.name, found[0])
                yield from _rows(place, found[1], member, media, classes)
            if member is not None and (found is None or member.fault is not None):
                fault = member.fault or UnfitRowError("no cut", "no cut is of this audio")
                place = Place(tar.name, member.number)
                yield Unfit(place, member.name or None, fault.kind, fault.text)


def _data(tar: Path) -> Iterator[Member]:
    """Yield the data of a tar of Shar; each is followed by its own description."""
    for member in members(tar):
        if member.fault is not None or not member.name.endswith((".json", ".nometa")):
            yield member


def _rows(
    place: Place,
    text: str | UnfitRowError,
    member: Member | None,
    media: Path,
    classes: Sequence[str],
) -> Iterator[Found]:
    name = None
    try:
        if isinstance(text, UnfitRowError):
            raise text
        cut = parsed(text)
        name = words(cut.get("id"), "id")
        sound = _sound(cut, member, media)
        supervisions = cut.get("supervisions") or [{}]
        if not isinstance(supervisions, list):
            raise UnfitRowError("no supervisions", f"they are {shown(supervisions)}")
    except UnfitRowError as error:
        yield Unfit(place, name, error.kind, error.text)
        return
    for found in supervisions:
        own = name
        try:
            if not isinstance(found, dict):
                raise UnfitRowError("no supervision", f"it is {shown(found)}")
            if len(supervisions) > 1:
                own = words(found.get("id"), "id")
            yield _utterance(place, own, found, cut, sound, classes)
        except UnfitRowError as error:
            yield Unfit(place, own, error.kind, error.text)


def _utterance(
    place: Place, name: str | None, found: Row, cut: Row, sound: Sound, classes: Sequence[str]
) -> Utterance:
    begin = max(number(found.get("start"), "start") or 0.0, 0.0)
    seconds = number(found.get("duration"), "duration")
    left = None if sound.seconds is None else sound.seconds - begin
    if left is not None:
        seconds = left if seconds is None else min(seconds, left)
    custom = found.get("custom")
    custom = custom if isinstance(custom, dict) else {}
    of_cut = cut.get("custom")
    of_cut = of_cut if isinstance(of_cut, dict) else {}
    held = {**found, **custom}
    extra = {name: value for name, value in held.items() if name not in _READ}
    return Utterance(
        place=place,
        id=name,
        sound=Sound(sound.path, sound.start + begin, seconds, sound.held),
        text=words(found.get("text"), "text"),
        summary=words(custom.get("summary"), "summary"),
        answers={name: word for name in classes if (word := words(held.get(name), name))},
        speaker=words(found.get("speaker"), "speaker"),
        extra=extra_columns({**of_cut, **extra}, ()),
    )


def _sound(cut: Row, member: Member | None, media: Path) -> Sound:
    """Return the audio of a cut."""
    recording = cut.get("recording")
    if cut.get("type", "MonoCut") not in ("MonoCut", "MultiCut") or not isinstance(recording, dict):
        raise UnfitRowError("no simple cut", f"its type is {shown(cut.get('type'))}")
    sources = recording.get("sources")
    if not isinstance(sources, list) or len(sources) != 1 or not isinstance(sources[0], dict):
        raise UnfitRowError("several sources", f"the recording's are {shown(sources)}")
    _check_recording(cut, recording, sources[0])
    start = number(cut.get("start"), "start") or 0.0
    seconds = number(cut.get("duration"), "duration")
    kind, path = sources[0].get("type"), sources[0].get("source")
    if kind == "shar":
        return Sound(_member_name(cut, member), start, seconds, member.held if member else None)
    if kind == "command":
        raise UnfitRowError("shell command", f"{shown(path)} would have to be run")
    if kind != "file" or not isinstance(path, str) or not path:
        raise UnfitRowError("no audio file", f"a source of type {shown(kind)} is {shown(path)}")
    return Sound(located(media, path), start, seconds)


def _check_recording(cut: Row, recording: Row, source: Row) -> None:
    channels = source.get("channels")
    chosen = cut.get("channel", 0)
    if isinstance(channels, list) and len(channels) > 1 and not isinstance(chosen, list):
        text = f"channel {shown(chosen)} of {shown(channels)}"
        raise UnfitRowError("one of several channels", text)
    transforms = recording.get("transforms") or []
    if not isinstance(transforms, list):
        raise UnfitRowError("changed audio", f"its transforms are {shown(transforms)}")
    names = [one.get("name") if isinstance(one, dict) else one for one in transforms]
    if any(name not in _HARMLESS for name in names):
        raise UnfitRowError("changed audio", f"its transforms are {shown(names)}")


def _member_name(cut: Row, member: Member | None) -> str:
    if member is None or member.held is None or member.name.endswith(".nodata"):
        raise UnfitRowError("no audio", "its tar holds none for it")
    if member.name.rpartition(".")[0] != cut.get("id"):
        text = f"the tar holds {shown(member.name)} at its place"
        raise UnfitRowError("audio of another cut", text)
    return member.name
