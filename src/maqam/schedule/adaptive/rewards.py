"""The rewards of published adaptive mixtures, each with its constants, for the one update.

Where a source measures a loss per token or a gradient per batch, the run has the mean over a window
of steps or over fixed probes; what differs for that is said with each. Everything is a function
of the observations so far, so a run that is resumed computes the same numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from maqam.schedule.adaptive.mirror import Update
from maqam.schedule.adaptive.protocol import Observation


@dataclass(frozen=True)
class RewardInputs:
    """What a reward is computed from.

    Attributes:
        names: Groups, sorted.
        history: All observations, the newest last; at least one.
        prior: (num_groups,) shares at the start.
        reference: Loss of a target token of each group under a reference model, for DoReMi.
        graph: How much training on the first group teaches the second, for Skill-it.
    """

    names: tuple[str, ...]
    history: Sequence[Observation]
    prior: np.ndarray
    reference: Mapping[str, float] = field(default_factory=dict)
    graph: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def losses(self) -> np.ndarray:
        """Mean training loss of each group, (num_windows, num_groups).

        A group that a window did not hold keeps its last loss; one never held has the mean of
        the others.
        """
        return _filled([one.losses for one in self.history], self.names)

    def probe_losses(self) -> np.ndarray:
        """Loss on the probes, (num_windows, num_groups)."""
        return _filled([one.probe_losses for one in self.history], self.names)

    def dealt(self) -> np.ndarray:
        """Utterances of each group, (num_windows, num_groups)."""
        return np.array([[one.utterances.get(n, 0) for n in self.names] for one in self.history])

    def gradient_products(self) -> np.ndarray:
        """Dot products of the newest gradients, (num_groups, num_groups)."""
        products = self.history[-1].gradient_products
        return np.array([[products[a][b] for b in self.names] for a in self.names])


def exp3(now: RewardInputs) -> Update:
    """Online data mixing: the bandit EXP3 whose reward is the training loss (arXiv 2312.02406).

    The loss of a window over ten times its share is added up (the authors' code); exploration
    is epsilon_t = min(1 / K, sqrt(ln K / (K t))), the rate that of the step before.
    """
    shares = now.dealt() / np.maximum(now.dealt().sum(axis=1, keepdims=True), 1)
    dealt = shares > 0
    estimates = np.where(dealt, now.losses() / (10 * np.where(dealt, shares, 1.0)), 0.0)
    size, taken = len(now.names), len(now.history)
    return Update(
        reward=estimates.sum(axis=0),
        rate=_exploration(size, taken),
        pull=1.0,
        floor=size * _exploration(size, taken + 1),
        prior=np.full(size, 1 / size),
    )


def doremi(now: RewardInputs) -> Update:
    """DoReMi: excess loss over a reference model, by exponentiated gradient (arXiv 2305.10429).

    Rate 1 and smoothing 1e-3 as published. The source clips each token's excess at 0, here the
    mean of a window is clipped.

    Raises:
        KeyError: If the reference lacks a group.
    """
    reference = np.array([now.reference[name] for name in now.names])
    return Update(
        np.maximum(now.losses()[-1] - reference, 0.0),
        rate=1.0,
        pull=0.0,
        floor=1e-3,
        prior=now.prior,
    )


def ado(now: RewardInputs) -> Update:
    """ADO: how fast a scaling law says each loss still falls (arXiv 2410.11820).

    A law loss = e + b n^-a over the utterances n dealt of each group gives the preference
    h^(1/2) a (loss - e) / n, h being the running share; shares are at least 0.01 and nine tenths
    their running mean. The law is fitted by least squares over a grid of e, a line in logarithms
    each, where the source uses L-BFGS on a Huber loss.
    """
    dealt = now.dealt()
    counts = np.maximum(np.cumsum(dealt, axis=0), 1).astype(np.float64)
    running = counts[-1] / counts[-1].sum()
    slopes = np.array(
        [_law_slope(n, loss) for n, loss in zip(counts.T, now.losses().T, strict=True)]
    )
    reward = np.log(np.sqrt(running) * slopes)
    return Update(
        reward, rate=1.0, pull=1.0, floor=0.01 * len(now.names), prior=now.prior, inertia=0.9
    )


def skill_it(now: RewardInputs) -> Update:
    """Skill-it: loss on the probes, spread over what teaches them (arXiv 2307.14430).

    The losses of the last three decisions are added up, multiplied by the graph (each group
    teaches itself alone where none is given) and start from the prior every time; rate 0.2.
    """
    window = now.probe_losses()[-3:].sum(axis=0)
    graph = np.eye(len(now.names))
    for row, teacher in enumerate(now.names):
        for column, pupil in enumerate(now.names):
            graph[row, column] = now.graph.get(teacher, {}).get(pupil, graph[row, column])
    return Update(graph @ window, rate=0.2, pull=1.0, floor=0.0, prior=now.prior)


def doge(now: RewardInputs) -> Update:
    """DoGE: how well a group's gradient serves the mean of all of them (arXiv 2310.15393).

    The product with the mean gradient over the mean norm, between 0 and 5, as in the source's
    step size; gradients are those on the probes.
    """
    products = now.gradient_products()
    norm = np.sqrt(np.maximum(np.diag(products), 0.0)).mean()
    gains = products.mean(axis=1) / max(norm, 1e-12)
    return Update(np.clip(gains, 0.0, 5.0), rate=1.0, pull=0.0, floor=0.0, prior=now.prior)


def progress(now: RewardInputs) -> Update:
    """Learning progress: where the loss on the probes moves most (arXiv 1704.03003, 1707.00183).

    The slope of the last ten losses over the first one, its size alone, so that forgetting
    attracts too; the fastest group has reward 1. It begins at the prior every time.
    """
    losses = now.probe_losses()
    window = (losses / np.maximum(losses[:1], 1e-12))[-10:]
    times = np.arange(len(window)) - (len(window) - 1) / 2
    slopes = np.abs(times @ window / max(float(times @ times), 1e-12))
    return Update(
        slopes / max(slopes.max(), 1e-12), rate=1.0, pull=1.0, floor=0.05, prior=now.prior
    )


def alignment(now: RewardInputs) -> Update:
    """Gradient alignment: cosine of a group's gradient with the sum of all (our constants).

    Groups whose gradients agree with the rest get more; pulled a little to the prior.
    """
    products = now.gradient_products()
    own = np.sqrt(np.maximum(np.diag(products), 1e-24))
    cosines = products.sum(axis=1) / (own * np.sqrt(max(float(products.sum()), 1e-24)))
    return Update(np.clip(cosines, -1.0, 1.0), rate=0.5, pull=0.05, floor=0.05, prior=now.prior)


@dataclass(frozen=True, slots=True)
class Method:
    """A reward by name.

    Attributes:
        update: Gives reward and constants.
        needs: What it must be told beside training losses: "probes", "gradients".
    """

    update: Callable[[RewardInputs], Update]
    needs: frozenset[str] = frozenset()


METHODS: Mapping[str, Method] = {
    "exp3": Method(exp3),
    "doremi": Method(doremi),
    "ado": Method(ado),
    "skill_it": Method(skill_it, frozenset({"probes"})),
    "doge": Method(doge, frozenset({"gradients"})),
    "progress": Method(progress, frozenset({"probes"})),
    "alignment": Method(alignment, frozenset({"gradients"})),
}


def _exploration(size: int, taken: int) -> float:
    return float(min(1 / size, np.sqrt(np.log(size) / (size * taken))))


def _filled(tables: Sequence[Mapping[str, float]], names: tuple[str, ...]) -> np.ndarray:
    """Lay out losses by window and group; what a window lacks is what the group had last."""
    found = np.array([[table.get(name, np.nan) for name in names] for table in tables])
    for window in range(1, len(found)):
        found[window] = np.where(np.isnan(found[window]), found[window - 1], found[window])
    for window in found:
        known = window[~np.isnan(window)]
        window[np.isnan(window)] = known.mean() if len(known) else 0.0
    return found


def _law_slope(counts: np.ndarray, losses: np.ndarray) -> float:
    """Return how fast a fitted scaling law falls at the last count, per utterance."""
    if len(counts) < 3 or counts[0] == counts[-1]:
        return float(losses[-1] / counts[-1])
    logs = np.log(counts) - np.log(counts).mean()
    floors = np.linspace(0.0, 0.999, 400)[:, None] * losses.min()
    heights = np.log(np.maximum(losses - floors, 1e-9))
    slopes = heights @ logs / float(logs @ logs)
    means = heights.mean(axis=1)
    fitted = np.exp(means[:, None] + slopes[:, None] * logs)
    residuals = ((fitted + floors - losses) ** 2).sum(axis=1)
    best = int(residuals.argmin())
    steepness = float(np.clip(-slopes[best], 0.05, 0.8))
    return steepness * float(fitted[best, -1]) / float(counts[-1])
