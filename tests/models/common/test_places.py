"""Where checkpoints may be written: nothing but a checkpoint is ever replaced."""

from pathlib import Path

import pytest

from maqam.errors import RunError
from maqam.models.common.places import refuse_occupied


def folder_with(place: Path, *names: str) -> Path:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("x", encoding="utf-8")
    return place


@pytest.mark.parametrize(
    "names", [("config.json",), ("adapter_config.json",), ("model/adapter_config.json",)]
)
def test_a_checkpoint_is_replaced_by_force_only(tmp_path, names):
    place = folder_with(tmp_path / "old", *names)
    with pytest.raises(RunError, match="there is something here already"):
        refuse_occupied(place, overwrite=False)
    refuse_occupied(place, overwrite=True)


@pytest.mark.parametrize(
    "names",
    [
        ("thesis.tex",),
        ("manifest.parquet", "config.json"),
        ("run.json", "adapter/adapter_config.json"),
    ],
)
def test_what_is_no_checkpoint_is_never_replaced(tmp_path, names):
    place = folder_with(tmp_path / "precious", *names)
    with pytest.raises(RunError, match="--force replaces nothing else"):
        refuse_occupied(place, overwrite=True)


def test_a_source_is_never_replaced_whatever_way_it_is_named(tmp_path, monkeypatch):
    source = folder_with(tmp_path / "all" / "whisper", "config.json")
    monkeypatch.chdir(tmp_path)
    for named in ("all/whisper", "all/../all/whisper", "all"):
        with pytest.raises(RunError, match="it would replace what it is made from"):
            refuse_occupied(Path(named), overwrite=True, sources=(source,))
    refuse_occupied(Path("all/whisper/export"), overwrite=False, sources=(source,))


def test_a_file_is_one_line(tmp_path):
    folder_with(tmp_path, "plain")
    with pytest.raises(RunError, match="it is a file"):
        refuse_occupied(tmp_path / "plain", overwrite=True)
