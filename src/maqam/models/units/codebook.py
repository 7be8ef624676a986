"""The units of an encoder: which of its frames are one, kept in a file beside the weights."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from maqam.errors import ModelError, first_line

UNITS_FILE = "units.safetensors"
FORMAT_VERSION = "1"
_TENSORS = ("mean", "components", "centroids", "prototypes")
_MAKE = "make the model again: maqam model units"


@dataclass(frozen=True, slots=True)
class Codebook:
    """Clusters of the frames of one layer of an encoder.

    Frames are centred, scaled to length 1 and cut to their main directions before the nearest
    centroid is taken. K units, D width of the encoder, R directions.

    Attributes:
        mean: [D] float32, taken off first.
        components: [D, R] main directions.
        centroids: [K, R] centroid of each unit.
        prototypes: [K, D] mean frame of each unit, which stands for it in a feature store.
        encoder: Fingerprint of the encoder that gave the frames.
    """

    mean: Tensor
    components: Tensor
    centroids: Tensor
    prototypes: Tensor
    encoder: str

    @property
    def num_units(self) -> int:
        """Number of units."""
        return len(self.centroids)

    def to(self, device: torch.device) -> "Codebook":
        """Return the same on a device."""
        moved = {name: getattr(self, name).to(device) for name in _TENSORS}
        return Codebook(**moved, encoder=self.encoder)

    def units_of(self, frames: Tensor) -> Tensor:
        """Return the [T] int64 units of [T, D] frames."""
        centred = frames.float() - self.mean
        smallest = torch.finfo(torch.float32).tiny
        reduced = centred @ self.components / centred.norm(dim=1, keepdim=True).clamp(min=smallest)
        return _nearest(reduced, self.centroids)

    def units_meant(self, states: Tensor) -> Tensor:
        """Return the [T] int64 units of [T, D] prototypes, rounded as a feature store rounds."""
        return _nearest(states.float(), self.prototypes)

    def save(self, folder: Path) -> None:
        """Write `units.safetensors`."""
        tensors = {name: getattr(self, name).detach().cpu().contiguous() for name in _TENSORS}
        about = {"format_version": FORMAT_VERSION, "encoder": self.encoder}
        save_file(tensors, folder / UNITS_FILE, metadata=about)


def load_codebook(folder: Path) -> Codebook:
    """Read the units of a checkpoint.

    Raises:
        ModelError: If there are none, or they cannot be read.
    """
    path = folder / UNITS_FILE
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in _TENSORS}
        if about["format_version"] != FORMAT_VERSION:
            raise KeyError(f"format {about['format_version']}")
        return Codebook(**tensors, encoder=about["encoder"])
    except (OSError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"the units cannot be read: {first_line(error)}", where=str(path), hint=_MAKE
        ) from error


def encoder_mark(encoder: nn.Module) -> str:
    """Return a hash of the weights of an encoder, in whatever precision they are."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(memoryview(tensor.detach().cpu().float().contiguous().numpy()).cast("B"))
    return digest.hexdigest()


def check_encoder(codebook: Codebook, encoder: nn.Module, where: str) -> None:
    """Refuse units of another encoder than the one beside them.

    Raises:
        ModelError: If they are.
    """
    found = encoder_mark(encoder)
    if found != codebook.encoder:
        raise ModelError(
            f"the units are of the encoder {codebook.encoder[:8]}, the checkpoint holds "
            f"{found[:8]}",
            where=where,
            hint=_MAKE,
        )


def _nearest(points: Tensor, centroids: Tensor) -> Tensor:
    """Return the nearest centroid of each point, the lowest of equals."""
    scores = points @ centroids.T - 0.5 * centroids.square().sum(dim=1)
    return scores.argmax(dim=1)
