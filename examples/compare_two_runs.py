"""Compare two finished and scored runs: which differences are more than chance?

Run it:  maqam demo, then
         python examples/compare_two_runs.py runs/demo/runs/uniform-seed0 runs/demo/runs/tpc-seed0
"""

import sys
from pathlib import Path

from maqam.studies.comparison import compare_run_checkpoints

baseline, other = (Path(word) for word in sys.argv[1:])
comparison = compare_run_checkpoints([baseline, other])

print(f"{other.name} against {baseline.name}, 95 % intervals over the speakers of the test set")
for row in comparison["rows"]:
    if row["difference_low"] is not None:
        interval = f"{row['difference_low']:+.2f} to {row['difference_high']:+.2f}"
        found = f"{row['difference']:+.2f} ({interval}), {row['verdict']}"
        print(f"{row['task']} {row['metric']}: {found}")
