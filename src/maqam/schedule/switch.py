"""How a trainer eases the step from one schedule to another."""

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True)
class Switch:
    """What the optimiser does at a switch.

    When gradients grow by a switch, AdamW's second moment is stale for about 2 / (1 - beta2)
    steps and its steps are too long: up to 6.5 times at a beta2 of .999, 2.1 at .99, 1.1 at .95
    (largest value over k of (1 - beta1^k) / sqrt(1 - beta2^k), what a much larger gradient gives).

    Attributes:
        dip: Learning rate after the switch: "none" leaves it, "adam" takes away what the stale
            moment adds, "linear" climbs back over `dip_steps`.
        dip_steps: Steps of a linear dip.
        beta2: AdamW's beta2 from the switch on; None keeps it.
    """

    dip: str = "none"
    dip_steps: int = 100
    beta2: float | None = None

    def rate(self, steps_since: int, beta1: float, beta2: float) -> float:
        """Return the factor on the learning rate, in (0, 1].

        Args:
            steps_since: Steps since the switch, 0 for the first one after it.
            beta1: AdamW's beta1.
            beta2: AdamW's beta2 after the switch.

        Examples:
            >>> round(Switch("adam").rate(0, 0.9, 0.999), 3)
            0.316
            >>> Switch("linear", dip_steps=4).rate(1, 0.9, 0.999)
            0.5
        """
        taken = steps_since + 1
        if self.dip == "adam":
            return min(1.0, sqrt(1 - beta2**taken) / (1 - beta1**taken))
        if self.dip == "linear":
            return min(1.0, taken / self.dip_steps)
        return 1.0
