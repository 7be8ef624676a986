"""Importing a small source that a test has written."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings
from maqam.data.manifest import read_manifest
from maqam.errors import ManifestError


@dataclass(frozen=True)
class Imported:
    """Rows and rejects of an import; no rows where none is sound."""

    folder: Path
    rows: list[dict[str, Any]]
    rejects: list[dict[str, Any]]

    @property
    def ids(self) -> list[str]:
        return [row["id"] for row in self.rows]

    @property
    def reasons(self) -> list[str]:
        return [reject["reason"] for reject in self.rejects]


def imported(source: Path, kind: str, folder: Path | None = None, **settings: Any) -> Imported:
    """Import with task asr, and hold the counts to the files."""
    out = folder or source.parent / "out"
    wanted = ImportSettings(**{"kind": kind, "task": "asr", **settings})
    num_rows = None
    try:
        report = import_corpus(source, out, wanted, num_workers=1)
        num_rows = report.num_rows
        rows = read_manifest(report.manifest).table.to_pylist()
    except ManifestError as error:
        if "rows can be imported" not in str(error):
            raise
        rows = []
    rejects = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    assert num_rows in (None, len(rows) + len(rejects))
    assert all(one["reason"] and one["text"] for one in rejects)
    return Imported(out, rows, rejects)


def write(file: Path, *lines: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file
