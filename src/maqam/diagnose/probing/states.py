"""What the layers of a model hold of utterances: one vector an utterance and place.

Tensor letters: B utterances, T tokens, D LLM width.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from maqam.data.manifest import Manifest
from maqam.models.adapters import Rows, routed
from maqam.models.protocol import AudioLLM, AudioStates
from maqam.progress import Progress
from maqam.train.batches import FixedSteps, PlanBatches
from maqam.train.objective import MicroBatch
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective

ALIGNER = "aligner"


@torch.no_grad()
def layer_states(
    backbone: AudioLLM,
    manifest: Manifest,
    rows: np.ndarray,
    audio_states: AudioStates,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Return what each place of a model holds of rows that have audio.

    Args:
        backbone: The model, with or without an adapter.
        manifest: Where the rows are.
        rows: (num_rows,) manifest rows with audio, ascending.
        audio_states: Their aligner outputs.
        progress: Called with the rows done and their total.

    Returns:
        By place (num_rows, width) float32: "aligner", mean and deviation over the frames, and for
        each layer of the LLM its mean over the audio ("layer 3, audio") and its state at the
        prompt's last position ("layer 3, prompt"), from which the answer is read.
    """
    prepared = prepare_rows(backbone.dialogue, manifest, rows)
    batches = PlanBatches(backbone, FixedSteps([rows]), prepared, Objective(), audio_states)
    parts: dict[str, list[np.ndarray]] = {}
    order: list[np.ndarray] = []
    with _caught(backbone.llm.get_submodule("layers")) as layers:
        for one in batches.whole(0):
            with routed(Rows(one.tasks)):
                backbone.hidden(one.batch)
            for place, states in _places(one, layers, backbone.dialogue.audio_id):
                parts.setdefault(place, []).append(states.float().cpu().numpy())
            layers.clear()
            order.append(one.rows)
            if progress is not None:
                progress(sum(map(len, order)), len(rows))
    back = np.argsort(np.concatenate(order))
    return {place: np.concatenate(own)[back] for place, own in parts.items()}


def _places(
    micro_batch: MicroBatch, layers: dict[int, Tensor], audio_id: int
) -> Iterator[tuple[str, Tensor]]:
    """Yield each place with its [B, width] vectors."""
    batch = micro_batch.batch
    frames = [one.float() for one in batch.audio_states]
    yield (
        ALIGNER,
        torch.stack([torch.cat([one.mean(0), one.std(0, correction=0)]) for one in frames]),
    )
    is_audio = (batch.input_ids == audio_id).unsqueeze(-1)  # [B, T, 1]
    last = batch.target_starts - 1
    for number, states in sorted(layers.items()):
        own = is_audio.to(states.device)
        mean = torch.where(own, states.float(), 0.0).sum(1) / own.sum(1)
        yield f"layer {number}, audio", mean
        yield f"layer {number}, prompt", states[torch.arange(len(last)), last.to(states.device)]


@contextmanager
def _caught(layers: nn.Module) -> Iterator[dict[int, Tensor]]:
    """Yield what the layers gave last, by their number, while the block runs."""
    found: dict[int, Tensor] = {}

    def catch(number: int) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, outputs: Any) -> None:  # noqa: ANN401
            found[number] = outputs[0] if isinstance(outputs, tuple) else outputs

        return hook

    handles = [
        layer.register_forward_hook(catch(number)) for number, layer in enumerate(layers.children())
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
