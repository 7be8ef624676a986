"""The update behind adaptive mixing: mirror descent on the simplex, with a prior and a floor."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Update:
    """What a method asks of the update.

    Attributes:
        reward: (num_groups,) larger for groups that should get more.
        rate: Factor on the reward (eta).
        pull: Part that the prior has in the point moved from, in [0, 1] (kappa): 0 goes on from
            the last shares, 1 begins at the prior every time.
        floor: Part that is spread evenly over all groups, in [0, 1] (gamma).
        prior: (num_groups,) shares to be pulled to, summing to 1.
        inertia: Part of the running mean of all shares so far in the result, in [0, 1).
    """

    reward: np.ndarray
    rate: float
    pull: float
    floor: float
    prior: np.ndarray
    inertia: float = 0.0


def mirror(shares: np.ndarray, update: Update) -> np.ndarray:
    """Move shares towards what is rewarded.

    p' = (1 - floor) normalise(p^(1 - pull) prior^pull exp(rate reward)) + floor / K

    With pull 0 it is DoReMi's update (exponentiated gradient), with pull 1, a uniform prior and
    rewards summed up it is that of EXP3. Computed in logarithms, so rewards may be large; a group
    whose prior is 0 stays at the floor.

    Args:
        shares: (num_groups,) last shares, summing to 1.
        update: Reward, prior and constants.

    Returns:
        (num_groups,) float64 shares that sum to 1.

    Examples:
        >>> halves = np.array([0.5, 0.5])
        >>> mirror(halves, Update(np.log([3.0, 1.0]), 1.0, 0.0, 0.0, halves)).tolist()
        [0.75, 0.25]
    """
    with np.errstate(divide="ignore"):
        last, first = np.log(shares), np.log(update.prior)
    logits = update.rate * np.asarray(update.reward, dtype=np.float64)
    if update.pull < 1:
        logits = logits + (1 - update.pull) * last
    if update.pull > 0:
        logits = logits + update.pull * first
    weights = np.exp(logits - logits.max())
    moved: np.ndarray = (1 - update.floor) * weights / weights.sum() + update.floor / len(weights)
    return moved
