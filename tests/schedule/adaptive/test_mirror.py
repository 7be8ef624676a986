"""The one update beside the published ones, each written out on its own."""

import numpy as np
import pytest

from maqam.schedule.adaptive.mirror import Update, mirror

SIZE = 5


@pytest.fixture(params=range(4))
def case(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(request.param)
    return rng.dirichlet(np.ones(SIZE)), rng.dirichlet(np.ones(SIZE)), rng.normal(0, 3, SIZE)


def test_shares_stay_on_the_simplex_and_above_the_floor(case) -> None:
    shares, prior, reward = case
    moved = mirror(shares, Update(reward, 2.0, 0.3, 0.1, prior))
    assert moved.sum() == pytest.approx(1.0)
    assert (moved >= 0.1 / SIZE - 1e-12).all()


def test_adding_a_constant_to_every_reward_changes_nothing(case) -> None:
    shares, prior, reward = case
    one = mirror(shares, Update(reward, 1.0, 0.2, 0.0, prior))
    other = mirror(shares, Update(reward + 1e3, 1.0, 0.2, 0.0, prior))
    assert one == pytest.approx(other)


def test_huge_rewards_do_not_overflow(case) -> None:
    shares, prior, reward = case
    moved = mirror(shares, Update(reward * 1e6, 1.0, 0.0, 0.01, prior))
    assert np.isfinite(moved).all()
    assert moved.argmax() == reward.argmax()


def test_without_a_rate_and_a_pull_nothing_moves(case) -> None:
    shares, prior, reward = case
    assert mirror(shares, Update(reward, 0.0, 0.0, 0.0, prior)) == pytest.approx(shares)
    assert mirror(shares, Update(reward, 0.0, 1.0, 0.0, prior)) == pytest.approx(prior)


def test_it_is_the_update_of_doremi(case) -> None:
    shares, prior, excess = case
    weights = shares * np.exp(1.0 * excess)
    wanted = (1 - 1e-3) * weights / weights.sum() + 1e-3 / SIZE
    assert mirror(shares, Update(excess, 1.0, 0.0, 1e-3, prior)) == pytest.approx(wanted)


def test_it_is_the_distribution_of_exp3(case) -> None:
    shares, _, cumulative = case
    rate, exploration = 0.07, 0.05
    weights = np.exp(rate * cumulative)
    wanted = (1 - SIZE * exploration) * weights / weights.sum() + exploration
    uniform = np.full(SIZE, 1 / SIZE)
    update = Update(cumulative, rate, 1.0, SIZE * exploration, uniform)
    assert mirror(shares, update) == pytest.approx(wanted)


def test_it_is_temperature_sampling_of_the_sizes() -> None:
    sizes = np.array([900.0, 90.0, 10.0])
    prior = sizes / sizes.sum()
    uniform = np.full(3, 1 / 3)
    wanted = sizes**0.3 / (sizes**0.3).sum()
    assert mirror(uniform, Update(np.log(prior), 0.3, 1.0, 0.0, uniform)) == pytest.approx(wanted)


def test_a_group_without_a_prior_stays_at_the_floor() -> None:
    prior = np.array([0.5, 0.5, 0.0])
    moved = mirror(prior, Update(np.array([0.0, 0.0, 50.0]), 1.0, 1.0, 0.3, prior))
    assert moved[2] == pytest.approx(0.1)
