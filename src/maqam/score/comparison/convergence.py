"""How soon a method learns: steps until most of a loss's fall is done."""

import numpy as np

WINDOW = 0.05  # share of the steps that one point of a smoothed loss looks back on


def smoothed(losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean loss of the last few steps that had one, `WINDOW` of them all.

    Args:
        losses: (num_steps,) loss of each step, NaN where it has none.

    Returns:
        Index of the last step behind each mean, and the means.

    Examples:
        >>> smoothed(np.array([3.0, np.nan, 2.0]))
        (array([0, 2]), array([3., 2.]))
    """
    known = np.flatnonzero(np.isfinite(losses))
    width = max(1, round(WINDOW * len(known)))
    if not len(known):
        return known, np.empty(0)
    sums = np.concatenate([[0.0], np.cumsum(losses[known])])
    return known[width - 1 :], (sums[width:] - sums[:-width]) / width


def final_loss(losses: np.ndarray) -> float | None:
    """Return the smoothed loss at the end, None where there is none.

    Examples:
        >>> final_loss(np.array([3.0, 2.0, np.nan]))
        2.0
    """
    _, means = smoothed(losses)
    return float(means[-1]) if len(means) else None


def steps_to_share(losses: np.ndarray, share: float) -> int | None:
    """Return the first step at which a share of the fall from first to final loss is done.

    Args:
        losses: (num_steps,) loss of each step, NaN where it has none.
        share: In (0, 1].

    Returns:
        Steps taken by then; None where the loss does not fall.

    Examples:
        >>> steps_to_share(np.array([5.0, 3.0, 2.0, 1.5, 1.0]), 0.75)
        3
    """
    _, means = smoothed(losses)
    if not len(means) or means[-1] >= means[0]:
        return None
    return steps_to_loss(losses, float(means[0] - share * (means[0] - means[-1])))


def steps_to_loss(losses: np.ndarray, target: float) -> int | None:
    """Return the first step at which the smoothed loss is as low as a target.

    Args:
        losses: (num_steps,) loss of each step, NaN where it has none.
        target: Such as the final loss of another method.

    Returns:
        Steps taken by then; None where it never is.

    Examples:
        >>> steps_to_loss(np.array([5.0, 3.0, 2.0]), 3.5), steps_to_loss(np.array([5.0]), 1.0)
        (2, None)
    """
    steps, means = smoothed(losses)
    reached = np.flatnonzero(means <= target + 1e-12 * abs(target))
    return int(steps[reached[0]]) + 1 if len(reached) else None
