"""Checks of an audio file before it is decoded: that it is there, is audio, and is whole.

libsndfile reads a WAV, an Ogg or an MP3 whose data were cut short without a word, so what a header
promises is compared with what the file holds. What a file is, is told by its first bytes.
"""

import stat
from pathlib import Path

from maqam.errors import AudioError

MISSING, EMPTY, NOT_AUDIO = "missing audio", "empty audio file", "not audio"
DAMAGED, CUT_SHORT, UNREADABLE = "damaged audio", "audio cut short", "unreadable audio"
FOREIGN = "unsupported format"

_HEAD_BYTES = 4096
_TAIL_BYTES = 65_536  # an Ogg page is shorter
_STREAMED = (0, 0xFFFFFFFF)  # RIFF sizes written by programs that did not know the length
_FRAME_BYTES = 1441  # of the longest MP3 frame: one may be missing at the end
_AUDIO = (
    *(b"RIFF", b"RIFX", b"RF64", b"riff", b"fLaC", b"OggS", b"ID3", b"FORM", b"NIST", b".snd"),
    *(b"caff", b"dns.", b"\x64\xa3", b"Creative Voice File"),
)
_OTHERS = {  # what libsndfile does not read
    b"\x1a\x45\xdf\xa3": "WebM or Matroska",
    b"\x30\x26\xb2\x75": "WMA",
    b"#!AMR": "AMR",
    b"wvpk": "WavPack",
    b"MAC ": "Monkey's Audio",
}


def check_file(file: Path) -> None:
    """Refuse a file that is missing, empty, or shorter than its header says.

    Args:
        file: Audio of any format; what can be told of its length depends on the format.

    Raises:
        AudioError: If it is not there, cannot be opened, is empty or cut short.
    """
    try:
        known = file.stat()
        if not stat.S_ISREG(known.st_mode):
            raise _missing(file)
        size = known.st_size
        with file.open("rb") as stream:
            head = stream.read(12)
            if size and head[:4] == b"RIFF" and head[8:12] == b"WAVE":
                promised = _riff_bytes(head, size)
            elif head[:4] == b"OggS":
                stream.seek(max(0, size - _TAIL_BYTES))
                promised = _ogg_bytes(stream.read(), size)
            elif _is_mp3(head):
                promised = _mp3_bytes(head + stream.read(_HEAD_BYTES), size)
            else:
                promised = size
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise _missing(file) from error
    except OSError as error:
        raise AudioError(
            f"cannot be opened: {error.strerror}", where=str(file), hint="check its permissions"
        ) from error
    if not size:
        raise AudioError(
            "the file is empty (0 bytes)", where=str(file), hint="copy it again", kind=EMPTY
        )
    if promised > size:
        raise cut_short(file, f"the header declares {promised} bytes, the file has {size}")


def cut_short(file: Path, text: str) -> AudioError:
    """Return the error of a file that ends too early."""
    return AudioError(
        f"cut short: {text}", where=str(file), hint="copy the file again", kind=CUT_SHORT
    )


def not_decoded(file: Path, reason: str) -> AudioError:
    """Tell why libsndfile refuses a file, by its first bytes.

    Args:
        file: A file that is there and is not empty.
        reason: What libsndfile says.

    Returns:
        The error: no audio at all, a format it does not read, or audio that is damaged.
    """
    with file.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if head.startswith(_AUDIO) or _is_mp3(head):
        return AudioError(
            f"not readable as audio: {reason}",
            where=str(file),
            hint="copy the file again, or leave its rows out",
            kind=DAMAGED,
        )
    foreign = next((name for magic, name in _OTHERS.items() if head.startswith(magic)), None)
    if head[4:8] == b"ftyp":
        foreign = "MP4 or M4A"
    if foreign:
        return AudioError(
            f"not readable as audio: {foreign}",
            where=str(file),
            hint="convert it to WAV or FLAC",
            kind=FOREIGN,
        )
    return AudioError(
        f"not readable as audio: {_description(head)}",
        where=str(file),
        hint="replace the file or leave its rows out",
        kind=NOT_AUDIO,
    )


def _missing(file: Path) -> AudioError:
    return AudioError(
        "the file is missing", where=str(file), hint="check the manifest's paths", kind=MISSING
    )


def _description(head: bytes) -> str:
    """Return what the first bytes of a file look like."""
    if not any(head):
        return "its first bytes are zeros"
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < _HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        return "no header of a known format"
    words = " ".join(text.split())[:40]
    if not words.isprintable():
        return "no header of a known format"
    return (
        f"{'an HTML page' if words.lower().startswith(('<html', '<!doc')) else 'text'}, {words!r}"
    )


def _riff_bytes(head: bytes, size: int) -> int:
    declared = int.from_bytes(head[4:8], "little")
    return size if declared in _STREAMED or declared + 8 <= size + 1 else declared + 8


def _ogg_bytes(tail: bytes, size: int) -> int:
    """Return the bytes that an Ogg's last page promises."""
    at = tail.rfind(b"OggS")
    page = tail[at : at + 27 + 255] if at >= 0 else b""
    if len(page) < 27 or len(page) < 27 + page[26]:
        return size if at < 0 else size + 1
    end = at + 27 + page[26] + sum(page[27 : 27 + page[26]])
    return size + max(0, end - len(tail))


def _is_mp3(head: bytes) -> bool:
    is_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0
    return is_frame or head[:3] == b"ID3"


def _mp3_bytes(head: bytes, size: int) -> int:
    """Return the bytes that the first frame of an MP3 promises, where it says so."""
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0 or at + 16 > len(head) or head[at + 7] & 0x03 != 0x03:
        return size
    declared = int.from_bytes(head[at + 12 : at + 16], "big")
    return size if declared <= size + _FRAME_BYTES else declared
