"""Tasks of one's own from YAML alone: imported, planned, trained, scored and reported."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maqam.data.manifest import read_manifest
from maqam.recipe import dump_yaml
from maqam.schedule import load_plan
from maqam.score.metrics import METRICS
from maqam.tasks import tasks_in
from maqam.taxonomy.tree import label_set

from .calls import Result, assert_refused, maqam
from .conftest import World
from .corpus import WORDS, write_tone

pytestmark = pytest.mark.torch

TASKS = """
st:
  title: speech translation
  prompts: {en: Translate the speech into English.}
  input: audio
  target: translation
  level: 3
  metrics: [bleu, chrf]
country:
  title: country of the dialect
  prompts: {ar: من أي بلد المتكلم؟, en: Which country is the speaker from?}
  input: audio
  labels: adi17
  target: dialect
  level: 2
language:
  title: language identification
  prompts: {en: Which language is spoken?}
  input: audio
  labels: [ar, de, en, es, fr, hi, ja, tr, zh]
  level: 2
gender:
  title: gender of the speaker
  prompts: {en: Is the speaker female or male?}
  input: audio
  labels: [female, male]
  target: gender
  level: 2
"""
LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "ja", "tr", "zh")
SPLITS = ("train", "test")
Row = dict[str, Any]


def tone(folder: Path, name: str, number: int) -> str:
    file = folder / f"{name}.wav"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_tone(file, 0.3 + 0.02 * (number % 5), 200 + 20 * number)
    return file.name


def recognition(folder: Path) -> list[Row]:
    """Return rows of speech recognition, so that there is a level below."""
    return [
        {"id": f"asr-{split}-{at}", "audio": tone(folder, f"asr-{split}-{at}", at), "task": "asr"}
        | {"text": " ".join(WORDS[at : at + 3]), "split": split}
        for split in SPLITS
        for at in range(4)
    ]


def rows_of(folder: Path, task: str, answers: dict[str, list[str]]) -> list[Row]:
    column = next(iter(answers))
    return [
        {"id": f"{split}-{at}", "audio": tone(folder, f"{split}-{at}", at), "task": task}
        | {column: answer, "split": split}
        for split in SPLITS
        for at, answer in enumerate(answers[column])
    ]


def translations(folder: Path) -> Path:
    said = ["the house is big", "hello my friend", "how are you today", "in the big house"]
    rows = recognition(folder) + rows_of(folder, "st", {"translation": said})
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def countries(folder: Path) -> Path:
    rows = rows_of(folder, "country", {"dialect": list(label_set("adi17"))})
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def languages(folder: Path) -> Path:
    for split in SPLITS:
        for at, name in enumerate(LANGUAGES):
            tone(folder / "clips" / split / name, "clip", at)
    return folder / "clips"


def genders(folder: Path) -> Path:
    rows = recognition(folder) + rows_of(folder, "gender", {"gender": ["female", "male"] * 3})
    file = folder / "rows.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["id", "audio", "task", "text", "gender", "split"])
        writer.writeheader()
        writer.writerows(rows)
    return file


@dataclass(frozen=True, slots=True)
class Case:
    """One task of a user's own.

    Attributes:
        task: Its name.
        kind: Format of its source.
        source: Writes the source.
        schedule: Schedule of its run.
        stages: Stages of the plan.
        metrics: Metrics that must be scored; the first is the main one.
    """

    task: str
    kind: str
    source: Callable[[Path], Path]
    schedule: str
    stages: list[str]
    metrics: tuple[str, ...]


CASES = (
    Case("st", "table", translations, "tpc", ["asr", "st"], ("bleu", "chrf")),
    Case("country", "table", countries, "ads", [], ("macro_f1", "accuracy")),
    Case("language", "classes", languages, "ads", [], ("macro_f1", "accuracy")),
    Case("gender", "table", genders, "tpc", ["asr", "gender"], ("macro_f1", "accuracy")),
)


@dataclass(frozen=True, slots=True)
class Made:
    """What the commands left of one case."""

    case: Case
    folder: Path
    said: dict[str, Result]

    @property
    def run(self) -> Path:
        return self.folder / "out" / self.case.task

    @property
    def scores(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.run / "eval/test/scores.json").read_text())
        return found


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.task)
def made(
    request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    case, folder = request.param, tmp_path_factory.mktemp(request.param.task)
    (folder / "mine.yaml").write_text(TASKS, encoding="utf-8")
    corpus, recipe = folder / "corpus", folder / "recipe.yaml"
    words = ("--task", case.task, "--tasks", folder / "mine.yaml", "--workers", "1")
    said = {"import": maqam("data", "import", case.kind, case.source(folder), *words, "-o", corpus)}
    recipe.write_text(
        dump_yaml(
            {
                "name": case.task,
                "output": str(folder / "out"),
                "data": {"manifest": str(corpus)},
                "model": {"kind": "qwen2_5_omni", "path": str(world.pocket)},
                "features": {"num_clusters": 2},
                "schedule": {"kind": case.schedule},
                "train": {"num_steps": 2, "batch_size": 4, "lora_rank": 2},
                "score": {"max_new_tokens": 3, "max_label_tokens": 3, "num_resamples": 20},
            }
        ),
        encoding="utf-8",
    )
    said["check"] = maqam("data", "check", corpus)
    said["plan"] = maqam("plan", recipe)
    said["train"] = maqam("train", recipe)
    said["eval"] = maqam("eval", folder / "out" / case.task)
    said["report"] = maqam("report", folder / "out" / case.task, "-o", folder / "report.html")
    return Made(case, folder, said)


def test_every_command_takes_a_task_of_ones_own(made: Made) -> None:
    assert {name: (one.code, one.err) for name, one in made.said.items() if one.code} == {}


def test_its_rows_are_imported_with_its_answers(made: Made) -> None:
    manifest = read_manifest(made.folder / "corpus")
    own = manifest.rows(manifest.select(task=made.case.task))
    labels = manifest.tasks[made.case.task].labels
    assert {row["label"] for row in own} == (set(labels) if labels else {None})
    prompts = manifest.tasks[made.case.task].prompts.values()
    assert {row["messages"][0]["content"] for row in own} <= {f"<audio>{one}" for one in prompts}


def test_its_plan_goes_by_its_level_or_its_labels(made: Made) -> None:
    plan = load_plan(made.run / "plan")
    if made.case.schedule == "tpc":
        assert [name for _, name in plan.stages] == made.case.stages
    else:
        labels = tasks_in(made.run)[made.case.task].labels
        assert set(labels) <= set(plan.shares["label"].names)


def test_it_is_scored_by_its_own_metrics(made: Made) -> None:
    found = [row for row in made.scores["scores"] if row["task"] == made.case.task]
    measured = {row["metric"] for row in found}
    assert set(made.case.metrics) <= measured
    kind = "label" if made.scores["tasks"][made.case.task]["answer"] == "label" else "text"
    assert {METRICS[name].answer for name in measured} <= {kind, "any"}
    assert not any(name.startswith("rouge") for name in measured)


def test_what_is_printed_and_reported_names_it(made: Made) -> None:
    assert f"{made.case.task} {made.case.metrics[0]}" in made.said["eval"].out
    page = (made.folder / "report.html").read_text(encoding="utf-8")
    assert tasks_in(made.run)[made.case.task].title in page
    assert METRICS[made.case.metrics[0]].title in page


def test_a_run_is_scored_again_by_the_tasks_it_was_stored_with(made: Made) -> None:
    before = made.scores
    (made.folder / "corpus" / "tasks.yaml").rename(made.folder / "corpus" / "elsewhere.yaml")
    try:
        assert maqam("eval", made.run, "--rescore").code == 0
    finally:
        (made.folder / "corpus" / "elsewhere.yaml").rename(made.folder / "corpus" / "tasks.yaml")
    assert made.scores == before


def test_another_prompt_in_a_recipe_trains_another_model(world: World) -> None:
    losses = {}
    for name, settings in (
        ("asked", ()),
        ("again", ()),
        ("other", ("tasks={asr: {prompts: {ar: اكتب كل ما تسمع}}}",)),
    ):
        words = (f"name=prompt-{name}", "train.num_steps=1", *settings)
        assert maqam("train", world.recipe, *words).code == 0
        log = (world.output / f"prompt-{name}" / "train.jsonl").read_text().splitlines()
        losses[name] = json.loads(log[0])["loss"]
    assert losses["asked"] == losses["again"]
    assert losses["asked"] != losses["other"]


def test_an_unknown_metric_is_one_line_before_anything_is_made(world: World) -> None:
    result = maqam("plan", world.recipe, "name=x", "tasks={asr: {metrics: [werr]}}")
    assert_refused(result, "tasks.asr.metrics", "no metric 'werr'")
    assert "did you mean 'wer'?" in result.err


def test_a_fault_in_tasks_is_told_before_a_corpus_is_generated(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(
        f"output: {tmp_path}/out\ntasks: {{asr: {{metrics: [werr]}}}}\n"
    )
    assert_refused(maqam("plan", tmp_path / "r.yaml"), "no metric 'werr'")
    assert not (tmp_path / "out").exists()


def test_a_task_of_ones_own_that_is_not_whole_is_one_line(world: World) -> None:
    result = maqam("plan", world.recipe, "name=x", "tasks={st: {labels: adi71}}")
    assert_refused(result, "tasks.st.labels", "did you mean 'adi17'?")


def test_a_plan_is_not_followed_when_a_task_has_moved_to_another_level(world: World) -> None:
    words = (world.recipe, "name=moved", "schedule={kind: tpc}")
    assert maqam("plan", *words).code == 0
    moved = (*words, "tasks={ser: {level: 3}}")
    assert_refused(maqam("train", *moved), "task ser had level 2, and it has 3")
    assert maqam("plan", *moved, "--force").code == 0
    (world.output / "moved" / "plan" / "tasks.yaml").unlink()  # as a library saves a plan
    assert maqam("train", *moved).code == 0


def test_a_run_is_not_resumed_with_another_prompt(world: World) -> None:
    words = (world.recipe, "name=asked-otherwise", "train.num_steps=1")
    assert maqam("train", *words).code == 0
    other = (*words, "tasks={asr: {prompts: {ar: اكتب}}}")
    assert_refused(maqam("train", *other, "--resume"), "task asr is not what it was")


def test_an_exported_plan_asks_as_the_tasks_of_its_recipe_ask(world: World, tmp_path: Path) -> None:
    prompt = "tasks={asr: {prompts: {ar: اكتب كل ما تسمع}}}"
    assert maqam("plan", world.recipe, "name=told", prompt).code == 0
    plan = world.output / "told" / "plan"
    done = maqam("plan", "export", plan, "--to", "ms-swift", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    rows = next((tmp_path / "out").glob("*.jsonl")).read_text(encoding="utf-8").splitlines()
    asked = {row["messages"][0]["content"] for row in map(json.loads, rows) if row["task"] == "asr"}
    assert asked == {"<audio>اكتب كل ما تسمع"}
