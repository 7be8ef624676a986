"""Conflict between groups, on gradients whose truth is known."""

import numpy as np
import pytest

from maqam.diagnose.conflict import conflict_of, verdict_of


def drawn(cosine: float, *, noise: float, seed: int, size: int = 12, dim: int = 200):
    """Return rows of two groups whose true gradients of length 1 have a cosine."""
    rng = np.random.default_rng(seed)
    first = np.zeros(dim)
    first[0] = 1.0
    second = np.zeros(dim)
    second[:2] = cosine, np.sqrt(1 - cosine**2)
    signal = np.repeat([first, second], size, axis=0)
    rows = signal + noise * rng.normal(size=signal.shape)
    is_first = np.arange(2 * size) < size
    return rows @ rows.T, {"a": is_first, "b": ~is_first}


@pytest.mark.parametrize("cosine", [-0.8, 0.0, 0.9])
def test_the_cosine_is_that_of_the_signal_and_the_plain_one_shrinks_with_noise(cosine):
    found = [
        conflict_of(*drawn(cosine, noise=0.3, seed=seed), num_resamples=0) for seed in range(20)
    ]
    corrected = np.nanmean([one.cosines[0, 1] for one in found])
    plain = np.mean([one.plain[0, 1] for one in found])
    assert corrected == pytest.approx(cosine, abs=0.12)
    assert abs(plain) <= abs(cosine) * 0.5 + 0.05


def test_norm_and_noise_are_those_the_gradients_were_drawn_with():
    found = conflict_of(*drawn(0.0, noise=0.1, seed=1, size=200), num_resamples=0)
    assert found.norms == pytest.approx([1.0, 1.0], rel=0.05)
    assert found.noise == pytest.approx([2.0, 2.0], rel=0.05)  # 200 dimensions of 0.1 squared


def test_an_interval_holds_the_truth_nearly_always_and_groups_of_noise_are_not_judged():
    held = []
    for seed in range(60):
        gram, groups = drawn(-0.5, noise=0.15, seed=seed, size=16)
        found = conflict_of(gram, groups, num_resamples=120, seed=seed)
        held.append(found.lows[0, 1] <= -0.5 <= found.highs[0, 1])
    assert np.mean(held) >= 0.85
    gram, groups = drawn(-0.5, noise=30.0, seed=3)
    noisy = conflict_of(gram, groups)
    assert verdict_of(noisy.lows[0, 1], noisy.highs[0, 1]) == "not told from noise"


def test_a_row_that_two_groups_share_makes_no_agreement_of_its_noise():
    """Of a task and of a dialect: 8 of the rows are in both groups, their signals are apart."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        rows = rng.normal(size=(24, 400))
        rows[:8, 0] += 8.0
        rows[16:, 1] += 8.0
        groups = {"task": np.arange(24) < 16, "dialect": np.arange(24) >= 8}
        one = conflict_of(rows @ rows.T, groups, num_resamples=0)
        found.append((one.cosines[0, 1], one.plain[0, 1]))
    corrected, plain = np.nanmean(found, axis=0)
    assert corrected == pytest.approx(0.0, abs=0.1)
    assert plain > 0.2


def test_equal_inputs_give_equal_intervals_and_plain_values_have_no_nan():
    gram, groups = drawn(0.3, noise=0.2, seed=5)
    first, again = (conflict_of(gram, groups, seed=7).as_table() for _ in range(2))
    assert first == again
    text = str(conflict_of(*drawn(0.0, noise=50.0, seed=2)).as_table())
    assert "nan" not in text
