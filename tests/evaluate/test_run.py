import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from maqam.errors import MaqamError, RunError
from maqam.evaluate.hypotheses import SCHEMA, read_hypotheses
from maqam.evaluate.run import Evaluation, evaluate_rows
from maqam.score.scoring import score_hypotheses
from maqam.score.settings import ScoreSettings
from maqam.tasks import default_tasks
from maqam.text.labels import parse_label

TASKS = default_tasks()

SETTINGS = ScoreSettings(max_new_tokens=6, max_label_tokens=4, num_resamples=20)


@pytest.fixture(scope="module")
def evaluated(backbone, manifest, audio_states, tmp_path_factory):
    """The folder of an evaluation, and the scores it gave."""
    folder = tmp_path_factory.mktemp("run") / "eval" / "test"
    rows = np.arange(manifest.num_utterances)
    evaluation = Evaluation(SETTINGS, audio_states, seed=3)
    return folder, evaluate_rows(backbone, manifest, rows, folder, evaluation)


def test_hypotheses_and_scores_are_written_and_nothing_else(evaluated):
    folder, scores = evaluated
    assert sorted(path.name for path in folder.iterdir()) == ["hypotheses.parquet", "scores.json"]
    assert json.loads((folder / "scores.json").read_text(encoding="utf-8")) == scores
    assert pq.read_schema(folder / "hypotheses.parquet").equals(SCHEMA)


def test_hypotheses_read_back_in_the_order_of_the_manifest(evaluated, manifest):
    columns = read_hypotheses(evaluated[0])
    assert list(columns) == SCHEMA.names
    for name in ("id", "task", "label", "dialect", "speaker", "source"):
        assert columns[name] == manifest.column(name).tolist()
    assert columns["reference"] == manifest.column("target").tolist()


def test_the_predicted_label_is_the_likeliest_and_the_answered_one_is_read(evaluated):
    columns = read_hypotheses(evaluated[0])
    for index, task in enumerate(columns["task"]):
        labels, scores = TASKS[task].labels, columns["label_scores"][index]
        predicted, answered = columns["predicted_label"][index], columns["answered_label"][index]
        if labels:
            assert predicted == labels[int(np.argmax(scores))]
            assert answered == parse_label(columns["hypothesis"][index], labels)
        else:
            assert (predicted, answered, scores) == (None, None, [])


def test_scoring_the_written_hypotheses_gives_the_written_scores(evaluated):
    folder, scores = evaluated
    again = score_hypotheses(
        read_hypotheses(folder),
        tasks=TASKS,
        settings=SETTINGS,
        seed=3,
        split="test",
        synthetic=True,
    )
    assert {**again, "left_out": {}} == scores


def test_scores_name_the_split_and_say_that_the_speech_is_synthetic(evaluated):
    _, scores = evaluated
    assert (scores["split"], scores["synthetic"]) == ("test", True)
    assert {row["task"] for row in scores["scores"]} == set(TASKS)


def test_evaluating_again_replaces_the_files(backbone, manifest, audio_states, evaluated, tmp_path):
    evaluation = Evaluation(SETTINGS, audio_states)
    for rows in ([0, 1], [2]):
        evaluate_rows(backbone, manifest, np.array(rows), tmp_path, evaluation)
    assert read_hypotheses(tmp_path)["id"] == ["utterance-2"]
    assert len(list(tmp_path.iterdir())) == 2


def test_progress_reaches_the_last_row(backbone, manifest, audio_states, tmp_path):
    calls = []
    evaluate_rows(
        backbone,
        manifest,
        np.array([0, 5]),
        tmp_path,
        Evaluation(SETTINGS, audio_states),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls[-1] == (2, 2)


def test_no_row_to_score_is_an_error_and_writes_nothing(backbone, manifest, audio_states, tmp_path):
    with pytest.raises(RunError, match="no utterance to score") as caught:
        evaluate_rows(
            backbone,
            manifest,
            manifest.select(split="dev"),
            tmp_path / "eval",
            Evaluation(SETTINGS, audio_states),
        )
    assert caught.value.where == str(manifest.path)
    assert not (tmp_path / "eval").exists()


def test_a_run_that_was_not_evaluated_has_no_hypotheses(tmp_path):
    with pytest.raises(RunError, match="there are no hypotheses") as caught:
        read_hypotheses(tmp_path)
    assert "maqam eval" in caught.value.hint


def cut_short(whole):
    return whole[: len(whole) // 2]


def emptied(_):
    return b""


def replaced(_):
    return b"id,task\n" * 50


def scrambled(whole):
    middle = len(whole) // 4
    return whole[:4] + bytes(255 - byte for byte in whole[4:middle]) + whole[middle:]


@pytest.mark.parametrize("damage", [cut_short, emptied, replaced, scrambled])
def test_damaged_hypotheses_give_one_error_that_names_the_file(evaluated, tmp_path, damage):
    file = tmp_path / "hypotheses.parquet"
    file.write_bytes(damage((evaluated[0] / "hypotheses.parquet").read_bytes()))
    with pytest.raises(MaqamError, match="not readable as hypotheses") as caught:
        read_hypotheses(tmp_path)
    assert caught.value.where == str(file)
    assert "\n" not in str(caught.value)
    assert "maqam eval" in caught.value.hint


def test_hypotheses_without_a_column_are_refused(evaluated, tmp_path):
    table = pq.read_table(evaluated[0] / "hypotheses.parquet").drop_columns(["speaker", "task"])
    pq.write_table(table, tmp_path / "hypotheses.parquet")
    with pytest.raises(RunError, match="columns are missing: speaker, task"):
        read_hypotheses(tmp_path)
