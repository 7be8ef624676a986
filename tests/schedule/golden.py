"""Writes the fingerprints that plans are held to: `python -m tests.schedule.golden`."""

from pathlib import Path

from maqam.schedule import make_plan
from tests.schedule.test_laws import STATIC, golden_pool, schedule_of

FILE = Path(__file__).parents[1] / "golden" / "plans.txt"

if __name__ == "__main__":
    lines = []
    for kind in STATIC:
        plan = make_plan(schedule_of(kind), golden_pool(), steps=9, batch_size=14, seed=5)
        lines.append(f"{kind} {plan.fingerprint}\n")
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("".join(lines), encoding="utf-8")
