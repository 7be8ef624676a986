"""Manifests of rows whose audio nobody reads."""

from pathlib import Path
from typing import Any

from maqam.data.manifest import Manifest, read_manifest, write_manifest


def manifest_of(rows: list[dict[str, Any]], folder: Path) -> Manifest:
    """Write rows as a manifest."""
    return read_manifest(write_manifest(rows, folder))
