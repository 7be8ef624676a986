"""Write the rows of a plan, in its order, for another trainer.

Run it:  maqam plan recipes/sm.yaml, then
         python examples/export_a_plan.py runs/sm/plan runs/corpus runs/sm-jsonl
"""

import json
import sys
from pathlib import Path

from maqam.data.manifest import read_manifest
from maqam.export.export import ExportSettings, export_plan
from maqam.schedule import load_plan

plan_folder, manifest_folder, output = (Path(word) for word in sys.argv[1:])

plan = load_plan(plan_folder)
settings = ExportSettings(world_size=2, micro_batch_size=2)
folder = export_plan(
    plan, read_manifest(manifest_folder), output, target="jsonl", settings=settings
)

lines = (folder / "schedule.jsonl").read_text(encoding="utf-8").splitlines()
first = json.loads(lines[0])
print(f"{len(lines)} rows of {plan.num_steps} steps in {folder}")
print(f"the first is {first['id']}, {first['task']}")
