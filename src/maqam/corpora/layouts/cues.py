"""Cues of WebVTT and SubRip, as people write them: what has no times or no speech is a reject."""

import html
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from maqam.corpora.utterance import UnfitRowError, shown

Line = tuple[int, str | UnfitRowError]
Cue = tuple[int, dict[str, object] | UnfitRowError]

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})(?:[.,](\d+))?"
_TIMES = re.compile(rf"\s*{_TIME}\s*-+>\s*{_TIME}(?!\S)")
_TAG = re.compile(r"<[^>]*>|\{\\[^}]*\}")
_HEADING = re.compile(r"WEBVTT(?!\S)")
_COMMENT = re.compile(r"(NOTE|STYLE|REGION)(?!\S)")
_PAGE = re.compile(r"\s*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_ASIDE = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*")
_SONG = re.compile(r"\s*[♩♪♫♬]")
_LETTER = re.compile(r"[^\W\d_]")


def cues(lines: Iterable[Line]) -> Iterator[Cue]:
    r"""Yield the cues of subtitles with the lines of their times, or why lines are none.

    Hours and parts of a second may be missing, and the parts may follow a comma. Tags are dropped,
    entities are resolved, and lines of a cue are joined by spaces. The heading and the comments of
    WebVTT and the numbers of SubRip are no cues.

    Args:
        lines: Every line, blank ones too, with its number.

    Examples:
        >>> text = ["1", "00:01 --> 00:02,5", "<c>نعم</c>", "سيدي", "", "0:03 --> 0:04", "[ضحك]"]
        >>> for line, cue in cues(enumerate(text, start=1)):
        ...     print(line, cue)
        2 {'start': '1.000', 'end': '2.500', 'cue': 'نعم سيدي'}
        6 no speech: the cue is '[ضحك]'
    """
    is_first, is_found = True, False
    for block in _blocks(lines):
        text = str(block[0][1])
        if is_first and _PAGE.match(text):
            yield block[0][0], UnfitRowError("unreadable subtitles", "it is a page of HTML")
            return
        is_heading = is_first and bool(_HEADING.match(text.removeprefix("\ufeff")))
        is_first = False
        for cue in () if _COMMENT.match(text) else _of_block(block, is_heading=is_heading):
            is_found = True
            yield cue
    if not is_found:
        what = "it is empty" if is_first else "it has no cues"
        yield 1, UnfitRowError("unreadable subtitles", what)


def _blocks(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Yield the lines between blank ones."""
    block: list[Line] = []
    for line, text in lines:
        if isinstance(text, str) and not text.strip():
            if block:
                yield block
            block = []
        else:
            block.append((line, text))
    if block:
        yield block


def _of_block(block: list[Line], *, is_heading: bool) -> Iterator[Cue]:
    """Yield the cues of a block, which are several where no blank line parts them."""
    timed = [at for at, (_, text) in enumerate(block) if _TIMES.match(str(text))]
    before = block[: timed[0]] if timed else block
    if not is_heading and not (timed and len(before) == 1 and isinstance(before[0][1], str)):
        for line, text in before:
            unfit = UnfitRowError("no times", f"no cue begins before {shown(text)}")
            yield line, text if isinstance(text, UnfitRowError) else unfit
    for at, after in pairwise([*timed, len(block)]):
        texts = block[at + 1 : after]
        if after < len(block) and texts and str(texts[-1][1]).strip().isdigit():
            texts.pop()  # the number of the next cue
        yield block[at][0], _cue(str(block[at][1]), texts)
        yield from ((line, text) for line, text in texts if isinstance(text, UnfitRowError))


def _cue(times: str, texts: list[Line]) -> dict[str, object] | UnfitRowError:
    found = _TIMES.match(times)
    parts = found.groups() if found else ()
    joined = " ".join(text.strip() for _, text in texts if isinstance(text, str))
    spoken = html.unescape(_TAG.sub("", joined)).strip()
    if spoken and not is_speech(spoken):
        return UnfitRowError("no speech", f"the cue is {shown(spoken)}")
    return {"start": _seconds(*parts[:4]), "end": _seconds(*parts[4:]), "cue": spoken}


def is_speech(text: str) -> bool:
    """Tell whether a cue is more than a remark in brackets, a song or a number.

    Examples:
        >>> [is_speech(text) for text in ("نعم [ضحك]", "[ضحك]", "(تصفيق)", "♪ يا ليل ♪", "12 -")]
        [True, False, False, False, False]
    """
    return not _SONG.match(text) and bool(_LETTER.search(_ASIDE.sub("", text)))


def _seconds(hours: str | None, minutes: str, seconds: str, parts: str | None) -> str:
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return f"{whole}.{(parts or '').ljust(3, '0')}"
