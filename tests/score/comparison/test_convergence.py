import numpy as np
import pytest

from maqam.score.comparison.convergence import (
    final_loss,
    smoothed,
    steps_to_loss,
    steps_to_share,
)


def test_an_exponential_fall_is_nine_tenths_done_where_it_should_be():
    losses = 1 + 4 * np.exp(-np.arange(1000) / 100)
    first = 50  # means of 5 % of the steps fall like the loss, from the first of them
    assert steps_to_share(losses, 0.9) == pytest.approx(first + 100 * np.log(10), abs=2)


def test_noise_moves_the_steps_little():
    clean = 1 + 4 * np.exp(-np.arange(2000) / 200)
    noisy = clean + np.random.default_rng(0).normal(0, 0.3, 2000)
    assert steps_to_share(noisy, 0.9) == pytest.approx(steps_to_share(clean, 0.9), rel=0.15)


def test_steps_without_the_task_do_not_count_but_are_steps():
    losses = np.full(400, np.nan)
    losses[200:] = np.linspace(5, 1, 200)
    reached = steps_to_share(losses, 0.5)
    assert 300 <= reached <= 310


def test_a_loss_that_rises_or_is_not_there_converges_nowhere():
    assert steps_to_share(np.linspace(1, 2, 50), 0.9) is None
    assert steps_to_share(np.full(50, np.nan), 0.9) is None
    assert final_loss(np.full(50, np.nan)) is None


def test_a_faster_method_reaches_the_final_loss_of_a_slower_one_earlier():
    slow, fast = (1 + np.exp(-np.arange(500) / scale) for scale in (100, 50))
    assert steps_to_loss(fast, final_loss(slow)) < steps_to_loss(slow, final_loss(slow))
    assert steps_to_loss(slow, final_loss(fast)) is None


def test_smoothing_keeps_the_mean_of_each_window():
    losses = np.random.default_rng(0).normal(size=100)
    steps, means = smoothed(losses)
    assert (steps[0], steps[-1], len(means)) == (4, 99, 96)
    assert means[10] == pytest.approx(losses[10:15].mean())
