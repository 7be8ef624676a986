"""The stages of a run by the command line: each leaves what the next one reads."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from maqam.recipe import dump_yaml
from maqam.schedule import load_plan
from maqam.studies.grid import load_study
from maqam.tasks import default_tasks

from .calls import assert_refused, maqam
from .conftest import World
from .corpus import NUM_EACH, SCRIPT, copied

TASKS = default_tasks()

pytestmark = pytest.mark.torch


def test_a_sound_corpus_passes_its_check(world: World) -> None:
    result = maqam("data", "check", world.corpus)
    assert result.code == 0
    assert "45 utterances, 0 to reject" in result.out


def test_a_check_writes_the_sound_rows_elsewhere(world: World, tmp_path: Path) -> None:
    assert maqam("data", "check", world.corpus, "-o", tmp_path / "sound").code == 0
    assert maqam("data", "stats", tmp_path / "sound").code == 0
    assert (tmp_path / "sound" / "rejects.jsonl").read_text() == ""


def test_stats_count_every_task_and_split(world: World) -> None:
    groups = json.loads(maqam("data", "stats", world.corpus, "--json").out)
    counts = {(group["split"], group["task"]): group["num_utterances"] for group in groups}
    assert len(counts) == 10
    assert all(count == NUM_EACH[split] for (split, _), count in counts.items())


def test_stats_say_that_speech_is_synthetic(world: World) -> None:
    assert "SYNTHETIC" in maqam("data", "stats", world.corpus).out


def test_features_are_stored_once_and_described(world: World) -> None:
    first = json.loads(maqam("features", world.recipe, "--json").out)
    stores = list((world.output / "features").iterdir())
    again = json.loads(maqam("features", world.recipe, "--json").out)
    assert first == again
    assert first["utterances"] == 30  # of the training split alone
    assert stores == list((world.output / "features").iterdir())


def test_a_plan_is_compiled_shown_and_drawn(world: World, tmp_path: Path) -> None:
    words = ("plan", world.recipe, "schedule={kind: tpc}", "-o", tmp_path / "plan")
    assert maqam(*words).code == 0
    shown = json.loads(maqam("plan", "show", tmp_path / "plan", "--json").out)
    assert shown["fingerprint"] == load_plan(tmp_path / "plan").fingerprint
    drawn = maqam("plan", "show", tmp_path / "plan", "-o", tmp_path / "plan.html")
    assert "tpc: 3 steps of 4" in drawn.out
    assert "<svg" in (tmp_path / "plan.html").read_text(encoding="utf-8")


def test_a_plan_is_written_over_by_force_only(world: World, tmp_path: Path) -> None:
    words = ("plan", world.recipe, "-o", tmp_path / "plan")
    assert maqam(*words).code == 0
    assert_refused(maqam(*words), str(tmp_path / "plan"), "holds a plan")
    assert maqam(*words, "--force").code == 0


def test_a_plan_that_a_run_follows_is_not_written_over(world: World, runs: list[Path]) -> None:
    name, before = f"name={runs[0].name}", load_plan(runs[0] / "plan").fingerprint
    refused = maqam("plan", world.recipe, name, f"output={runs[0].parent}", "--force")
    assert_refused(refused, str(runs[0] / "plan"), "a run has begun to follow this plan")
    assert load_plan(runs[0] / "plan").fingerprint == before


def test_a_run_leaves_plan_adapter_record_and_scores(runs: list[Path]) -> None:
    for run in runs:
        assert json.loads((run / "run.json").read_text())["state"] == "finished"
        assert (run / "adapter" / "adapter_model.safetensors").is_file()
        scores = json.loads((run / "eval" / "test" / "scores.json").read_text())
        assert {row["task"] for row in scores["scores"]} == {"asr", "did", "ser", "ssum", "tsum"}


def test_a_finished_run_is_not_trained_over(world: World, runs: list[Path]) -> None:
    result = maqam("train", world.recipe, f"name={runs[0].name}")
    assert_refused(result, str(runs[0]), "holds a run already")


def test_eval_prints_scores_with_their_profile(runs: list[Path]) -> None:
    result = maqam("eval", runs[0], "--split", "train")
    assert "asr wer" in result.out
    assert "leaderboard-v3" in result.out


def test_eval_names_a_split_that_is_not_there(runs: list[Path]) -> None:
    assert_refused(maqam("eval", runs[0], "--split", "tset"), "no split 'tset'")


def test_methods_are_compared_over_paired_seeds(runs: list[Path]) -> None:
    comparison = json.loads(maqam("compare", *runs, "--json").out)
    assert comparison["baseline"] == "uniform"
    assert comparison["synthetic"] is True
    assert {row["method"] for row in comparison["rows"]} == {"uniform", "tpc"}
    assert "uniform" in maqam("compare", *runs, "--baseline", "tpc").out


def test_checkpoints_are_compared_by_their_test_items(runs: list[Path]) -> None:
    comparison = json.loads(maqam("compare", *runs, "--checkpoints", "--json").out)
    assert comparison["baseline"] == runs[0].name
    assert {row["checkpoint"] for row in comparison["rows"]} == {run.name for run in runs[1:]}
    shown = maqam("compare", *runs, "--checkpoints", "--baseline", runs[1].name).out
    assert "This holds of these checkpoints, not of their methods." in shown


def test_losses_against_single_tasks_and_the_start_are_told(runs: list[Path]) -> None:
    single = [word for run in runs[1::2] for word in ("--single", f"asr={run}")]
    words = ("compare", *runs[::2], *single, "--start", runs[1])
    comparison = json.loads(maqam(*words, "--json").out)
    assert [row["task"] for row in comparison["negative_transfer"]] == ["asr"]
    assert {row["task"] for row in comparison["forgetting"]} == {*TASKS}
    assert {row["method"] for row in comparison["forgetting"]} == {"uniform"}
    shown = maqam(*words).out
    assert "points lost against training on the task alone" in shown
    assert "points lost against the start" in shown


def test_a_comparison_tells_how_soon_each_task_was_learnt(runs: list[Path]) -> None:
    comparison = json.loads(maqam("compare", *runs, "--json").out)
    assert {row["method"] for row in comparison["convergence"]} == {"uniform", "tpc"}
    base = next(row for row in comparison["convergence"] if row["method"] == "uniform")
    assert base["num_steps"] == [3, 3]
    assert all(one is not None for one in base["steps_to_baseline"])


def test_references_of_a_comparison_are_checked(runs: list[Path], tmp_path: Path) -> None:
    for word in ("asr", "sing=x", "=x"):
        result = maqam("compare", *runs, "--single", word)
        assert_refused(result, "--single", f"'{word}' is not TASK=RUN")
    assert_refused(maqam("compare", *runs, "--start", tmp_path), "there are no hypotheses")
    assert maqam("compare", *runs, "--checkpoints", "--start", runs[0]).code == 2


def test_a_checkpoint_is_not_compared_with_itself(runs: list[Path]) -> None:
    result = maqam("compare", runs[0], runs[0], "--checkpoints")
    assert_refused(result, "two or more, all different")
    assert_refused(maqam("compare", *runs, "--checkpoints", "--baseline", "x"), "no run named 'x'")


def test_compare_names_a_baseline_that_is_not_there(runs: list[Path]) -> None:
    assert_refused(maqam("compare", *runs, "--baseline", "ads"), "'ads'")


@pytest.fixture(scope="module")
def page(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    result = maqam("report", *runs, "-o", folder / "report.html")
    assert result.code == 0, result.err
    return folder / "report.html"


def test_a_report_is_one_file(page: Path) -> None:
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]


def test_a_report_fetches_nothing(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"<(?:link|iframe|object|embed|script)\b[^>]*(?:src|href)=", text)
    assert not re.findall(r"""(?:src|srcset|poster)\s*=\s*["']?\s*(?:https?:)?//""", text)
    assert not re.findall(r"""(?:url\(|@import)\s*["']?\s*(?:https?:)?//""", text)


def test_a_report_escapes_what_the_data_say(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert SCRIPT not in text
    assert "alert(&" in text


def test_compare_and_report_name_a_folder_that_is_no_run(tmp_path: Path) -> None:
    for command in ("compare", "report", "eval"):
        assert_refused(maqam(command, tmp_path), str(tmp_path))


def test_a_study_of_two_methods_ends_with_a_report(world: World, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    base = world.recipe.read_text(encoding="utf-8").splitlines()
    kept = [line for line in base if not line.startswith(("name:", "output:"))]
    lines = [f"output: {tmp_path / 'study'}", "baseline: uniform", "base:"]
    methods = ["methods:", "  uniform: {}", "  tpc: {schedule: {kind: tpc}}"]
    study.write_text("\n".join([*lines, *(f"  {line}" for line in kept), *methods]))
    result = maqam("study", study)
    assert result.code == 0, result.err
    page = (tmp_path / "study" / "report.html").read_text("utf-8")
    before = tmp_path / "study/before-training/eval/test"
    begun = json.loads((before / "scores.json").read_text("utf-8"))
    wer = next(row["value"] for row in begun["scores"] if row["metric"] == "wer")
    row = page[page.index("before training") :].partition("</tr>")[0]
    assert f"{100 * wer:.1f}" in row
    comparison = json.loads((tmp_path / "study/comparison.json").read_text("utf-8"))
    lost = next(row for row in comparison["forgetting"] if row["metric"] == "wer")
    assert lost["reference"] == pytest.approx(wer)
    assert maqam("compare", tmp_path / "study").code == 0
    stamp = (before / "hypotheses.parquet").stat().st_mtime_ns
    assert "finished before, kept" in maqam("study", study).err
    assert (before / "hypotheses.parquet").stat().st_mtime_ns == stamp
    assert_refused(maqam("study", study, "--power"), "two pilot runs of one method")


def test_answers_before_training_are_kept_for_the_split_they_are_of(runs: list[Path]) -> None:
    record = runs[0] / "before-training/run.json"
    hypotheses = runs[0] / "before-training/eval/test/hypotheses.parquet"
    assert maqam("eval", runs[0], "--base").code == 0
    first = hypotheses.stat().st_mtime_ns
    assert maqam("eval", runs[0], "--base").code == 0
    assert hypotheses.stat().st_mtime_ns == first
    content = json.loads(record.read_text("utf-8"))
    content["identity"]["test"]["manifest"] = "another"
    record.write_text(json.dumps(content), "utf-8")
    assert maqam("eval", runs[0], "--base", "--split", "train").code == 0
    assert maqam("eval", runs[0], "--base").code == 0
    assert hypotheses.stat().st_mtime_ns > first


def test_two_seeds_of_each_method_tell_how_many_seeds_show_what(
    world: World, runs: list[Path], tmp_path: Path
) -> None:
    study = tmp_path / "study.yaml"
    kept = world.recipe.read_text("utf-8").splitlines()
    kept = [line for line in kept if not line.startswith(("name", "output", "seed", "schedule"))]
    methods = [
        "methods:",
        "  uniform: {schedule: {kind: uniform}}",
        "  tpc: {schedule: {kind: tpc}}",
    ]
    lines = [f"output: {tmp_path}", "baseline: uniform", "seeds: [0, 1]", "base:"]
    study.write_text("\n".join([*lines, *(f"  {line}" for line in kept), *methods]), "utf-8")
    resolved = load_study(study)
    for run in runs:
        folder = tmp_path / "runs" / run.name
        shutil.copytree(run, folder)
        method, _, seed = run.name.rpartition("-seed")
        dump = dump_yaml(resolved.recipe(method, int(seed)).model_dump(mode="json"))
        (folder / "recipe.yaml").write_text(dump, "utf-8")
    found = json.loads(maqam("study", study, "--power", "--json").out)
    scores = [
        {row["task"]: row["value"] for row in read["scores"] if row["metric"] == "macro_f1"}
        for read in (json.loads((run / "eval/test/scores.json").read_text("utf-8")) for run in runs)
    ]
    (did,) = (row for row in found if row["task"] == "did")
    first, second = (scores[at]["did"] - scores[at + 1]["did"] for at in (0, 2))
    assert did["spread"]["value"] == pytest.approx(abs(first - second) / 2**0.5)
    assert did["num_comparisons"] == len(found) == 5
    table = maqam("study", study, "--power")
    assert "did macro_f1" in table.out
    assert "paired runs" in table.err


def test_a_relative_corpus_can_be_moved_with_its_audio(world: World, tmp_path: Path) -> None:
    moved = copied(world.corpus, tmp_path / "elsewhere")
    assert maqam("data", "check", moved).code == 0


def cut(file: Path, kept: float) -> None:
    os.truncate(file, int(file.stat().st_size * kept))


@pytest.mark.parametrize("kept", [0.0, 1e-6, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("command", ["plan", "train"])
def test_a_damaged_adapter_to_begin_from_is_refused_before_any_work(
    world: World, runs: list[Path], tmp_path: Path, command: str, kept: float
) -> None:
    adapter = Path(shutil.copytree(runs[0] / "adapter", tmp_path / "adapter"))
    words = (command, world.recipe, f"output={tmp_path}", "schedule={kind: tpc}")
    cut(adapter / "adapter_model.safetensors", kept)
    result = maqam(*words, f"train.adapter_from={adapter}")
    assert_refused(result, f"train.adapter_from: {adapter}", "the adapter is damaged")
    assert "copy it again" in result.line("hint")
    assert not (tmp_path / "tiny").exists()


def test_an_adapter_to_begin_from_that_is_not_there_is_known_to_the_plan(
    world: World, runs: list[Path], tmp_path: Path
) -> None:
    words = ("plan", world.recipe, f"output={tmp_path}")
    result = maqam(*words, f"train.adapter_from={tmp_path}/nowhere")
    assert_refused(result, f"train.adapter_from: {tmp_path}/nowhere: there is no adapter")
    result = maqam(*words, f"train.adapter_from={runs[0]}")  # the run, not its adapter
    assert_refused(result, f"train.adapter_from: {runs[0]}: there is no adapter")
    assert result.line("hint") == f"hint: give {runs[0]}/adapter"
    assert not (tmp_path / "tiny").exists()
    assert maqam(*words, f"train.adapter_from={runs[0]}/adapter").code == 0


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5])
def test_a_run_whose_adapter_is_damaged_says_so(
    runs: list[Path], tmp_path: Path, kept: float
) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / runs[0].name))
    cut(run / "adapter" / "adapter_model.safetensors", kept)
    result = maqam("eval", run)
    assert_refused(result, str(run), "the adapter is damaged")
    assert "copy it again" in result.line("hint")
