"""Each published reward on numbers small enough to compute by hand."""

import numpy as np
import pytest

from maqam.schedule.adaptive.protocol import Observation
from maqam.schedule.adaptive.rewards import METHODS, RewardInputs

NAMES = ("asr", "did")
PRIOR = np.array([0.75, 0.25])


def seen(step=100, losses=(2.0, 1.0), utterances=(30, 10), **more) -> Observation:
    given = {n: v for n, v in zip(NAMES, losses, strict=True) if v is not None}
    return Observation(
        step=step,
        losses=given,
        tokens=dict.fromkeys(NAMES, 100),
        utterances=dict(zip(NAMES, utterances, strict=True)),
        **more,
    )


def asked(method: str, *history: Observation, **more):
    return METHODS[method].update(RewardInputs(NAMES, history, PRIOR, **more))


def test_exp3_adds_up_losses_over_ten_times_the_share() -> None:
    update = asked("exp3", seen(), seen(losses=(1.0, 4.0), utterances=(20, 20)))
    assert update.reward == pytest.approx([2 / 7.5 + 1 / 5, 1 / 2.5 + 4 / 5])
    assert update.rate == pytest.approx(min(0.5, np.sqrt(np.log(2) / 4)))
    assert update.floor == pytest.approx(2 * min(0.5, np.sqrt(np.log(2) / 6)))
    assert update.prior == pytest.approx([0.5, 0.5])


def test_exp3_learns_nothing_of_a_task_that_was_not_dealt() -> None:
    update = asked("exp3", seen(losses=(2.0, None), utterances=(40, 0)))
    assert update.reward == pytest.approx([0.2, 0.0])


def test_doremi_is_the_excess_over_the_reference_clipped_at_nothing() -> None:
    update = asked("doremi", seen(losses=(2.0, 1.0)), reference={"asr": 1.5, "did": 1.4})
    assert update.reward == pytest.approx([0.5, 0.0])
    assert (update.rate, update.pull, update.floor) == (1.0, 0.0, 1e-3)


def test_a_task_absent_from_a_window_keeps_its_last_loss() -> None:
    history = seen(losses=(2.0, 1.8)), seen(losses=(1.9, None))
    assert asked("doremi", *history, reference={"asr": 0, "did": 0}).reward == pytest.approx(
        [1.9, 1.8]
    )


def test_skill_it_spreads_the_probe_losses_of_three_decisions_over_the_graph() -> None:
    history = [seen(probe_losses={"asr": loss, "did": 1.0}) for loss in (9.0, 3.0, 2.0, 1.0)]
    graph = {"asr": {"did": 0.5}}
    update = asked("skill_it", *history, graph=graph)
    assert update.reward == pytest.approx([6.0 + 0.5 * 3.0, 3.0])
    assert (update.rate, update.pull) == (0.2, 1.0)


def test_progress_is_the_size_of_the_slope_over_the_first_loss() -> None:
    history = [seen(probe_losses={"asr": 4.0 - t, "did": 2.0 + 0.25 * t}) for t in range(3)]
    assert asked("progress", *history).reward == pytest.approx([1.0, 0.5])  # 1/4 and 0.25/2


def test_doge_is_the_product_with_the_mean_gradient_over_the_mean_norm() -> None:
    products = {"asr": {"asr": 4.0, "did": 1.0}, "did": {"asr": 1.0, "did": 1.0}}
    update = asked("doge", seen(gradient_products=products))
    assert update.reward == pytest.approx([2.5 / 1.5, 1.0 / 1.5])


def test_doge_takes_no_gradient_that_hurts_below_nothing() -> None:
    products = {"asr": {"asr": 1.0, "did": -3.0}, "did": {"asr": -3.0, "did": 16.0}}
    assert asked("doge", seen(gradient_products=products)).reward[0] == 0.0


def test_alignment_is_the_cosine_with_the_sum_of_gradients() -> None:
    one, other = np.array([2.0, 0.0]), np.array([0.0, 1.0])
    products = {"asr": {"asr": 4.0, "did": 0.0}, "did": {"asr": 0.0, "did": 1.0}}
    total = one + other
    wanted = [one @ total / 2 / np.linalg.norm(total), other @ total / np.linalg.norm(total)]
    assert asked("alignment", seen(gradient_products=products)).reward == pytest.approx(wanted)


def test_ado_prefers_the_loss_that_still_falls_along_its_law() -> None:
    counts = np.arange(1, 40)
    history = [
        seen(losses=(1.0 + 3.0 * (40 * n) ** -0.5, 0.5 + 0.001 / n), utterances=(40, 40))
        for n in counts
    ]
    update = asked("ado", *history)
    assert update.reward[0] > update.reward[1] + 1
    falling = 0.5 * 3.0 * (40 * 39) ** -0.5 / (40 * 39)
    assert np.exp(update.reward[0]) == pytest.approx(np.sqrt(0.5) * falling, rel=0.3)
    assert (update.inertia, update.floor) == (0.9, 0.02)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_reward_is_finite_after_one_decision(method: str) -> None:
    products = {a: dict.fromkeys(NAMES, 1.0) for a in NAMES}
    only = seen(probe_losses={"asr": 1.0, "did": 2.0}, gradient_products=products)
    update = asked(method, only, reference={"asr": 1.0, "did": 1.0})
    assert np.isfinite(update.reward).all()
