"""Where checkpoints are written: what may be replaced there, and what never is."""

from collections.abc import Sequence
from pathlib import Path

from maqam.data.schema import FILE_NAME
from maqam.errors import RunError
from maqam.run_layout import RunLayout, StudyLayout

_WRITTEN = ("config.json", "adapter_config.json", "*/adapter_config.json")


def refuse_occupied(folder: Path, *, overwrite: bool, sources: Sequence[str | Path] = ()) -> None:
    """Refuse to write a checkpoint where something is that must not go.

    Args:
        folder: Where it is to be written.
        overwrite: Whether a checkpoint that is there may be replaced; nothing else ever is.
        sources: What it is made from, which must not lie there.

    Raises:
        RunError: If there is a file, or a folder that holds something else or a source.
    """
    place = folder.resolve()
    for source in (Path(one).resolve() for one in sources):
        if place == source or place in source.parents:
            raise RunError(
                f"it would replace what it is made from, {source}",
                where=str(folder),
                hint="name another folder",
            )
    if folder.is_file():
        raise RunError("it is a file", where=str(folder), hint="name a folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise RunError(
            "there is something here already", where=str(folder), hint="write over it with --force"
        )
    kept = RunLayout(folder).record, StudyLayout(folder).record, folder / FILE_NAME
    is_kept = any(one.exists() for one in kept)
    if is_kept or not any(next(folder.glob(name), None) for name in _WRITTEN):
        raise RunError(
            "what is here is no checkpoint or adapter, and --force replaces nothing else",
            where=str(folder),
            hint="name another folder, or remove it yourself",
        )
