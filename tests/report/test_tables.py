import json

import numpy as np

from maqam.report.provenance import (
    parameter_table,
    provenance_table,
    recipe_table,
    router_table,
    run_table,
)
from maqam.report.records import read_any, read_study
from maqam.report.results import make_board
from maqam.report.tables import (
    confusion_tables,
    failure_tables,
    group_tables,
    main_metrics,
    profile_table,
    score_table,
)
from tests.report.factories import comparison_rows, write_run, write_study


def of_one_run(tmp_path):
    study = read_any([write_run(tmp_path / "uniform-seed0", steps=5)])
    return study, make_board(study)


def test_the_head_of_a_score_holds_profile_count_and_direction(tmp_path):
    _, board = of_one_run(tmp_path)
    table = score_table(board, main_metrics(board))
    assert table.head[0][1].note == "leaderboard-v3 · 320 utt."
    assert [cell.text for cell in table.head[1][:4]] == [
        "method",
        "WER % ↓",
        "CER % ↓",
        "macro-F1 % ↑",
    ]


def test_every_score_shows_its_interval(tmp_path):
    _, board = of_one_run(tmp_path)
    cells = score_table(board, main_metrics(board)).rows[0][1:]
    assert all(cell.note.startswith("[") for cell in cells)


def test_other_normalisations_stand_beside_the_main_one(tmp_path):
    table = profile_table(*of_one_run(tmp_path))
    assert [(cell.text, cell.note) for cell in table.head[0][1:3]] == [
        ("WER %", "leaderboard-v2"),
        ("WER %", "none"),
    ]
    assert [cell.text for cell in table.rows[0][1:3]] == ["33.0", "41.0"]


def test_every_dialect_has_a_row_with_its_count(tmp_path):
    _, board = of_one_run(tmp_path)
    rows = group_tables(board)[0].rows
    assert [row[0].text for row in rows] == ["egyptian", "gulf", "levantine", "maghrebi", "msa"]
    assert {row[0].note for row in rows} == {"60 utt."}


def test_each_kind_of_group_has_a_table_and_bins_stand_in_their_order(tmp_path):
    folder = write_study(tmp_path, seeds=(0,), steps=5)
    for file in folder.glob("runs/*/eval/*/scores.json"):
        scores = json.loads(file.read_text())
        wer = next(row for row in scores["scores"] if row["metric"] == "wer")
        names = ("10 to 20", "under 2", "20 or more", "2 to 5")
        scores["scores"] += [{**wer, "group": f"seconds={name}"} for name in names]
        file.write_text(json.dumps(scores))
    tables = group_tables(make_board(read_study(folder)))
    found = {table.head[0][0].text: table for table in tables if "WER" in table.caption}
    assert list(found) == ["dialect", "length, s"]
    rows = found["length, s"].rows
    assert [row[0].text for row in rows] == ["under 2", "2 to 5", "10 to 20", "20 or more"]


def test_the_mean_over_sources_stands_below_them_beside_the_pooled_figure(tmp_path):
    folder = write_study(tmp_path, seeds=(0,), steps=5)
    for file in folder.glob("runs/*/eval/*/scores.json"):
        scores = json.loads(file.read_text())
        wer = next(row for row in scores["scores"] if row["metric"] == "wer")
        names = ("mean over sources", "source=radio", "source=phone")
        scores["scores"] += [{**wer, "group": name} for name in names]
        file.write_text(json.dumps(scores))
    tables = group_tables(make_board(read_study(folder)))
    found = {table.head[0][0].text: table for table in tables if "WER" in table.caption}
    assert list(found) == ["dialect", "source"]
    rows = [row[0].text for row in found["source"].rows]
    assert rows == ["phone", "radio", "mean over sources", "all"]


def test_a_length_ratio_is_never_better_or_worse(tmp_path):
    folder = write_study(tmp_path, seeds=(0, 1), steps=5)
    rows = comparison_rows(2)
    longer = {**rows[1], "metric": "length_ratio", "verdict": "better", "mean": 1.2}
    (folder / "comparison.json").write_text(
        json.dumps({"format_version": 1, "baseline": "uniform", "rows": [*rows, longer]})
    )
    board = make_board(read_study(folder))
    table = failure_tables(board)[-1]
    assert table.caption == "length ratio (1 is right)"
    assert {cell.mark for row in table.rows for cell in row} <= {"", "missing"}


def test_confusions_of_all_seeds_add_up(tmp_path):
    folders = [write_run(tmp_path / f"ads-seed{k}", "ads", seed=k, steps=5) for k in (0, 1)]
    study = read_any(folders)
    parts = [run.evaluations["test"].confusions["did"].counts for run in study.runs]
    table = confusion_tables(study, make_board(study))["did"][0]
    shown = [[int(cell.text) for cell in row[1:-3]] for row in table.rows]
    np.testing.assert_array_equal(shown, parts[0] + parts[1])
    counts = np.array(shown)
    for index, row in enumerate(table.rows):
        right, named, true = counts[index, index], counts[:, index].sum(), counts[index].sum()
        expected = (right / named, right / true, 2 * right / (named + true))
        assert [cell.text for cell in row[-3:]] == [f"{100 * value:.1f}" for value in expected]


def test_recipes_that_differ_in_their_schedule_alone_show_nothing_more(tmp_path):
    assert recipe_table(read_study(write_study(tmp_path, steps=5))) is None


def test_another_setting_that_differs_is_shown(tmp_path):
    folder = write_study(tmp_path, steps=5)
    path = folder / "runs" / "ads-seed0" / "recipe.yaml"
    path.write_text(path.read_text().replace("learning_rate: 1e-4", "learning_rate: null"))
    table = recipe_table(read_study(folder))
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["train.learning_rate", "0.0001", "0.0001", "null", "0.0001"]
    ]


def test_a_run_that_never_began_is_in_the_table_of_runs(tmp_path):
    folder = write_study(tmp_path, seeds=(0, 1), steps=5)
    (folder / "runs" / "ads-seed1").rename(folder / "elsewhere")
    last = run_table(read_study(folder)).rows[-1]
    assert [cell.text for cell in last[:2]] == ["ads-seed1", "not started"]


def test_a_fingerprint_that_differs_between_runs_is_said(tmp_path):
    folders = [write_run(tmp_path / f"ads-seed{k}", "ads", seed=k, steps=5) for k in (0, 1)]
    path = folders[1] / "run.json"
    record = json.loads(path.read_text())
    record["fingerprints"]["manifest"] = "other"
    path.write_text(json.dumps(record))
    rows = {row[0].text: row[1] for row in provenance_table(read_any(folders)).rows}
    assert rows["manifest"].text.startswith("2 different: ")
    assert rows["weights"].mark == ""


def test_parameters_and_routers_stand_by_method_where_they_differ(tmp_path):
    write_study(tmp_path)
    assert len(parameter_table(read_study(tmp_path)).rows) == 3
    assert router_table(read_study(tmp_path)) is None
    run = next(iter(sorted((tmp_path / "runs").iterdir())))
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    record["trainable"][2]["trainable"] = 7
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    lines = (run / "train.jsonl").read_text(encoding="utf-8").splitlines()
    told = {"balance_loss": 1.25, "router_entropy_by_task": {"asr": 0.5}}
    steps = [json.dumps({**json.loads(line), **told}) for line in lines]
    (run / "train.jsonl").write_text("\n".join(steps) + "\n", encoding="utf-8")
    study = read_study(tmp_path)
    assert len(parameter_table(study).rows) == 3 * len(study.methods)
    cells = [[cell.text for cell in cells] for cells in router_table(study).rows]
    assert [one[1:] for one in cells] == [["balancing loss", "1.250"], ["entropy, asr", "0.500"]]
