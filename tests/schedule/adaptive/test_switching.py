"""When little is left to gain, whatever the noise."""

import numpy as np
import pytest

from maqam.schedule.adaptive.switching import gain_to_go, is_time

TOTAL = 10_000


def first_time(curve, noise: float, seed: int) -> int:
    """Return the step at which a loss, measured every 100 steps, is found to be through."""
    rng = np.random.default_rng(seed)
    steps = list(range(100, TOTAL, 100))
    losses = [float(curve(step) + rng.normal(0, noise)) for step in steps]
    for count in range(1, len(steps) + 1):
        if steps[count - 1] >= 1500 and is_time(steps[:count], losses[:count], TOTAL, 0.1)[0]:
            return steps[count - 1]
    return TOTAL


def test_a_line_over_the_logarithm_of_time_is_continued_exactly() -> None:
    steps = np.arange(100, 2100, 100)
    fit = gain_to_go(steps.tolist(), (5 - 0.3 * np.log(steps)).tolist(), TOTAL)
    assert fit.to_go == pytest.approx(0.3 * np.log(TOTAL / 2000), rel=1e-6)
    assert fit.gained == pytest.approx(0.3 * np.log(20), rel=1e-6)


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_a_plateau_is_found_soon_after_it_begins(noise: float) -> None:
    def plateau(step: float) -> float:
        return 1.0 + 3.0 * max(1 - step / 2000, 0.0)

    found = np.median([first_time(plateau, noise, seed) for seed in range(15)])
    assert 2000 <= found <= 4000


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_a_loss_that_still_falls_is_not_taken_for_a_plateau(noise: float) -> None:
    def falling(step: float) -> float:
        return 1.0 + 3.0 * (step / 100) ** -0.2

    found = np.median([first_time(falling, noise, seed) for seed in range(15)])
    assert found > 4500


def test_a_loss_measured_only_a_few_times_says_nothing() -> None:
    assert is_time([100, 200, 300], [3.0, 1.0, 1.0], TOTAL, 0.1) == (False, None)


def test_a_loss_that_rises_has_nothing_to_gain_and_has_gained_nothing() -> None:
    steps = list(range(100, 1100, 100))
    assert is_time(steps, [1 + 0.1 * one for one in range(10)], TOTAL, 0.1)[0] is False
