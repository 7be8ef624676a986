"""A causal LLM that hears units: an encoder whose frames become tokens of the LLM."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from maqam.models.common.model import CommonAudioLLM
from maqam.models.dialogue import DialogueEncoder
from maqam.models.family import Family
from maqam.models.protocol import Batch
from maqam.models.units.codebook import Codebook
from maqam.models.units.tower import TOWER, encoder_frames


class UnitLLM(CommonAudioLLM):
    """A causal LLM with the encoder and the units beside it.

    What a row sounds like is handed on as the prototypes of its units, so that a feature store
    keeps them as it keeps aligner outputs, and clusters of rows are those of the encoder.

    Args:
        model: The LLM; the encoder is one of its modules.
        dialogue: Encoder of chat rows for the LLM's tokenizer.
        family: Where its parts are.
        codebook: The units.
        source: Folder of its checkpoint.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        dialogue: DialogueEncoder,
        family: Family,
        codebook: Codebook,
        *,
        source: str | None = None,
    ) -> None:
        super().__init__(model, dialogue, family, source=source)
        self.codebook = codebook
        self.first_unit = dialogue.audio_id  # the placeholder is the first unit's own token

    @property
    def audio_dim(self) -> int:
        """Width of the prototypes, which is the encoder's."""
        return int(self.codebook.prototypes.shape[1])

    def trained_tokens(self) -> dict[str, list[int]]:
        """Return the ids of the units, whose embeddings train with an adapter."""
        last = self.first_unit + self.codebook.num_units
        return {"embed_tokens": list(range(self.first_unit, last))}

    @torch.no_grad()
    def encode_audio(self, log_mels: Sequence[np.ndarray]) -> list[Tensor]:
        """Run the encoder and take the unit of each frame, runs of one merged.

        Args:
            log_mels: (N_i, M) float32 frames of each utterance, as the front end gives them.

        Returns:
            Prototypes [num_audio_tokens, D] of the units of each utterance.
        """
        found = []
        for one in log_mels:
            frames = torch.from_numpy(np.ascontiguousarray(one)).to(self.device)
            num_frames = len(one) - self.dialogue.front_end.tail_frames
            outputs = encoder_frames(self.model.get_submodule(TOWER), frames, num_frames)
            units = torch.unique_consecutive(self.codebook.units_of(outputs))
            found.append(self.codebook.prototypes[units])
        return found

    def embeddings(self, batch: Batch) -> Tensor:
        """Return the LLM's inputs [B, T, D], the tokens of units in place of the placeholders."""
        ids = self.unit_ids(batch)
        embeddings: Tensor = self.llm.get_input_embeddings()(ids)
        return embeddings

    def unit_ids(self, batch: Batch) -> Tensor:
        """Return the [B, T] ids of a batch, each placeholder the token of its unit."""
        ids = batch.input_ids.to(self.device)
        if not any(len(states) for states in batch.audio_states):
            return ids
        states = torch.cat([one.to(self.device) for one in batch.audio_states if len(one)])
        units = self.codebook.units_meant(states) + self.first_unit
        return ids.masked_scatter(ids == self.first_unit, units)

    def save_companions(self, folder: Path) -> None:
        """Write what belongs to the weights: tokenizer, chat template and units."""
        super().save_companions(folder)
        self.codebook.save(folder)


def attach(model: Any, tower: Any, codebook: Codebook) -> None:  # noqa: ANN401
    """Make an encoder and its units a part of an LLM, in place.

    The units count among the parameters, so that what hashes an encoder hashes them; the file of
    the weights leaves them to their own.

    Args:
        model: The LLM.
        tower: The encoder.
        codebook: Its units.
    """
    model.add_module(TOWER, tower)
    tower.register_parameter(
        "unit_centroids", torch.nn.Parameter(codebook.centroids, requires_grad=False)
    )
    tower.register_state_dict_post_hook(_leave_units_out)


def _leave_units_out(
    module: torch.nn.Module, state: dict[str, Tensor], prefix: str, metadata: dict[str, Any]
) -> None:
    state.pop(f"{prefix}unit_centroids", None)
