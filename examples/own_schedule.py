"""A schedule of one's own, as a flow: from rows as they come to speakers with equal shares.

Run it:  python examples/own_schedule.py
"""

from maqam.schedule import Flow, Pool, make_plan

pool = Pool.from_columns(
    {"task": ["asr"] * 300 + ["did"] * 100, "speaker": ["amal"] * 320 + ["badr"] * 80}
)


def shares(cells, progress):
    """Return the share of each cell: (num_cells,) numbers of any positive sum."""
    return cells.sizes ** (1 - progress)


plan = make_plan(Flow(("speaker",), shares), pool, steps=40, batch_size=16, seed=0)

names = plan.shares["speaker"].names
counts = plan.shares["speaker"].counts  # (num_steps, num_speakers)
for step in (0, 13, 26, 39):
    print(f"step {step}: {dict(zip(names, counts[step].tolist(), strict=True))}")
