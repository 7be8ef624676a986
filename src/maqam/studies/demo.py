"""The demo: a study of the four schedules on the embedded default."""

from collections.abc import Sequence
from pathlib import Path

from maqam.recipe import with_overrides
from maqam.studies.grid import Study, make_study

WHAT_HAPPENS = """\
Maqam demo: four data schedules, one pocket audio LLM (5 M parameters), synthetic speech.
  1 speak the corpus (eSpeak NG)      2 store and cluster aligner outputs
  3 train and score uniform, tpc, ads and hybrid, equal budget and seed      4 report
Finished parts are kept: an interrupted demo goes on where it was.
"""


def demo_study(output: Path, seed: int, overrides: Sequence[str] = ()) -> Study:
    """Give the demo as a study.

    Args:
        output: Folder of the study.
        seed: Seed of all four runs.
        overrides: Settings `key.sub=value` of the study, such as `base.train.num_steps=50`.
    """
    values = {
        "name": "Four data schedules on the pocket audio LLM",
        "output": str(output),
        "baseline": "uniform",
        "seeds": [seed],
        "base": {"train": {"phase": "tune", "num_steps": 300, "batch_size": 32}},
        "methods": {
            "uniform": {"schedule": {"kind": "uniform"}},
            "tpc": {"schedule": {"kind": "tpc"}},
            "ads": {"schedule": {"kind": "ads"}},
            "hybrid": {
                "schedule": {"kind": "then", "first": {"kind": "tpc"}, "second": {"kind": "ads"}}
            },
        },
    }
    return make_study(with_overrides(values, overrides), where="demo")
