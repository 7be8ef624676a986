"""Answers of any system, and references, in the files that tools write.

JSON lines, tables with a header, sclite's trn, Kaldi's text, plain lines, Parquet. What a file is
shows in its content, not in its name.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from maqam.corpora.cells import TAB, delimiter_of, named, quoted, tabbed
from maqam.corpora.encodings import encoding_of
from maqam.corpora.lines import Lines, every, json_rows, numbered
from maqam.corpora.utterance import UnfitRowError, shown
from maqam.errors import RunError, first_few, first_line

Form = Literal["jsonl", "table", "trn", "kaldi", "lines", "parquet"]
Role = Literal["hypothesis", "reference"]
FORMS: tuple[Form, ...] = get_args(Form)
NAMES: Mapping[str, tuple[str, ...]] = {  # ours, and what other tools call it
    "id": ("id", "utt_id", "utterance_id", "utt", "key", "segment_id", "audio_filepath", "audio"),
    "hypothesis": ("hypothesis", "hyp", "pred_text", "prediction", "predict", "pred", "response"),
    "reference": ("reference", "ref", "target", "ground_truth", "labels"),
    "task": ("task",),
    "label": ("label",),
    "dialect": ("dialect",),
    "speaker": ("speaker", "speaker_id"),
    "source": ("source", "dataset"),
    "seconds": ("seconds", "duration"),
    "snr_db": ("snr_db",),
    "document": ("document",),
    "label_scores": ("label_scores",),
    "label_tokens": ("label_tokens",),
}
_TEXT = "text"  # the answer of a file that holds nothing else, else the reference
_TRN = re.compile(r"(?:(.*)\s)?\s*\(([^()\s]+)\)\s*")
_NAMED = re.compile(r"\S+\t|\S*[\d_-]\S*(\s|$)")
_HALF = re.compile("[\ud800-\udfff]")
_COMMENT = ";;"
_PARQUET = b"PAR1"
_LOOKED_AT = 100  # lines that tell what a file is

Line = tuple[int, Mapping[str, Any] | UnfitRowError]


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One row of a file.

    Attributes:
        file: The file.
        line: Line it begins on, counted from 1.
        values: What it holds, by the keys of `NAMES`.
    """

    file: Path
    line: int
    values: Mapping[str, Any]


def is_parquet(file: Path) -> bool:
    """Tell whether a file is Parquet."""
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return stream.read(len(_PARQUET)) == _PARQUET


def form_of(file: Path, columns: Mapping[str, str]) -> Form:
    """Tell what a file is from how it begins.

    Text is Kaldi's where a tab follows the first word of every line, or each of these words is
    written as an id is; else it is plain lines.

    Args:
        file: The file.
        columns: Columns that the user names, by ours.

    Raises:
        ManifestError: If there is no such file.
        RunError: If it is empty, or a JSON list.
    """
    if is_parquet(file):
        return "parquet"
    with Lines(file, encoding=encoding_of(file)) as lines:
        found = [text for _, text in zip(range(_LOOKED_AT), _texts(numbered(lines)), strict=False)]
    if not found:
        raise RunError("it is empty", where=str(file), hint="give a file of a line an utterance")
    first = found[0].strip()
    if re.match(r'\{\s*("|\}|$)', first):
        return "jsonl"
    if first == "[" or re.match(r"\[\s*\{", first):
        raise RunError(
            "it is a JSON list, not a JSON table a line",
            where=str(file),
            hint=f"jq -c '.[]' {file.name} makes lines of it",
        )
    if all(_TRN.fullmatch(text) for text in found if not text.startswith(_COMMENT)):
        return "trn"
    header = [cell.strip().strip('"').casefold() for cell in first.split(delimiter_of(first))]
    telling = {
        *NAMES["hypothesis"],
        *NAMES["reference"],
        _TEXT,
        *map(str.casefold, columns.values()),
    }
    is_header = header[0] in NAMES["id"] or bool(telling & set(header))
    if len(header) > 1 and is_header:
        return "table"
    return "kaldi" if all(_NAMED.match(text) for text in found) else "lines"


def read_rows(
    file: Path, form: Form, role: Role, columns: Mapping[str, str] | None = None
) -> list[AnswerRow]:
    """Read the rows of a file.

    Args:
        file: The file.
        form: What it is.
        role: What a text stands for that no column names.
        columns: Columns that the user names, by ours.

    Raises:
        ManifestError: If there is no such file.
        RunError: If lines cannot be read, or a column is not there; lines are counted and named.
    """
    found = list(enumerate(_parquet(file), start=1)) if form == "parquet" else _read(file, form)
    faults = [(line, row) for line, row in found if isinstance(row, UnfitRowError)]
    if faults:
        line, fault = faults[0]
        raise RunError(
            f"{len(faults)} lines cannot be read, {first_few([one for one, _ in faults])}: {fault}",
            where=f"{file}:{line}",
            hint="mend them, or name what the file is with --format: " + ", ".join(FORMS),
        )
    rows = [(line, cast(Mapping[str, Any], row)) for line, row in found]
    if not rows:
        raise RunError("it is empty", where=str(file), hint="give a file of a line an utterance")
    if form in ("trn", "kaldi", "lines"):
        return [
            AnswerRow(file, line, {"id": row.get("id"), role: row[_TEXT]}) for line, row in rows
        ]
    present = dict.fromkeys(name for _, row in rows for name in row)
    ours = _named(file, list(present), role, columns or {})
    return [
        AnswerRow(file, line, {name: row.get(theirs) for name, theirs in ours.items()})
        for line, row in rows
    ]


def _read(file: Path, form: Form) -> list[Line]:
    encoding = encoding_of(file)
    with Lines(file, encoding=encoding) as lines:
        if form != "table":
            return list(_READERS[form](lines))
        delimiter = delimiter_of(next(_texts(numbered(lines)), ""))
    with Lines(file, encoding=encoding) as lines:
        return list(named(tabbed(lines) if delimiter == TAB else quoted(lines, delimiter)))


def _named(
    file: Path, present: Sequence[str], role: Role, columns: Mapping[str, str]
) -> dict[str, str]:
    """Return the file's name for each of our columns that it has."""
    by_name = {name.strip().casefold(): name for name in present}
    unknown = [name for name in columns if name not in NAMES]
    absent = [name for name in columns.values() if name.casefold() not in by_name]
    if unknown or absent:
        problem = f"there is no column {(unknown or absent)[0]!r}"
        hint = f"ours are {', '.join(NAMES)}" if unknown else f"it has {', '.join(present)}"
        raise RunError(problem, where=f"{file}: --column", hint=hint)
    found = {
        ours: next((by_name[name] for name in names if name in by_name), None)
        for ours, names in NAMES.items()
        if ours not in columns
    }
    found |= {ours: by_name[name.casefold()] for ours, name in columns.items()}
    if _TEXT in by_name:
        has_hypothesis = role == "hypothesis" and found["hypothesis"] is None
        open_one = "hypothesis" if has_hypothesis else "reference"
        found[open_one] = found[open_one] or by_name[_TEXT]
    if found[role] is None and not (role == "hypothesis" and found["label_scores"]):
        if role == "reference" and found["label"]:
            return {ours: name for ours, name in found.items() if name is not None}
        raise RunError(
            f"no column is known to hold the {role}",
            where=str(file),
            hint=f"add --column {role}=NAME; it has {', '.join(map(str, present))}",
        )
    return {ours: name for ours, name in found.items() if name is not None}


def _parquet(file: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise RunError(
            f"not readable as Parquet: {first_line(error)}",
            where=str(file),
            hint="copy it again; it may have been cut short",
        ) from error
    return rows


def _texts(lines: Iterator[tuple[int, str | UnfitRowError]]) -> Iterator[str]:
    """Yield the lines that can be read."""
    return (text for _, text in lines if isinstance(text, str))


def _json(lines: Lines) -> Iterator[Line]:
    """Yield rows; half a surrogate pair, which JSON can spell and no file can hold, is none."""
    for line, row in json_rows(lines):
        values = {} if isinstance(row, UnfitRowError) else row
        halves = [one for one in values.values() if isinstance(one, str) and _HALF.search(one)]
        yield line, UnfitRowError("half a character", shown(halves[0])) if halves else row


def _trn(lines: Lines) -> Iterator[Line]:
    for line, text in numbered(lines):
        if isinstance(text, UnfitRowError):
            yield line, text
        elif not text.startswith(_COMMENT):
            found = _TRN.fullmatch(text)
            if found is None:
                yield line, UnfitRowError("no trn", f"{shown(text)} does not end in (id)")
            elif "{" in (found[1] or ""):
                yield line, UnfitRowError("alternatives", f"{shown(text)} names several wordings")
            else:
                yield line, {"id": found[2], _TEXT: (found[1] or "").strip()}


def _kaldi(lines: Lines) -> Iterator[Line]:
    for line, text in numbered(lines):
        if isinstance(text, UnfitRowError):
            yield line, text
        else:
            name, *rest = text.split(maxsplit=1)
            yield line, {"id": name, _TEXT: rest[0].strip() if rest else ""}


def _lines(lines: Lines) -> Iterator[Line]:
    for line, text in every(lines):
        yield line, text if isinstance(text, UnfitRowError) else {"id": str(line), _TEXT: text}


_READERS = {"jsonl": _json, "trn": _trn, "kaldi": _kaldi, "lines": _lines}
