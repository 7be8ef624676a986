"""The pools that the tests of schedules deal from."""

import numpy as np

from maqam.schedule import Ads, Alpha, Mixture, Pool, Stratified, Then, Tpc, Uniform
from maqam.schedule.pool import Cells

EVERY_KIND = {
    "uniform": Uniform(),
    "alpha": Alpha(alpha=0.5),
    "stratified": Stratified(),
    "proportional draw": Mixture(mixture="proportional", deal="draw"),
    "proportional quota": Mixture(mixture="proportional", deal="quota"),
    "balanced draw": Mixture(mixture="balanced", deal="draw"),
    "balanced quota": Mixture(mixture="balanced", deal="quota"),
    "tpc hard": Tpc(),
    "tpc cumulative": Tpc(mode="cumulative"),
    "tpc soft": Tpc(mode="soft"),
    "ads": Ads(),
    "then": Then(Tpc(), Ads()),
    "then annealed": Then(Tpc(), Ads(), anneal=0.5),
}


def make_pool(num_utterances=200, order=None):
    """Return a pool of three tasks, sizes 5 : 3 : 2, five labels a task and eight clusters.

    Args:
        num_utterances: Utterances, a multiple of ten.
        order: Order in which the pool lists them; their numbers when None.
    """
    order = np.arange(num_utterances) if order is None else np.asarray(order)
    task = np.array(["asr"] * 5 + ["did"] * 3 + ["ser"] * 2)[order % 10]
    return Pool.from_columns(
        {
            "task": task,
            "label": np.array(list("abcde"))[order // 10 % 5],
            "cluster": order * 7 // 3 % 8,
        },
        ids=[f"utterance-{number}" for number in order],
        rows=order,
    )


def make_tasks(**sizes):
    """Return a pool that holds so many utterances of each task, and no other axis."""
    return Pool.from_columns({"task": np.repeat(list(sizes), list(sizes.values()))})


def late(cells: Cells, progress: float) -> np.ndarray:
    """Raise the shares of rare groups step by step: what a custom schedule calls."""
    return cells.sizes ** (1 - progress)
