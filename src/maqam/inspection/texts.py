"""Characters in texts and names that no one sees, or that are no letters.

A NUL is fatal, for C libraries end a text there. All else is a remark: the profiles `mgb2`,
`iwslt22` and `lenient-v1` delete bidi controls before words are compared, the others count them
as letters. The joiners U+200C and U+200D belong to Arabic and Persian spelling and are no finding.
"""

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maqam.data.manifest import Manifest

NUL = "NUL character"
_KINDS = {  # written for Python and for Arrow's RE2 alike
    NUL: r"[\x00]",
    "control character": "[\\x01-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f\u0080-\u009f]",
    "bidi control": "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]",
    "zero-width character": "[\u200b\u2060\ufeff]",
    "replacement character": "[\ufffd]",
    "private-use character": "[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]",
}
_IN_NAMES = {**_KINDS, "control character": "[\\x01-\\x1f\\x7f\u0080-\u009f]"}
_NAMES = ("id", "label", "dialect", "speaker", "source")
_TEXTS = ("target", "messages", "audios")
_BATCH_ROWS = 65_536


def text_findings(manifest: Manifest) -> Iterator[tuple[int, str, str, bool]]:
    """Yield row, kind, text and whether it is fatal of what is found in texts and names.

    A character of a target is found in the target only, not in the answer that repeats it.
    """
    first = 0
    table = manifest.table.select([*_NAMES, *_TEXTS])
    for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
        for name in table.column_names:
            kinds = _IN_NAMES if name in _NAMES else _KINDS
            rows, values = _flat(batch.column(name))
            if name == "messages":
                rows, values = _questions(rows, values)
            for index in np.flatnonzero(_holds(values, "|".join(kinds.values()))).tolist():
                for kind, text in _found(values[index].as_py(), kinds):
                    yield first + int(rows[index]), kind, f"{name} holds {text}", kind == NUL
        first += batch.num_rows


def _flat(column: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Return the values of a column, those of lists one after the other, and their rows."""
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return pc.list_parent_indices(column).to_numpy(), column.flatten()
    return np.arange(len(column)), column


def _questions(rows: np.ndarray, turns: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Return the texts of all turns but the last of each row."""
    is_earlier = np.append(rows[1:] == rows[:-1], False)[: len(rows)]
    return rows[is_earlier], pc.struct_field(turns, "content").filter(pa.array(is_earlier))


def _holds(values: pa.Array, pattern: str) -> np.ndarray:
    found = pc.match_substring_regex(values, pattern)
    mask: np.ndarray = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    return mask


def _found(value: str, kinds: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the kinds of a text's characters, each with their code points."""
    for kind, pattern in kinds.items():
        characters = re.findall(pattern, value)
        if characters:
            yield kind, ", ".join(f"U+{ord(one):04X}" for one in dict.fromkeys(characters))
