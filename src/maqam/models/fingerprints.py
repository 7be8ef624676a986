"""Which checkpoint a folder holds, told by the sizes and times of its files: no weight is read."""

import hashlib
from pathlib import Path

from maqam.models.checkpoint import open_checkpoint
from maqam.models.settings import ModelSettings


def checkpoint_stamp(settings: ModelSettings) -> str | None:
    """Return a hash of a local checkpoint's file names, sizes and times of change.

    Args:
        settings: Which checkpoint, and the number format it is loaded in.

    Returns:
        32 hex digits; None for a checkpoint of the hub, whose folder is not known here.
    """
    folder = Path(open_checkpoint(settings).source)
    if not folder.is_dir():
        return None
    digest = hashlib.blake2b(f"{folder.resolve()} {settings.dtype}".encode(), digest_size=16)
    for path in sorted(folder.glob("*.safetensors")):
        about = path.stat()
        digest.update(f"\n{path.name} {about.st_size} {about.st_mtime_ns}".encode())
    return digest.hexdigest()
