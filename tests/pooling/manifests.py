"""Small manifests of corpora that are merged, split and selected from; no audio is read."""

from pathlib import Path
from typing import Any

from maqam.data.manifest import Manifest, read_manifest, write_manifest
from tests.factories import make_row


def corpus(folder: Path, source: str, *rows: dict[str, Any], tasks: str = "") -> Manifest:
    """Write a manifest of one corpus; `tasks` is the text of its tasks.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    if tasks:
        (folder / "tasks.yaml").write_text(tasks, encoding="utf-8")
    made = [
        make_row(index, **{"source": source, "split": "train", "task": "asr", **row})
        for index, row in enumerate(rows)
    ]
    return read_manifest(write_manifest(made, folder))


def spoken(label: str, speaker: str | None, **changes: Any) -> dict[str, Any]:
    """Return a row of ser by one speaker."""
    return {"task": "ser", "label": label, "target": label, "speaker": speaker, **changes}


def column(manifest: Manifest, name: str) -> list[Any]:
    values: list[Any] = manifest.table.column(name).to_pylist()
    return values
