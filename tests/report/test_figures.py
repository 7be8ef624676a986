import numpy as np

from maqam.report.figures import gradient_figure, loss_figure, plan_figures, weight_figure
from maqam.report.records import read_any, read_study
from maqam.tasks import default_tasks
from tests.report.factories import METHODS, method_plan, write_run, write_study


def test_a_plan_is_drawn_by_task_label_and_cluster():
    figures = plan_figures({"tpc": method_plan(METHODS["tpc"], steps=30)}, default_tasks())
    assert [figure.title for figure in figures] == ["Tasks", "Labels", "Clusters"]


def test_the_table_of_a_plan_gives_the_shares_of_each_stage():
    table = plan_figures({"tpc": method_plan(METHODS["tpc"], steps=30)}, default_tasks())[0].tables[
        0
    ]
    first, last = table.rows[0], table.rows[-1]
    assert [cell.text for cell in first] == ["1–3", "100.0 %", "–", "–", "–", "–"]
    assert [cell.text for cell in last[1:]] == ["–", "–", "–", "50.0 %", "50.0 %"]


def test_clusters_are_grouped_by_how_often_the_first_plan_deals_them():
    plans = {name: method_plan(METHODS[name], steps=60) for name in ("uniform", "ads")}
    figure = plan_figures(plans, default_tasks())[2]
    assert [ink.name for ink in figure.legend][::7] == ["clusters 1–3", "clusters 22–24"]
    first = [float(cell.text.rstrip(" %")) for cell in figure.tables[0].rows[0][1:]]
    assert first[0] > 3 * first[-1]


def test_clusters_per_batch_are_said():
    figure = plan_figures({"ads": method_plan(METHODS["ads"], steps=30)}, default_tasks())[2]
    assert figure.panels[0].note.endswith("of 24 clusters in a batch")


def test_every_task_has_a_loss_panel_and_a_switch_is_marked(tmp_path):
    figure = loss_figure(read_study(write_study(tmp_path, steps=40)))
    assert [panel.title for panel in figure.panels] == ["asr", "did", "ser", "ssum", "tsum"]
    assert all(panel.svg.count('class="switch"') == 1 for panel in figure.panels)


def test_the_loss_of_a_task_not_yet_dealt_is_a_dash(tmp_path):
    figure = loss_figure(read_any([write_run(tmp_path / "tpc-seed0", "tpc", steps=30)]))
    assert figure.tables[1].rows[0][1].text == "–"


def test_gradients_of_all_methods_share_one_axis(tmp_path):
    figure = gradient_figure(read_study(write_study(tmp_path, steps=40)))
    axes = [
        [part.split("<")[0] for part in panel.svg.split('class="tick"')] for panel in figure.panels
    ]
    assert len(axes) == 4
    assert all(len(axis) == len(axes[0]) for axis in axes)


def test_shares_of_target_tokens_differ_from_shares_of_utterances(tmp_path):
    figure = weight_figure(read_any([write_run(tmp_path / "ads-seed0", "ads", steps=30)]))
    utterances, tokens = figure.tables[0].rows
    assert utterances[3].text == "20.0 %"
    assert float(tokens[3].text.rstrip(" %")) < 3


def test_a_run_without_a_step_has_no_curves(tmp_path):
    study = read_any([write_run(tmp_path / "ads-seed0", "ads", steps=30, steps_taken=0)])
    assert [figure(study) for figure in (loss_figure, gradient_figure, weight_figure)] == [None] * 3


def test_a_loss_that_is_not_finite_does_not_break_the_axis(tmp_path):
    study = read_any([write_run(tmp_path / "ads-seed0", "ads", steps=30)])
    study.runs[0].steps.grad_norm[3] = np.inf
    assert "nan" not in gradient_figure(study).panels[0].svg
