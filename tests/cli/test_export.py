"""`maqam plan export` and `maqam data import`: there and back."""

import json
from pathlib import Path

import pytest

from maqam.data.manifest import read_manifest, write_manifest
from maqam.schedule import load_plan
from tests.factories import make_row

from .calls import assert_refused, maqam
from .conftest import World

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def plan(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    words = (f"output={folder}", "name=own", "train.num_steps=4", "train.batch_size=8")
    result = maqam("plan", world.recipe, *words, "schedule={kind: alpha, alpha: 0}")
    assert result.code == 0, result.err
    return folder / "own"


@pytest.mark.parametrize("kind", ["ms-swift", "llamafactory"])
def test_an_export_is_imported_again_as_the_rows_of_the_plan(
    world: World, plan: Path, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "out"
    words = ("--world-size", "2", "--micro-batch-size", "2")
    result = maqam("plan", "export", plan, "--to", kind, "-o", out, *words)
    assert result.code == 0, result.err
    (rows,) = out.glob("schedule.[jp]*[lt]")
    back = maqam("data", "import", kind, rows, "-o", tmp_path / "back", "--json")
    assert back.code == 0, back.err
    told = json.loads(back.out)
    found, whole = load_plan(plan / "plan"), read_manifest(world.corpus)
    assert told["num_rows"] == told["num_imported"] + sum(told["rejected"].values())
    written = [json.loads(line) for line in rows.read_text().splitlines()]
    ids = whole.column("id")
    for step in range(4):
        mine = {ids[row] for row in found.batch(step)}
        assert {one["id"] for one in written[8 * step : 8 * step + 8]} == mine


@pytest.mark.parametrize("kind", ["hf-datasets", "jsonl"])
def test_every_target_writes_its_folder(plan: Path, tmp_path: Path, kind: str) -> None:
    result = maqam("plan", "export", plan, "--to", kind, "-o", tmp_path / "out")
    assert result.code == 0, result.err
    assert (tmp_path / "out" / "schedule.meta.json").is_file()


@pytest.mark.parametrize("kind", ["ms-swift", "llamafactory", "hf-datasets", "jsonl"])
def test_a_hybrid_is_exported_with_its_switch_and_what_no_other_trainer_does_is_said(
    world: World, tmp_path: Path, kind: str
) -> None:
    schedule = "{kind: then, first: {kind: tpc}, second: {kind: ads}, dip: linear, beta2: 0.9}"
    words = (f"output={tmp_path}", "name=own", "train.num_steps=6", "train.batch_size=8")
    assert maqam("plan", world.recipe, *words, f"schedule={schedule}").code == 0
    result = maqam("plan", "export", tmp_path / "own", "--to", kind, "-o", tmp_path / "out")
    assert result.code == 0, result.err
    said = "the switch at step 3 asks for a learning rate that dips (linear) and a beta2 of 0.9"
    assert said in " ".join(result.err.split())
    meta = json.loads((tmp_path / "out" / "schedule.meta.json").read_text(encoding="utf-8"))
    assert meta["switches"] == [{"step": 3, "dip": "linear", "dip_steps": 100, "beta2": 0.9}]
    assert meta["not_kept"] == [said]


def test_a_tag_in_a_text_is_refused_and_escaped_only_where_asked(tmp_path: Path) -> None:
    rows = [
        make_row(index, task="tsum", target=text) for index, text in enumerate(("<image>", "b"))
    ]
    write_manifest(rows, tmp_path / "corpus")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: own\noutput: {tmp_path}\ndata: {{manifest: {tmp_path}/corpus}}\n"
        "schedule: {kind: uniform}\ntrain: {num_steps: 2, batch_size: 1, micro_batches: 1}\n"
    )
    assert maqam("plan", recipe).code == 0
    words = ("plan", "export", tmp_path / "own", "--to", "llamafactory", "-o", tmp_path / "out")
    refused = maqam(*words)
    assert refused.code == 1
    assert "1 rows hold words that LLaMA-Factory would take as tags, '<image>'" in refused.err
    escaped = maqam(*words, "--tags", "escape")
    assert escaped.code == 0, escaped.err
    assert "1 rows hold tags, written with a space in them: 'utterance-0'" in escaped.err
    written = (tmp_path / "out" / "schedule.jsonl").read_text(encoding="utf-8")
    assert ("< image>" in written, "<image>" in written) == (True, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "ms-swift", "--tags", "drop"), "tags must be refuse or escape"),
        (("--to", "pigeon"), "--to: no export target 'pigeon'"),
        (("--to", "ms-swift", "--world-size", "3"), "3"),
        (("--to", "ms-swift", "--world-size", "0"), "world_size must be at least 1"),
        (("--to", "ms-swift", "--loss-weight", "did=lots"), "'did=lots' is no weight"),
        (("--to", "ms-swift", "--loss-weight", "did=0"), "loss_weights must be above 0"),
        (("--to", "llamafactory", "--loss-weight", "did=4"), "has no loss weight of a row"),
    ],
)
def test_what_a_trainer_cannot_keep_is_refused_in_one_line(
    plan: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    result = maqam("plan", "export", plan, *words, "-o", tmp_path / "out")
    assert result.code == 1
    assert said in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


def test_rejected_rows_are_counted_and_listed(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text(
        '{"query": "قل", "response": "نعم"}\n{"audios": ["x.wav"]}\n', encoding="utf-8"
    )
    result = maqam("data", "import", "ms-swift", source, "-o", tmp_path / "out", "--task", "tsum")
    assert result.code == 0, result.err
    assert "1 of 2 rows rejected" in result.err
    assert len((tmp_path / "out" / "rejects.jsonl").read_text().splitlines()) == 1


def test_a_trainer_by_half_its_name_is_told_with_the_nearest(plan: Path, tmp_path: Path) -> None:
    result = maqam("plan", "export", plan, "--to", "swift", "-o", tmp_path / "out")
    assert_refused(result, "--to: no export target 'swift'")
    assert "did you mean 'ms-swift'?" in result.line("hint")
