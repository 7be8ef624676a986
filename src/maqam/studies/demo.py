"""The demo: a study of the four schedules on the embedded default."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maqam.studies.grid import Study, make_study

# What two processor cores finish in ten minutes with everything else: a shorter training split
# than the embedded default, and a learning rate for few steps of adapters on a tiny LLM.
BASE: Mapping[str, Any] = {
    "data": {"synth": {"train": {"asr": 2000, "did": 600, "ser": 400, "ssum": 150, "tsum": 150}}},
    "train": {
        "phase": "tune",
        "num_steps": 100,
        "batch_size": 16,
        "micro_batches": 2,
        "learning_rate": 4e-3,
        "checkpoint_steps": 50,
    },
    "score": {"max_new_tokens": 128},
}
WHAT_HAPPENS = """\
Maqam demo: four data schedules, one pocket audio LLM (5 M parameters), synthetic speech.
  1 generate the corpus (eSpeak NG)   2 store and cluster aligner outputs
  3 train and score uniform, tpc, ads and hybrid, equal budget and seed      4 report
Finished parts are kept: an interrupted demo goes on where it was.
"""


def demo_study(output: Path, seed: int, overrides: Sequence[str] = ()) -> Study:
    """Return the demo as a study.

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
        "base": BASE,
        "methods": {
            "uniform": {"schedule": {"kind": "uniform"}},
            "tpc": {"schedule": {"kind": "tpc"}},
            "ads": {"schedule": {"kind": "ads"}},
            "hybrid": {
                "schedule": {"kind": "then", "first": {"kind": "tpc"}, "second": {"kind": "ads"}}
            },
        },
    }
    return make_study(values, overrides, where="demo")
