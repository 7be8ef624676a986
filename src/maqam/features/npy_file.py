"""NPY files that grow by rows, so that what was written before a crash can be gone on from.

The header is written with room for any number of rows and filled in at the end; until then the
file says it has none.
"""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np

_HEADER_BYTES = 128
_MAGIC = b"\x93NUMPY\x01\x00"


class GrowingArray:
    """An NPY file of rows that are only ever appended.

    Args:
        path: The file; it is made where there is none.
        dtype: Number format of its entries.
        width: Entries of a row; 0 for a plain column.
        num_rows: Rows of an earlier attempt to keep; what lies behind them is cut off.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If it holds fewer than `num_rows` rows.
    """

    def __init__(self, path: Path, dtype: str, *, width: int = 0, num_rows: int = 0) -> None:
        self._dtype = np.dtype(dtype)
        self._shape = (width,) if width else ()
        self.num_rows = num_rows
        end = _HEADER_BYTES + num_rows * self._row_bytes
        if num_rows and (not path.is_file() or path.stat().st_size < end):
            raise ValueError(f"{path.name} holds fewer than {num_rows} rows")
        self._file = path.open("r+b" if num_rows else "w+b", buffering=0)
        self._file.truncate(end)
        self._write_header(0)
        self._file.seek(end)

    @property
    def _row_bytes(self) -> int:
        return self._dtype.itemsize * int(np.prod(self._shape, dtype=np.int64))

    def append(self, rows: np.ndarray) -> None:
        """Write rows behind those there are.

        Raises:
            OSError: If they cannot be written.
        """
        plain = np.ascontiguousarray(rows, dtype=self._dtype).reshape(-1, *self._shape)
        if len(plain):
            self._write(plain.data.cast("B"))
        self.num_rows += len(plain)

    def sync(self) -> None:
        """Have what was appended on the disk, even if the machine stops now."""
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Write the number of rows into the header and close the file."""
        self._file.seek(0)
        self._write_header(self.num_rows)
        self.sync()
        self.close()

    def close(self) -> None:
        """Close the file, whatever state it is in."""
        with suppress(OSError):
            self._file.close()

    def _write_header(self, num_rows: int) -> None:
        described = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (num_rows, *self._shape),
        }
        length = _HEADER_BYTES - len(_MAGIC) - 2
        text = repr(described).ljust(length - 1) + "\n"
        self._file.seek(0)
        self._write(memoryview(_MAGIC + length.to_bytes(2, "little") + text.encode("latin1")))

    def _write(self, data: memoryview) -> None:
        while data:
            data = data[self._file.write(data) :]
