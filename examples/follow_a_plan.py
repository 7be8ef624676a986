"""Compile a plan, and follow it with a plain DataLoader.

Run it:  python examples/follow_a_plan.py
"""

from torch.utils.data import DataLoader

from maqam.schedule import Ads, PlanBatchSampler, Pool, make_plan

# Your data: anything that is indexed by row number. Here 500 recognition and 100 dialect rows.
rows = [("asr", "-")] * 500 + [
    ("did", ("egyptian", "gulf")[index % 4 == 0]) for index in range(100)
]

pool = Pool.from_columns(
    {"task": [task for task, _ in rows], "label": [label for _, label in rows]}
)
plan = make_plan(Ads(axes=("task", "label")), pool, steps=30, batch_size=16, seed=0)

loader = DataLoader(rows, batch_sampler=PlanBatchSampler(plan), collate_fn=list)
for step, batch in enumerate(loader):
    if step < 3:
        counts = {label: batch.count(label) for label in sorted(set(batch))}
        print(f"step {step}: {counts}")

# A job that was interrupted after step 20 goes on with step 20, at once.
sampler = PlanBatchSampler(plan)
sampler.start_at(20)
print(f"steps left: {len(list(DataLoader(rows, batch_sampler=sampler, collate_fn=list)))}")
