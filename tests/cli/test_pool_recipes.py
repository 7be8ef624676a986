"""Recipes that name several manifests: planned, trained, resumed and scored as one pool."""

import json
from pathlib import Path

import pytest

from maqam.data.manifest import read_manifest
from maqam.recipe import load_recipe
from maqam.run_layout import RunLayout
from maqam.runs.planning import PlanningSession
from maqam.schedule import load_plan

from .calls import assert_refused, maqam
from .conftest import World


@pytest.fixture(scope="module")
def pooled(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a world whose recipe names the corpus in two parts, and the parts' folder."""
    folder = tmp_path_factory.mktemp("pooled")
    for name, where in (("speech", "task == 'asr'"), ("others", "task != 'asr'")):
        done = maqam("data", "select", world.corpus, "-o", folder / name, "--where", where)
        assert done.code == 0, done.err
    words = world.recipe.read_text(encoding="utf-8")
    words = words.replace(
        f"manifest: {world.corpus}",
        f"manifest: [{folder / 'speech'}, {{path: {folder / 'others'}}}]",
    )
    words = words.replace(str(world.output), str(folder / "out"))
    recipe = folder / "recipe.yaml"
    recipe.write_text(words, encoding="utf-8")
    return World(folder, world.corpus, world.pocket, recipe)


def test_a_pool_of_a_recipe_is_trained_resumed_and_scored(pooled: World, world: World) -> None:
    trained = maqam("train", pooled.recipe)
    assert trained.code == 0, trained.err
    again = maqam("train", pooled.recipe, "--resume")
    assert again.code == 0, again.err
    scored = maqam("eval", pooled.output / "tiny", "--json")
    assert scored.code == 0, scored.err
    assert json.loads(scored.out)["tasks"].keys() == {"asr", "did", "ser", "ssum", "tsum"}
    run = RunLayout(pooled.output / "tiny").read_record()
    assert run["fingerprints"]["manifest"]
    assert maqam("plan", "verify", pooled.output / "tiny").code == 0


def test_a_pool_is_dealt_by_clusters_of_its_audio(pooled: World) -> None:
    result = maqam("plan", pooled.recipe, "name=by-cluster", "schedule={kind: ads}")
    assert result.code == 0, result.err


def test_what_conditions_leave_is_trained_on_and_said(pooled: World) -> None:
    words = ("name=some", "data.where=task != 'tsum'", "schedule={kind: tpc}")
    result = maqam("plan", pooled.recipe, *words)
    assert result.code == 0, result.err
    assert "task != 'tsum': " in result.err
    plan = load_plan(pooled.output / "some" / "plan")
    assert "tsum" not in plan.shares["task"].names


def test_relative_manifests_start_where_the_command_is_called(pooled, monkeypatch) -> None:
    monkeypatch.chdir(pooled.folder)
    result = maqam("plan", pooled.recipe, "name=relative", "data.manifest=[speech, others]")
    assert result.code == 0, result.err


def manifest_of(world: World, *words: str):
    return PlanningSession(load_recipe(world.recipe, words)).manifest


def test_the_pool_of_a_recipe_is_that_of_a_merge(pooled: World) -> None:
    parts = [pooled.folder / name for name in ("speech", "others")]
    assert maqam("data", "merge", *parts, "-o", pooled.folder / "merged").code == 0
    merged = read_manifest(pooled.folder / "merged")
    found = manifest_of(pooled)
    assert found.column("id").tolist() == merged.column("id").tolist()
    paths = [found.audio_path(row).resolve() for row in range(5)]
    assert paths == [merged.audio_path(row).resolve() for row in range(5)]


def test_one_corpus_is_asked_two_tasks(pooled: World) -> None:
    speech = pooled.folder / "speech"
    found = manifest_of(pooled, f"data.manifest=[{speech}, {{path: {speech}, as_task: did}}]")
    rows = found.rows(range(found.num_utterances))
    assert {row["task"] for row in rows} == {"asr", "did"}
    assert all(
        row["label"] == row["target"] == row["dialect"] for row in rows if row["task"] == "did"
    )
    assert len({row["id"] for row in rows}) == len(rows)


def test_weights_make_a_corpus_count_more_under_proportional_shares(pooled: World) -> None:
    parts = f"[{{path: {pooled.folder / 'speech'}, weight: 4}}, {pooled.folder / 'others'}]"
    words = ("train.num_steps=20", f"data.manifest={parts}")
    assert maqam("plan", pooled.recipe, "name=heavy", *words).code == 0
    plan = load_plan(pooled.output / "heavy" / "plan")
    shares = plan.shares["task"]
    held = dict(zip(shares.names, shares.held.tolist(), strict=True))
    dealt = dict(zip(shares.names, shares.counts.sum(axis=0).tolist(), strict=True))
    others = sum(held.values()) - held["asr"]
    expected = 4 * held["asr"] / (4 * held["asr"] + others)
    assert dealt["asr"] / sum(dealt.values()) == pytest.approx(expected, abs=0.02)
    assert maqam("plan", "verify", pooled.output / "heavy").code == 0


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("data.manifest=5", "data.manifest"),
        ("data.manifest=[]", "must not be empty"),
        ("data.manifest=[{path: a, wher: x}]", "unknown key 'wher'"),
        ("data.manifest={path: a, weight: 0}", "data.manifest.weight"),
        ("data.manifest=[{path: a, weight: 2}]", "all weights of data.manifest are one number"),
        ("data.manifest=[SPEECH, nowhere]", "there is no manifest here"),
        ("data.where=seconds >", "is no condition"),
        ("data.where=secnds > 1", "there is no column 'secnds'"),
        ("data.where=seconds > 9999", "no row is left"),
        ("data.manifest=[{path: SPEECH, as_task: dod}]", "there is no task 'dod'"),
        ("data.manifest=[{path: SPEECH, as_task: ssum}]", "no row has an answer to task 'ssum'"),
    ],
)
def test_a_pool_that_cannot_be_is_refused_by_its_key(pooled: World, word: str, said: str) -> None:
    word = word.replace("SPEECH", str(pooled.folder / "speech"))
    assert_refused(maqam("plan", pooled.recipe, "name=refused", word), said)
    assert not Path(pooled.output / "refused").exists()


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("{kind: unimax}", "schedule unimax counts epochs and takes no weights"),
        ("{kind: tpc}", "the weights of corpora change nothing under schedule tpc"),
    ],
)
def test_a_schedule_that_takes_no_weights_is_named(pooled: World, schedule: str, said: str) -> None:
    parts = f"[{{path: {pooled.folder / 'speech'}, weight: 4}}, {pooled.folder / 'others'}]"
    words = (f"data.manifest={parts}", f"schedule={schedule}")
    assert_refused(maqam("plan", pooled.recipe, "name=unfit", *words), said)


def test_a_schedule_that_decides_while_it_trains_takes_no_weights(pooled: World) -> None:
    parts = f"[{{path: {pooled.folder / 'speech'}, weight: 4}}, {pooled.folder / 'others'}]"
    words = ("name=adaptive", f"data.manifest={parts}", "schedule={kind: adaptive, reward: exp3}")
    assert_refused(maqam("train", pooled.recipe, *words), "takes no weights of corpora")


def test_a_column_of_weights_and_weights_of_the_recipe_are_one_or_the_other(pooled: World) -> None:
    from maqam.data.manifest import write_manifest

    rows = [
        {**row, "sampling_weight": 2.0}
        for row in read_manifest(pooled.folder / "speech").table.to_pylist()
    ]
    write_manifest(rows, pooled.folder / "weighed")
    parts = f"[{{path: {pooled.folder / 'weighed'}, weight: 4}}, {pooled.folder / 'others'}]"
    assert_refused(maqam("plan", pooled.recipe, "name=both", f"data.manifest={parts}"),
                   "has a column sampling_weight of its own")  # fmt: skip


def test_tasks_of_the_training_that_a_split_lacks_are_named(pooled: World) -> None:
    where = "split == 'train' or split == 'test' and task == 'asr'"
    assert maqam("train", pooled.recipe, "name=lacking", f"data.where={where}").code == 0
    scored = maqam("eval", pooled.output / "lacking")
    assert scored.code == 0, scored.err
    assert "split 'test' has no row of did, ser, ssum, tsum, which the run was" in scored.err
    refused = maqam("eval", pooled.output / "lacking", "--split", "dev")
    assert_refused(refused, "no utterance to score")


def test_the_plan_of_a_pool_is_exported_with_audio_that_is_there(pooled: World) -> None:
    assert maqam("plan", pooled.recipe, "name=exported").code == 0
    out = pooled.folder / "exported"
    done = maqam("plan", "export", pooled.output / "exported", "--to", "ms-swift", "-o", out)
    assert done.code == 0, done.err
    lines = [line for file in out.rglob("*.jsonl") for line in file.read_text("utf-8").splitlines()]
    paths = [Path(path) for line in lines for path in json.loads(line).get("audios", [])]
    assert paths
    assert all((out / path).is_file() for path in paths)
