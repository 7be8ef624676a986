"""What is wrong with a manifest's rows, audio and splits: all findings, never just the first."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from maqam.data.audio import OUTSIDE, Clip, audio_seconds
from maqam.data.containers import MISSING
from maqam.data.hearing import heard
from maqam.data.limits import Limits
from maqam.data.manifest import FILE_NAME, Manifest, check_free, write_manifest
from maqam.data.schema import CHANNEL, has_channels, row_faults
from maqam.errors import AudioError, ManifestError
from maqam.files import write_records
from maqam.inspection.leaks import shared_values
from maqam.inspection.texts import text_findings
from maqam.progress import Progress

REJECTS_NAME = "rejects.jsonl"

CLIPPED_SECONDS = 0.5  # how much of a segment's end a mended row may lose

_SHORT_SECONDS = 0.1
_WINDOW_ROWS = 512  # rows handed to the threads at a time, so that Ctrl-C is heard soon


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found about one utterance.

    Attributes:
        row: Its row in the manifest.
        id: Its id, or "row 3" where it has none.
        kind: Such as "missing audio".
        text: What was found.
        is_fatal: Whether the utterance cannot be used; else it is a remark.
        mended: Columns by which the utterance could be used, with their values.
    """

    row: int
    id: str
    kind: str
    text: str
    is_fatal: bool
    mended: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings of a manifest.

    Attributes:
        num_utterances: Utterances looked at.
        findings: What was found, in the order of the manifest.
        num_clips: Rows whose audio was looked for.
    """

    num_utterances: int
    findings: tuple[Finding, ...]
    num_clips: int = 0

    @property
    def num_missing(self) -> int:
        """Rows whose audio file is missing."""
        return sum(one.kind == MISSING for one in self.findings)

    @property
    def rejected_rows(self) -> np.ndarray:
        """(num_rejected,) int64 rows that cannot be used, ascending."""
        return np.unique(np.array([one.row for one in self.findings if one.is_fatal], np.int64))

    @property
    def rejected_ids(self) -> list[str]:
        """Ids of the rows that cannot be used, one for each row."""
        fatal = {finding.row: finding.id for finding in self.findings if finding.is_fatal}
        return [fatal[row] for row in sorted(fatal)]

    def counts(self) -> dict[str, int]:
        """Return the number of findings by kind, the most frequent first."""
        return dict(Counter(finding.kind for finding in self.findings).most_common())


_Told = tuple[str, str, bool, Mapping[str, float]]  # a finding of a row, without its id
_Found = tuple[int, str, str, bool, Mapping[str, float]]


def check_manifest(
    manifest: Manifest,
    *,
    read: bool = True,
    limits: Limits | None = None,
    unfit: Iterable[tuple[int, str, str]] = (),
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Look at every utterance of a manifest: row, texts, audio, and what splits share.

    Args:
        manifest: The utterances; open it with `check_rows=False` to have faulty rows listed.
        read: Whether to decode all audio, or only look whether files are there.
        limits: What the model takes of audio; any length when absent.
        unfit: (row, kind, text) of rows that do not fit the model in another way.
        num_workers: Threads that decode; one for each core when absent.
        progress: Called with the utterances done and their total.
    """
    found = [*_row_findings(manifest), *((*one, {}) for one in text_findings(manifest))]
    num_clips = 0
    is_sound = np.ones(manifest.num_utterances, dtype=bool)
    is_sound[[row for row, _, _, is_fatal, _ in found if is_fatal]] = False
    look = partial(_hear if read else _find, limits=limits)
    with ThreadPoolExecutor(num_workers or os.cpu_count() or 1) as threads:
        for first in range(0, manifest.num_utterances, _WINDOW_ROWS):
            window = np.arange(first, min(first + _WINDOW_ROWS, manifest.num_utterances))
            clips = manifest.clips(window[is_sound[window]])
            num_clips += len(clips)
            for row, findings in zip(clips, threads.map(look, clips.values()), strict=True):
                found += [(row, *finding) for finding in findings]
            if progress is not None:
                progress(int(window[-1]) + 1, manifest.num_utterances)
    known = {(row, kind) for row, kind, *_ in found}
    found += [(*one, True, {}) for one in unfit if (one[0], one[1]) not in known]
    found += [(*one, False, {}) for one in shared_values(manifest)]
    found.sort(key=lambda finding: finding[0])
    ids = manifest.table.column("id").take(pa.array([row for row, *_ in found], pa.int64()))
    return CheckReport(
        manifest.num_utterances,
        tuple(
            Finding(row, name or f"row {row}", kind, text, is_fatal, mended)
            for (row, kind, text, is_fatal, mended), name in zip(
                found, ids.to_pylist(), strict=True
            )
        ),
        num_clips,
    )


def sound_rows(manifest: Manifest) -> np.ndarray:
    """Return the rows that break no rule of the manifest, (num_rows,) ascending."""
    broken = [fault.rows for fault in row_faults(manifest.table, manifest.tasks)]
    return np.setdiff1d(np.arange(manifest.num_utterances), np.concatenate([[], *broken]))


def _row_findings(manifest: Manifest) -> Iterator[_Found]:
    for fault in row_faults(manifest.table, manifest.tasks):
        plain = manifest.table.take(pa.array(fault.rows)).to_pylist()
        for row, values in zip(fault.rows.tolist(), plain, strict=True):
            yield row, fault.kind, fault.describe(values), True, {}


def _find(clip: Clip, limits: Limits | None) -> Iterator[_Told]:
    """Yield what is wrong with audio that is not read."""
    if not clip.path.is_file():
        yield MISSING, f"{clip.path}: the file is missing", True, {}
    elif limits and clip.seconds and (fault := limits.fault(clip.seconds)):
        yield *fault, True, {}


def _hear(clip: Clip, limits: Limits | None) -> list[_Told]:
    """Read audio and return what is wrong with it."""
    try:
        samples, rate = clip.decode()
    except AudioError as error:
        mended = _clipped(clip) if error.kind == OUTSIDE else {}
        return [(error.kind, str(error), True, mended)]
    seconds = len(samples) / rate
    found: list[_Told] = []
    for one in heard(samples, rate, clip.channel):
        mended = {CHANNEL: one.channel} if one.is_fatal and one.channel is not None else {}
        found.append((one.kind, one.text, one.is_fatal, mended))
    if limits and (fault := limits.fault(seconds)):
        return [(*fault, True, {}), *found]
    if seconds < _SHORT_SECONDS:
        found.append(("short audio", f"{seconds:.3f} s", False, {}))
    return found


def _clipped(clip: Clip) -> Mapping[str, float]:
    """Return the length by which a segment would end with its file, if it loses little."""
    left = audio_seconds(clip.path) - clip.start
    if clip.seconds is None or not 0 <= clip.seconds - left <= min(CLIPPED_SECONDS, left):
        return {}
    return {"seconds": left}


def mend(manifest: Manifest, report: CheckReport) -> tuple[Manifest, CheckReport]:
    """Change the rows that can be used in another way: end with their file, one channel.

    Args:
        manifest: The utterances.
        report: What was found in them.

    Returns:
        The manifest as it is mended, and what is still found in it: what was mended is a remark.
    """
    broken = {one.row for one in report.findings if one.is_fatal and not one.mended}
    done = [one for one in report.findings if one.mended and one.row not in broken]
    table = manifest.table
    for name, kind in (("seconds", pa.float64()), (CHANNEL, pa.int32())):
        changes = {one.row: one.mended[name] for one in done if name in one.mended}
        if not changes:
            continue
        names = table.column_names
        if name == CHANNEL and name in names and not has_channels(table.schema):
            names = [f"source_{CHANNEL}" if one == CHANNEL else one for one in names]
            table = table.rename_columns(names)  # as an import does with what means other things
        values = table.column(name).to_pylist() if name in names else [None] * table.num_rows
        for row, value in changes.items():
            values[row] = value
        if name in names:
            table = table.set_column(names.index(name), name, pa.array(values, kind))
        else:
            table = table.append_column(name, pa.array(values, kind))
    mended = {id(one) for one in done}
    findings = tuple(
        replace(one, is_fatal=False, text=f"{one.text}; mended") if id(one) in mended else one
        for one in report.findings
    )
    whole = Manifest(manifest.path, table, manifest.tasks, manifest.language)
    return whole, CheckReport(report.num_utterances, findings, report.num_clips)


def write_sound_rows(
    manifest: Manifest, report: CheckReport, folder: Path, *, force: bool = False
) -> tuple[Path, Path]:
    """Write the utterances that can be used, and the others with their reasons.

    Args:
        manifest: The utterances.
        report: What was found in them.
        folder: Gets manifest.parquet, with absolute audio paths, and rejects.jsonl: one line for
            each rejected row with all its reasons, so that both files add up to the manifest.
        force: Whether a manifest that is there is replaced.

    Raises:
        ManifestError: If the folder is the manifest's own, it holds another and `force` is off,
            or a file cannot be written.
    """
    file, rejects = folder / FILE_NAME, folder / REJECTS_NAME
    if file.resolve() == manifest.path.resolve():
        raise ManifestError(
            "the sound rows would replace the manifest they come from",
            where=str(file),
            hint="choose another folder",
        )
    check_free(folder, force=force)
    is_sound = np.ones(manifest.num_utterances, dtype=bool)
    is_sound[report.rejected_rows] = False
    table = manifest.table.filter(pa.array(is_sound))
    audios = [
        [str((manifest.folder / path).resolve()) for path in paths]
        for paths in table.column("audios").to_pylist()
    ]
    index = table.column_names.index("audios")
    column = pa.array(audios, pa.list_(pa.string()))
    path = write_manifest(table.set_column(index, "audios", column), folder, manifest.tasks)
    write_records(rejects, _rejected(report), error=ManifestError)
    return path, rejects


def _rejected(report: CheckReport) -> list[dict[str, Any]]:
    """Return each rejected row with its reasons, in the order of the manifest."""
    reasons: dict[int, dict[str, Any]] = {}
    for finding in report.findings:
        if finding.is_fatal:
            entry = {"row": finding.row, "id": finding.id, "reasons": []}
            reason = {"kind": finding.kind, "text": finding.text}
            reasons.setdefault(finding.row, entry)["reasons"].append(reason)
    return [reasons[row] for row in sorted(reasons)]
