"""Spikes that were planted, and series that have none."""

import numpy as np
import pytest

from maqam.diagnose.volatility import noise_scales, spikes, volatility


def steady(length=300, seed=0, noise=0.15):
    """Return a falling series with the noise of gradient norms."""
    rng = np.random.default_rng(seed)
    return np.exp(-0.002 * np.arange(length) + noise * rng.normal(size=length))


def records(norms, losses=None):
    losses = losses or {"asr": np.ones(len(norms))}
    return [
        {
            "step": number + 1,
            "grad_norm": float(norm),
            "loss_by_task": {
                task: float(one[number]) for task, one in losses.items() if np.isfinite(one[number])
            },
        }
        for number, norm in enumerate(norms)
    ]


@pytest.mark.parametrize("size", [4.0, 10.0])
@pytest.mark.parametrize("length", [1, 6])
def test_a_planted_spike_is_measured(size, length):
    values = steady()
    values[200 : 200 + length] = size * np.median(values[180:200])
    (found,) = spikes(range(1, 301), values)
    assert (found.onset, found.duration, found.recovery) == (201, length, length)
    assert found.size == pytest.approx(size, rel=0.15)


def test_noise_alone_and_a_steady_fall_are_no_spikes():
    found = [spikes(range(300), steady(seed=seed)) for seed in range(30)]
    assert sum(map(len, found)) <= 3  # in 9,000 steps


def test_many_spikes_do_not_hide_each_other():
    values = steady()
    places = range(50, 300, 30)
    for place in places:
        values[place] *= 8
    assert [one.onset for one in spikes(range(300), values)] == list(places)


def test_what_does_not_come_back_is_one_spike_and_then_usual():
    values = steady()
    values[150:] *= 6
    (found,) = spikes(range(300), values)
    assert (found.onset, found.recovery) == (150, None)


def test_steps_that_were_not_finite_are_passed_over():
    values = steady()
    values[[10, 20]] = np.nan, np.inf
    values[30] = 0.0
    assert spikes(range(300), values) == []
    assert spikes([], []) == []


def test_a_spike_is_placed_after_the_switch_that_it_follows():
    norms = steady()
    norms[152:156] *= 7
    norms[250] *= 9
    found = volatility(records(norms), [150])
    assert [(one["onset"], one["after_switch"]) for one in found["spikes"]] == [
        (153, 3),
        (251, None),
    ]
    (switch,) = found["switches"]
    assert switch["highest_after"] > 4 * switch["before"]


def test_losses_are_looked_at_task_by_task_though_a_task_is_in_some_steps_only():
    did = np.full(300, np.nan)
    did[::3] = steady(100)
    did[150] = 8.0
    found = volatility(records(steady(), {"asr": steady(seed=1), "did": did}), [])
    assert [(one["series"], one["onset"]) for one in found["spikes"]] == [("loss of did", 151)]
    assert set(found["series"]) == {"gradient norm", "loss of asr", "loss of did"}


def test_a_rougher_series_has_the_higher_roughness_and_short_records_have_none():
    calm, rough = (
        volatility(records(steady(noise=noise)), [])["series"]["gradient norm"]["roughness"]
        for noise in (0.05, 0.3)
    )
    assert 1 < calm < rough
    assert volatility(records([1.0]), [])["series"]["gradient norm"]["roughness"] is None
    assert volatility([], [4])["switches"][0]["before"] is None


def test_a_task_whose_gradient_is_noise_has_no_noise_scale():
    table = {"names": ["asr", "did"], "norms": [2.0, None], "noise": [8.0, 3.0]}
    (found,) = noise_scales([{"step": 1, "metrics": {"euclidean": {"groups": {"task": table}}}}])
    assert found["noise_scale"] == {"asr": 2.0, "did": None}


def test_a_step_that_was_taken_twice_counts_as_it_was_taken_last():
    once = records([1.0 + step % 3 for step in range(40)])
    twice = [*once[:30], {**once[28], "grad_norm": 500.0}, *once[28:]]
    assert volatility(twice, [20]) == volatility(once, [20])
