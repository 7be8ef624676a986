"""The units of an encoder: clusters of its frames, over the audio that a model will train on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from maqam.data.manifest import Manifest
from maqam.errors import ConfigError, ManifestError
from maqam.features.kmeans import Clusters, fit_clusters
from maqam.models.units.codebook import Codebook
from maqam.models.units.make import UnitParts
from maqam.progress import Progress
from maqam.seeding import generator

FRAMES_PER_UNIT = 256  # ours: what a centroid is the mean of; more changes little


@dataclass(frozen=True, slots=True)
class UnitReport:
    """What the units of a model were made from, and what they are like.

    Attributes:
        codebook: The units.
        num_rows: Rows whose audio was heard.
        num_frames: Encoder frames that were clustered.
        seconds: Audio they were of.
        tokens_per_second: Units of a second of that audio, runs of one merged.
        perplexity: Number of units that would be as uncertain if all were as frequent.
    """

    codebook: Codebook
    num_rows: int
    num_frames: int
    seconds: float
    tokens_per_second: float
    perplexity: float


def make_units(
    parts: UnitParts,
    manifest: Manifest,
    *,
    split: str = "train",
    progress: Progress | None = None,
) -> UnitReport:
    """Cluster encoder frames of a manifest's audio, and write the model with the units.

    Rows are drawn at random until there are 256 frames a unit; a small corpus is heard whole.

    Args:
        parts: Encoder and LLM.
        manifest: The audio.
        split: Split whose audio is heard.
        progress: Called with the frames heard and their total, where there are as many.

    Raises:
        ManifestError: If no row of the split has audio.
        ConfigError: If there are fewer frames than units.
        AudioError: If audio cannot be read.
        RunError: If the folder cannot be written.
    """
    rows = _heard_rows(parts, manifest, split)
    composition = parts.composition
    wanted = FRAMES_PER_UNIT * composition.num_units
    heard, num_frames, seconds = [], 0, 0.0
    for length, frames in _frames(parts, manifest, rows):
        heard.append(frames)
        num_frames += len(frames)
        seconds += length
        if progress is not None:
            progress(min(num_frames, wanted), wanted)
        if num_frames >= wanted:
            break
    if num_frames < composition.num_units:
        raise ConfigError(
            f"{composition.num_units} units need as many frames of audio, there are {num_frames}",
            where="--num-units",
            hint="ask for fewer, or give more audio",
        )
    frames = np.concatenate(heard)
    clusters = fit_clusters(frames, num_clusters=composition.num_units, seed=composition.seed)
    codebook = parts.save(_tensors(clusters, frames))
    ends = np.cumsum([len(one) for one in heard])[:-1]
    merged = sum(_num_runs(one) for one in np.split(clusters.labels, ends))
    shares = np.bincount(clusters.labels) / num_frames
    return UnitReport(
        codebook=codebook,
        num_rows=len(heard),
        num_frames=num_frames,
        seconds=seconds,
        tokens_per_second=merged / seconds,
        perplexity=float(np.exp(-(shares * np.log(shares)).sum())),
    )


def _heard_rows(parts: UnitParts, manifest: Manifest, split: str) -> np.ndarray:
    """Return the rows of a split that have audio, shuffled."""
    rows = manifest.select(split=split)
    spoken = rows[np.asarray(manifest.column("seconds"), dtype=np.float64)[rows] > 0]
    if not len(spoken):
        raise ManifestError(
            f"no row of split {split!r} has audio",
            where=str(manifest.path),
            hint="give a manifest of speech with --manifest, or another split with --split",
        )
    return generator(parts.composition.seed, "units").permutation(spoken)


def _frames(
    parts: UnitParts, manifest: Manifest, rows: np.ndarray
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the seconds of each row and its encoder frames (num_frames, dim)."""
    for row in rows.tolist():
        clip = manifest.clips([row])[row]
        samples = clip.read(parts.front_end.sample_rate)
        yield len(samples) / parts.front_end.sample_rate, parts.frames(samples).numpy()


def _tensors(clusters: Clusters, frames: np.ndarray) -> dict[str, torch.Tensor]:
    """Return what assigns a frame to a unit, and the mean frame of each unit."""
    total = np.zeros((clusters.num_clusters, frames.shape[1]))
    np.add.at(total, clusters.labels, frames)
    prototypes = total / np.bincount(clusters.labels)[:, None]
    arrays = {
        "mean": clusters.projection.mean,
        "components": clusters.projection.components,
        "centroids": clusters.centroids,
        "prototypes": prototypes.astype(np.float32),
    }
    return {name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in arrays.items()}


def _num_runs(labels: np.ndarray) -> int:
    return 1 + int((np.diff(labels) != 0).sum())
