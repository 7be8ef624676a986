"""Tars written member by member, as a test wants them."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from tests.factories import make_tone


def write_tar(
    file: Path, parts: Iterable[tuple[str, bytes | str | tarfile.TarInfo]], mode: str = "w"
) -> Path:
    """Write members in order; an info of its own stands for a link or a device."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, mode) as tar:
        for name, data in parts:
            if isinstance(data, tarfile.TarInfo):
                data.name = name
                tar.addfile(data)
                continue
            content = data.encode() if isinstance(data, str) else data
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file


def special(kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, link
    return info


def clip(folder: Path, seconds: float = 1.0, suffix: str = ".wav") -> bytes:
    """Return the bytes of a clip."""
    file = make_tone(folder / f"clip{suffix}", seconds=seconds)
    data = file.read_bytes()
    file.unlink()
    return data
