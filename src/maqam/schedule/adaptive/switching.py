"""When to hand over to another schedule: when little is left to gain from this one.

Patience and the significance of a slope mostly detect noise: they fire the earlier the noisier a
loss is, whatever its curve. The gain still to come until the end of the budget, from a line
through the loss over the logarithm of time, does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_FEWEST = 4


@dataclass(frozen=True, slots=True)
class GainToGo:
    """What a loss is expected to gain until the end of the budget.

    Attributes:
        gained: Drop of the loss so far.
        to_go: Drop still expected by the fitted line and its standard error.
    """

    gained: float
    to_go: float


def gain_to_go(steps: Sequence[int], losses: Sequence[float], total_steps: int) -> GainToGo:
    """Fit a line through the newer half of a loss, over the logarithm of time.

    Ordinary least squares of the losses at steps past half of the last one; with slope b <= 0 and
    its standard error se, (-b + se) ln(total / last) is expected still.

    Args:
        steps: Steps at which the loss was measured, ascending, from 1.
        losses: Losses, as many.
        total_steps: Steps of the budget.

    Examples:
        >>> steps = [100, 200, 300, 400, 500, 600, 700, 800]
        >>> fit = gain_to_go(steps, [2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 1000)
        >>> round(fit.gained, 6), round(fit.to_go, 6)
        (1.0, 0.0)
    """
    times, values = np.log(np.asarray(steps, dtype=np.float64)), np.asarray(losses, dtype=float)
    newer = np.asarray(steps) > steps[-1] / 2
    x, y = times[newer] - times[newer].mean(), values[newer]
    spread = float(x @ x)
    slope = float(x @ y) / spread
    left = y - y.mean() - slope * x
    error = float(np.sqrt(left @ left / max(len(y) - 2, 1) / spread))
    expected = (max(-slope, 0.0) + error) * float(np.log(total_steps / steps[-1]))
    fitted = float(y.mean() + slope * x[-1])
    return GainToGo(gained=max(float(values[0]) - fitted, 0.0), to_go=expected)


def is_time(
    steps: Sequence[int], losses: Sequence[float], total_steps: int, threshold: float
) -> tuple[bool, GainToGo | None]:
    """Tell whether what is left to gain has become small beside what was gained.

    Args:
        steps: Steps at which the loss was measured, ascending.
        losses: Losses, as many.
        total_steps: Steps of the budget.
        threshold: Largest part of the gain so far that may be left, such as 0.1.

    Returns:
        Whether it is time, and the fit; none before four losses past half of the last step.
    """
    if sum(step > steps[-1] / 2 for step in steps) < _FEWEST:
        return False, None
    fit = gain_to_go(steps, losses, total_steps)
    return fit.to_go < threshold * fit.gained, fit
