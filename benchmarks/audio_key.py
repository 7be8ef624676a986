"""What it costs to notice exchanged audio, and what a check costs beside plain decoding.

Prints the time of naming all audio by its contents as a share of extracting its features with the
pocket encoder, and the time of `check_manifest` against a loop of `soundfile.read`, the peer, with
the range over repetitions.

    python benchmarks/audio_key.py [--repeats 5] [--utterances 200]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from maqam.data.contents import contents_mark
from maqam.data.manifest import read_manifest, write_manifest
from maqam.features.extract import fill_store, store_contents
from maqam.features.settings import FeatureSettings
from maqam.inspection.checks import check_manifest
from maqam.models.loading import load_backbone
from maqam.models.settings import ModelSettings

SECONDS = 5.0


def make_corpus(folder: Path, num_utterances: int) -> None:
    rng = np.random.default_rng(0)
    turns = [
        {"role": "user", "content": "<audio>فرّغ الكلام."},
        {"role": "assistant", "content": "نعم"},
    ]
    rows = []
    for number in range(num_utterances):
        noise = 0.1 * rng.standard_normal(round(16_000 * SECONDS))
        soundfile.write(folder / f"{number}.wav", noise, 16_000)
        row = {"id": str(number), "messages": turns, "audios": [f"{number}.wav"], "task": "asr"}
        row |= {"label": None, "dialect": None, "speaker": None, "source": "noise"}
        row |= {"split": "train", "start": 0.0, "seconds": SECONDS, "target": "نعم"}
        rows.append({**row, "synthetic": True})
    write_manifest(rows, folder)


def taken(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def told(name: str, ratios: np.ndarray) -> None:
    middle, low, high = np.median(ratios), ratios.min(), ratios.max()
    print(f"{name}: {middle:.4f} ({low:.4f} to {high:.4f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--utterances", type=int, default=200)
    options = parser.parse_args()
    backbone = load_backbone(ModelSettings())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_corpus(folder, options.utterances)
        manifest = read_manifest(folder)
        files = sorted(folder.glob("*.wav"))
        contents = store_contents(
            backbone, manifest, np.arange(options.utterances), FeatureSettings()
        )
        shares, checks = [], []
        for number in range(options.repeats):
            extract = taken(lambda at=number: fill_store(backbone, contents, folder / f"s{at}"))
            shares.append(taken(lambda: [contents_mark(file) for file in files]) / extract)
            plain = taken(lambda: [soundfile.read(file) for file in files])
            checks.append(taken(lambda: check_manifest(manifest, num_workers=1)) / plain)
    told("naming audio by contents, as a share of its extraction", np.array(shares))
    told("check of all audio, against soundfile.read alone", np.array(checks))


if __name__ == "__main__":
    main()
