"""A file of weights written again with some of its tensors changed, one tensor in memory at a time.

A safetensors file is a table of names and places, then the numbers. The numbers are copied as they
are, block by block, and only the places of changed tensors are written over: 7B parameters need
the memory of the largest of its layers.
"""

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from maqam.errors import ModelError

Change = Callable[[Tensor], Tensor]

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
_BLOCK_BYTES = 1 << 24
_METADATA = "__metadata__"


def rewrite(source: Path, target: Path, changes: Mapping[str, Change], prefix: str = "") -> None:
    """Write a file of weights again.

    Args:
        source: A safetensors file.
        target: Where it goes.
        changes: Tensors that change, by their names in the source; they keep shape and dtype.
        prefix: What all names get in front that do not begin with it.

    Raises:
        ModelError: If a tensor that changes is of integers, or is no finite numbers afterwards.
    """
    with source.open("rb") as read, target.open("wb") as write:
        (size,) = struct.unpack("<Q", read.read(8))
        header: dict[str, Any] = json.loads(read.read(size))
        begin = read.tell()
        renamed = {
            name if name == _METADATA else prefixed(name, prefix): about
            for name, about in header.items()
        }
        table = json.dumps(renamed, separators=(",", ":")).encode()
        table += b" " * (-len(table) % 8)
        write.write(struct.pack("<Q", len(table)) + table)
        numbers = write.tell()
        while block := read.read(_BLOCK_BYTES):
            write.write(block)
        for name in header.keys() & changes.keys():
            about = header[name]
            first, last = about["data_offsets"]
            read.seek(begin + first)
            write.seek(numbers + first)
            before = _tensor(read, last - first, about, f"{source}: {name}")
            _write(write, changes[name](before), before, f"{source}: {name}")


def prefixed(name: str, prefix: str) -> str:
    """Return a name that begins with a prefix.

    Examples:
        >>> prefixed("model.norm", "part."), prefixed("part.model.norm", "part.")
        ('part.model.norm', 'part.model.norm')
    """
    return prefix + name.removeprefix(prefix)


def _tensor(opened: BinaryIO, num_bytes: int, about: Mapping[str, Any], where: str) -> Tensor:
    dtype = _DTYPES.get(about["dtype"])
    if dtype is None:
        raise ModelError(
            f"a layer of {about['dtype']} cannot be merged into",
            where=where,
            hint="export from the checkpoint that is not quantised",
        )
    raw = bytearray(opened.read(num_bytes))
    return torch.frombuffer(raw, dtype=dtype).reshape(about["shape"])


def _write(opened: BinaryIO, after: Tensor, before: Tensor, where: str) -> None:
    if after.shape != before.shape:
        raise ModelError(
            f"a tensor of {tuple(after.shape)} cannot take the place of {tuple(before.shape)}",
            where=where,
            hint="export with the model that the run was trained on",
        )
    kept = after.to(before.dtype).contiguous()
    if not bool(torch.isfinite(kept).all()):
        raise ModelError(
            f"merged, it is no finite number in {before.dtype}".replace("torch.", ""),
            where=where,
            hint="look at the adapter, or export from a checkpoint of wider numbers",
        )
    opened.write(kept.reshape(-1).view(torch.uint8).numpy().data)
