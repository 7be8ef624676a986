"""Rules on cases that were planted, and on runs that have nothing of the kind."""

import numpy as np
import pytest

from maqam.diagnose.episodes import episodes
from maqam.diagnose.signatures import memorised_labels, signatures
from maqam.diagnose.volatility import volatility

from .test_volatility import records, steady


def diagnosis(norms=None, switches=(), measures=(), **more):
    """Return what is found of made-up records and measures."""
    return {
        "volatility": volatility(records(steady() if norms is None else norms), list(switches)),
        "episodes": episodes(measures),
        "losses": [{"step": one["step"], "losses": one["losses"]} for one in measures],
        **more,
    }


def measure(step, cosine=0.4, losses=None):
    table = {
        "names": ["asr", "ser"],
        "cosines": [[1.0, cosine]] * 2,
        "lows": [[1.0, cosine - 0.1]] * 2,
        "highs": [[1.0, cosine + 0.1]] * 2,
    }
    metrics = {"euclidean": {"groups": {"task": table}}}
    return {"step": step, "metrics": metrics, "losses": {"task": losses or {}}}


def rules(found, text_tasks=("asr", "ssum")):
    return [(one["rule"], one["subject"]) for one in signatures(found, text_tasks)]


def test_a_calm_run_has_no_signature():
    calm = [measure(step, 0.4, {"asr": 2.0 - step / 400, "ssum": 1.0}) for step in (0, 100, 200)]
    assert rules(diagnosis(switches=[150], measures=calm)) == []


def test_a_spike_after_a_switch_that_does_not_come_back_is_told_from_one_that_does():
    back, stays, apart = steady(), steady(), steady()
    back[152:155] *= 8
    stays[152:] *= 8
    apart[60:] *= 8
    assert rules(diagnosis(back, [150])) == []
    assert rules(diagnosis(stays, [150])) == [("unrecovered switch spike", "gradient norm")]
    assert rules(diagnosis(apart, [150])) == []
    (one,) = signatures(diagnosis(stays, [150]), ())
    assert "at step 153, 3 steps after a switch" in one["sentence"]


def test_a_conflict_that_lasts_is_named_with_its_onset_and_a_short_one_is_not():
    lasting = [measure(step, -0.5 if step >= 100 else 0.3) for step in range(0, 300, 50)]
    (one,) = signatures(diagnosis(measures=lasting), ())
    assert one["rule"] == "lasting conflict"
    assert "asr and ser conflict from step 100 for 150 steps" in one["sentence"]
    for at, every in ((100, 50), (100, 100)):  # the second is long, of a single measure
        short = [measure(step, -0.5 if step == at else 0.3) for step in range(0, 300, every)]
        assert rules(diagnosis(measures=short)) == []


def test_negative_transfer_says_how_much_and_since_when_the_task_conflicts():
    row = {"task": "ser", "loss": 0.14, "loss_low": 0.09, "loss_high": 0.18}
    lost = {**row, "verdict": "negative transfer"}
    conflict = [measure(step, -0.5 if step >= 200 else 0.3) for step in range(0, 300, 50)]
    found = signatures(diagnosis(measures=conflict, transfer=[lost]), ())
    (one,) = [sign for sign in found if sign["rule"] == "negative transfer"]
    assert one["sentence"] == (
        "ser is 14 points [9, 18] below training it alone; it conflicts with another task from "
        "step 200"
    )
    other = {**row, "verdict": "no difference shown"}
    assert rules(diagnosis(transfer=[other])) == []


def test_forgetting_is_told_where_the_comparison_shows_it():
    row = {"task": "asr", "loss": 0.2, "loss_low": 0.1, "loss_high": 0.3, "verdict": "forgotten"}
    (one,) = signatures(diagnosis(forgetting=[row, {**row, "verdict": "learned"}]), ())
    assert one["rule"] == "forgetting"
    assert "20 points [10, 30] below the model that the run began with" in one["sentence"]


@pytest.mark.parametrize(
    ("losses", "decays"),
    [((2.0, 1.0, 1.3), True), ((2.0, 1.0, 1.05), False), ((2.0, 1.5, 1.0), False)],
)
def test_a_text_task_decays_where_its_loss_on_fixed_rows_rises_again(losses, decays):
    lines = [measure(100 * at, 0.4, {"ssum": loss, "did": loss}) for at, loss in enumerate(losses)]
    expected = [("generative decay", "ssum")] if decays else []
    assert rules(diagnosis(measures=lines)) == expected  # did is answered with a label


def test_a_rare_label_that_is_known_on_training_rows_alone_is_memorised():
    trained = {"did: msa": 0.3, "did: gulf": 0.3, "did: maghrebi": 0.05, "ser: sad": 0.2}
    held_out = {"did: msa": 0.5, "did: gulf": 0.6, "did: maghrebi": 2.4, "ser: sad": 3.0}
    shares = {"did: msa": 0.6, "did: gulf": 0.35, "did: maghrebi": 0.05, "ser: sad": 1.0}
    found = memorised_labels(trained, held_out, shares)
    assert [one["label"] for one in found] == ["did: maghrebi"]
    (one,) = signatures(diagnosis(memorised=found), ())
    assert "5 % of its task's training rows" in one["sentence"]
    common = {**shares, "did: maghrebi": 0.4}
    assert memorised_labels(trained, held_out, common) == []
    everywhere = {name: loss + 2.0 for name, loss in trained.items()}
    assert memorised_labels(trained, everywhere, shares) == []  # all of them over-fit


def test_a_run_without_measures_has_those_of_its_record_alone():
    assert rules(diagnosis(np.full(300, 1.0))) == []
