"""How much of what a manifest holds."""

from dataclasses import dataclass

import numpy as np

from maqam.data.manifest import Manifest
from maqam.data.schema import SPLITS

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class GroupStats:
    """One task of one split.

    Attributes:
        split: Split.
        task: Task.
        num_utterances: Utterances.
        hours: Audio, in hours.
        median_seconds: Median length of its audio; 0 for text.
        longest_seconds: Longest audio.
        quantiles_seconds: Lengths that 5, 25, 50, 75 and 95 % of its audio do not exceed.
        num_speakers: Different known speakers.
        labels: Utterances by label, the most frequent first; empty for free text.
        dialects: Utterances by dialect, the most frequent first; "-" where unknown.
        num_synthetic: Utterances of synthetic speech.
    """

    split: str
    task: str
    num_utterances: int
    hours: float
    median_seconds: float
    longest_seconds: float
    quantiles_seconds: tuple[float, ...]
    num_speakers: int
    labels: dict[str, int]
    dialects: dict[str, int]
    num_synthetic: int


def manifest_stats(manifest: Manifest) -> list[GroupStats]:
    """Count each task of each split, in the order of splits and then of tasks."""
    columns = {name: manifest.codes(name) for name in ("split", "task", "label", "dialect")}
    (splits, split_names), (tasks, task_names) = columns["split"], columns["task"]
    speakers, speaker_names = manifest.codes("speaker")
    is_known = np.array([name != "-" for name in speaker_names], dtype=bool)
    all_seconds, is_synthetic = manifest.column("seconds"), manifest.column("synthetic")
    places = [*SPLITS, *manifest.tasks]
    pairs = ((split, task) for split in split_names for task in task_names)
    found = []
    for split, task in sorted(pairs, key=lambda pair: (*map(places.index, pair),)):
        rows = np.flatnonzero(
            (splits == split_names.index(split)) & (tasks == task_names.index(task))
        )
        if not len(rows):
            continue
        seconds = all_seconds[rows]
        quantiles = np.quantile(seconds, QUANTILES)
        found.append(
            GroupStats(
                split=split,
                task=task,
                num_utterances=len(rows),
                hours=float(seconds.sum() / 3600),
                median_seconds=float(quantiles[QUANTILES.index(0.5)]),
                longest_seconds=float(seconds.max()),
                quantiles_seconds=tuple(quantiles.tolist()),
                num_speakers=int(is_known[np.unique(speakers[rows])].sum()),
                labels={
                    name: count
                    for name, count in _counts(*columns["label"], rows).items()
                    if name != "-"
                },
                dialects=_counts(*columns["dialect"], rows),
                num_synthetic=int(is_synthetic[rows].sum()),
            )
        )
    return found


def _counts(codes: np.ndarray, names: list[str], rows: np.ndarray) -> dict[str, int]:
    counts = np.bincount(codes[rows], minlength=len(names))
    order = np.argsort(-counts, kind="stable")
    return {names[code]: int(counts[code]) for code in order if counts[code]}
