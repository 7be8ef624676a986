"""What a session makes, how often, and that what it keeps does not change what is trained."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from peft import PeftModel
from pyarrow import parquet

from maqam.data.manifest import read_manifest, write_manifest
from maqam.errors import ConfigError, RunError, ScheduleError
from maqam.evaluate.run import Evaluation, evaluate_rows
from maqam.models import loading
from maqam.models.audio_states import encoded_states
from maqam.recipe import load_recipe
from maqam.runs import planning, session, stages
from maqam.runs.plans import write_plan
from maqam.runs.session import Session
from maqam.studies.grid import make_study
from maqam.studies.runner import run_study
from maqam.tasks import default_tasks

ADS, UNIFORM = "schedule={kind: ads}", "schedule={kind: uniform}"
CLUSTERS = "features.num_clusters=3"
RATE = "train.learning_rate=0.05"  # so that an adapter of few steps is seen


@pytest.fixture
def recipe_of(world, tmp_path):
    def make(*settings, name="run"):
        return load_recipe(
            world.recipe, [f"output={tmp_path}", f"name={name}", CLUSTERS, *settings]
        )

    return make


@pytest.fixture
def without_test_rows(world, tmp_path):
    """Return a function that writes the corpus without the test rows of some tasks."""

    def write(*tasks):
        known = read_manifest(world.corpus)
        is_kept = (known.column("split") == "train") | ~np.isin(known.column("task"), tasks)
        rows = known.rows(np.flatnonzero(is_kept))
        return write_manifest(
            [{**row, "audios": [str(world.corpus / one) for one in row["audios"]]} for row in rows],
            tmp_path / "held-in",
        )

    return write


@pytest.fixture
def counts(monkeypatch):
    """Return how often weights were loaded, weights hashed and rows tokenised."""
    counted = dict.fromkeys(("loads", "hashes", "rows"), 0)

    def counting(name, inner, amount=lambda *given: 1):
        def call(*given, **named):
            counted[name] += amount(*given)
            return inner(*given, **named)

        return call

    monkeypatch.setattr(session, "load_backbone", counting("loads", loading.load_backbone))
    for name in ("encoder_fingerprint", "weights_fingerprint"):
        monkeypatch.setattr(session, name, counting("hashes", getattr(session, name)))
    monkeypatch.setattr(
        planning,
        "prepare_rows",
        counting("rows", planning.prepare_rows, lambda dialogue, manifest, rows: len(set(rows))),
    )
    return counted


def steps(folder):
    lines = (Path(folder) / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_plan_that_needs_no_cluster_loads_no_model(recipe_of, counts):
    one = Session(recipe_of(UNIFORM))
    write_plan(one, one.recipe.folder / "plan", overwrite=False)
    assert counts["loads"] == counts["hashes"] == 0


def test_a_plan_by_clusters_loads_it_once(recipe_of, counts):
    one = Session(recipe_of(ADS))
    write_plan(one, one.recipe.folder / "plan", overwrite=False)
    assert (counts["loads"], counts["hashes"]) == (1, 1)


def test_a_run_from_plan_to_scores_loads_it_once(recipe_of, counts):
    one = Session(recipe_of(ADS))
    write_plan(one, one.recipe.folder / "plan", overwrite=False)
    stages.train(one)
    stages.evaluate(one, one.recipe.folder)
    assert counts["loads"] == 1


def test_tasks_without_rows_to_score_are_named_before_the_training_and_once(
    recipe_of, without_test_rows, monkeypatch
):
    said = []
    one = Session(recipe_of(f"data.manifest={without_test_rows('did', 'tsum')}"), say=said.append)
    monkeypatch.setattr(stages, "run_phase", lambda *given, **named: said.append("training"))
    stages.train(one)
    *_, told, training = said
    assert training == "training"
    assert told.startswith("split 'test' has no row of did, tsum, which the run is trained on")
    assert "maqam data split" in told
    stages.say_unscored(one.of(recipe_of(f"data.manifest={one.manifest.path}", name="next")))
    assert said.count(told) == 1


def test_a_study_without_rows_to_score_is_refused_before_it_trains(
    world, tmp_path, without_test_rows
):
    study = make_study(
        {
            "output": str(tmp_path / "study"),
            "baseline": "uniform",
            "base": {
                "data": {"manifest": str(without_test_rows(*default_tasks()))},
                "model": {"kind": "qwen2_5_omni", "path": str(world.pocket)},
            },
            "methods": {"uniform": {}},
        },
        where="test",
    )
    with pytest.raises(RunError, match="no utterance to score") as caught:
        run_study(study, planning.no_bars, lambda line: None)
    assert "maqam data split" in caught.value.hint
    assert not (tmp_path / "study" / "runs").exists()


def test_a_study_of_four_runs_loads_and_hashes_once_and_tokenises_each_row_once(
    world, tmp_path, counts
):
    base = {
        "data": {"manifest": str(world.corpus)},
        "model": {"kind": "qwen2_5_omni", "path": str(world.pocket)},
        "features": {"num_clusters": 3},
        "train": {"num_steps": 2, "batch_size": 4, "micro_batches": 1, "lora_rank": 2},
        "score": {"max_new_tokens": 3, "num_resamples": 20},
    }
    kinds = ("uniform", "ads", "tpc", "stratified")
    study = make_study(
        {
            "name": "four",
            "output": str(tmp_path),
            "baseline": "uniform",
            "seeds": [0],
            "base": base,
            "methods": {kind: {"schedule": {"kind": kind}} for kind in kinds},
        },
        where="test",
    )
    run_study(study, planning.no_bars, lambda line: None)
    assert counts == {"loads": 1, "hashes": 2, "rows": 30}


def test_the_fingerprint_of_weights_is_remembered_on_disk_until_a_file_changes(
    own_pocket, recipe_of, counts
):
    def fingerprint():
        return Session(recipe_of(f"model.path={own_pocket}")).weights_fingerprint

    first = fingerprint()
    assert fingerprint() == first
    assert counts["hashes"] == 1
    weights = own_pocket / "model.safetensors"
    weights.write_bytes(weights.read_bytes())
    assert fingerprint() == first
    assert counts["hashes"] == 2


@pytest.fixture
def own_pocket(world, tmp_path):
    folder = tmp_path / "pocket"
    folder.mkdir()
    for path in world.pocket.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize("schedule", ["uniform", "tpc", "stratified"])
def test_planning_in_a_process_of_its_own_loads_no_torch(world, tmp_path, schedule):
    code = (
        "import sys; from maqam.cli.main import main; "
        f"code = main(['plan', {str(world.recipe)!r}, 'schedule={{kind: {schedule}}}', "
        f"'output={tmp_path}']); "
        "print(code, [one for one in ('torch', 'transformers', 'peft') if one in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "0 []"


def test_planning_in_tokens_loads_the_tokenizer_only(world, tmp_path):
    code = (
        "import sys; from maqam.cli.main import main; "
        f"code = main(['plan', {str(world.recipe)!r}, 'deal.unit=tokens', 'train.batch_size=100', "
        f"'output={tmp_path}']); print(code, 'torch' in sys.modules, 'tokenizers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False True"


def test_what_is_kept_of_features_does_not_change_a_loss(recipe_of):
    losses = {}
    for keep in ("states", "pooled"):
        one = Session(recipe_of(ADS, f"features.keep={keep}", "features.dtype=float32", name=keep))
        stages.train(one)
        losses[keep] = [(one["loss"], one["grad_norm"]) for one in steps(one.recipe.folder)]
        stages.evaluate(one, one.recipe.folder)
    assert np.allclose(losses["states"], losses["pooled"], rtol=1e-4)
    scores = [
        json.loads((recipe_of(name=keep).folder / "eval/test/scores.json").read_text())
        for keep in ("states", "pooled")
    ]
    assert [one["tasks"] for one in scores[:1]] == [one["tasks"] for one in scores[1:]]


@pytest.mark.parametrize("keep", ["states", "none"])
def test_a_run_is_scored_with_its_adapter_whatever_is_still_to_be_encoded(recipe_of, keep):
    one = recipe_of(UNIFORM, f"features.keep={keep}", "features.dtype=float32", RATE)
    stages.train(Session(one))
    stages.evaluate(Session(one), one.folder)  # as in a process of its own
    found = label_scores(one.folder / "eval" / "test")
    manifest = read_manifest(one.places[0])
    rows = np.flatnonzero(manifest.column("split") == "test")
    scored = {}
    for name in ("base", "adapted"):
        backbone = loading.load_backbone(one.model)
        if name == "adapted":
            PeftModel.from_pretrained(backbone.model, str(one.folder / "adapter"))
        settings = Evaluation(one.score, encoded_states(backbone, manifest), one.seed)
        evaluate_rows(backbone, manifest, rows, one.folder / name, settings)
        scored[name] = label_scores(one.folder / name)
    assert np.allclose(found, scored["adapted"], atol=1e-3)
    assert not np.allclose(found, scored["base"], atol=0.1)


def label_scores(folder):
    held = parquet.read_table(folder / "hypotheses.parquet").column("label_scores").to_pylist()
    return np.concatenate([one for one in held if one])


def test_a_schedule_without_clusters_trains_with_nothing_kept(recipe_of):
    kept = Session(recipe_of(UNIFORM, "features.dtype=float32", name="kept"))
    stages.train(kept)
    bare = Session(recipe_of(UNIFORM, "features.keep=none", name="bare"))
    stages.train(bare)
    ours, theirs = steps(bare.recipe.folder), steps(kept.recipe.folder)
    assert np.allclose([one["loss"] for one in ours], [one["loss"] for one in theirs], rtol=1e-4)
    assert len(list((Path(bare.recipe.output) / "features").iterdir())) == 1


def test_clusters_with_nothing_kept_are_refused_with_a_way_on(recipe_of):
    with pytest.raises(ConfigError, match="ads is dealt by clusters") as caught:
        stages.train(Session(recipe_of(ADS, "features.keep=none")))
    assert caught.value.hint == "set features.keep: pooled"


def test_clusters_in_phase_align_are_refused(recipe_of):
    with pytest.raises(ScheduleError, match="ads needs clusters, and phase align has none"):
        stages.train(Session(recipe_of(ADS, "train.phase=align")))


def test_states_too_large_for_the_limit_become_means(recipe_of, monkeypatch):
    monkeypatch.setattr(session, "MOST_STATES_BYTES", 1000)
    assert Session(recipe_of(ADS)).level == "pooled"
    assert Session(recipe_of(UNIFORM)).level == "none"


def test_the_size_is_told_before_anything_is_written(recipe_of, tmp_path):
    said = []

    def note(line):
        said.append((line, list((tmp_path / "features").glob("*/*"))))

    one = Session(recipe_of(ADS), say=note)
    assert one.store is not None
    ((line, files),) = said
    assert line.startswith("aligner outputs of 30 utterances take 0.00 GB in ")
    assert files == []


def test_after_align_the_next_run_begins_from_the_checkpoint_again(recipe_of):
    first = Session(recipe_of("train.phase=align", UNIFORM, name="align"))
    stages.train(first)
    fresh = Session(recipe_of(UNIFORM, name="fresh"))
    stages.train(fresh)
    after = first.of(recipe_of(UNIFORM, name="after"))
    stages.train(after)
    records = [json.loads((one.recipe.folder / "run.json").read_text()) for one in (fresh, after)]
    assert records[0]["fingerprints"] == records[1]["fingerprints"]
    weights = "adapter/adapter_model.safetensors"
    ours, theirs = ((one.recipe.folder / weights).read_bytes() for one in (fresh, after))
    assert ours == theirs


def test_a_language_that_no_task_asks_in_is_refused(recipe_of):
    asked = Session(recipe_of("data.prompt_language=arr"))
    with pytest.raises(ConfigError, match="no task has a prompt in 'arr'") as caught:
        _ = asked.manifest
    assert caught.value.hint == "did you mean 'ar'?"


def test_a_task_without_a_prompt_in_the_language_is_named(recipe_of):
    said = []
    title = "tasks.asr={prompts: {fr: Transcris la parole.}}"
    _ = Session(recipe_of("data.prompt_language=fr", title), say=said.append).manifest
    assert "task did has no prompt in 'fr': asked in 'ar'" in said
    assert not any("task asr" in line for line in said)
