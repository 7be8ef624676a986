"""The seam that transformers' audio LLMs share: encoder, aligner, LLM and head of one class.

A class' own `forward` projects every position to the vocabulary, so the parts are called one by
one here, and tests hold them equal to it for every family.

Tensor letters: B utterances, T tokens, D LLM width, N frames, M numbers of a frame, S positions.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from maqam.errors import ModelError
from maqam.models.common.answer_tree import AnswerTree
from maqam.models.common.attention import single_precision_attention
from maqam.models.common.companions import save_companions
from maqam.models.common.inputs import side_by_side
from maqam.models.common.last_layer import last_layer_at
from maqam.models.dialogue import DialogueEncoder, Encoded
from maqam.models.family import PARTS, Family
from maqam.models.protocol import Batch, collate


class CommonAudioLLM:
    """An audio LLM of transformers with its dialogue encoder.

    Args:
        model: The model with its head; LoRA layers may be injected into it later.
        dialogue: Encoder of chat rows for this model's tokenizer.
        family: Where its parts are.
        source: Folder or hub id of its checkpoint; None for a model that was made here.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        dialogue: DialogueEncoder,
        family: Family,
        *,
        source: str | None = None,
    ) -> None:
        self.model = model
        self.dialogue = dialogue
        self.family = family
        self.source = source

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def audio_dim(self) -> int:
        """Width of the aligner outputs, which is the LLM's."""
        return int(self.llm.config.hidden_size)

    @property
    def llm(self) -> Any:  # noqa: ANN401
        """The language model, which runs on embeddings."""
        return self.model.get_submodule(self.family.language_model)

    def encode_audio(self, log_mels: Sequence[np.ndarray]) -> list[Tensor]:
        """Run encoder and aligner.

        Args:
            log_mels: (N_i, M) float32 frames of each utterance, as the front end gives them.

        Returns:
            Aligner outputs [num_audio_tokens, D] of each utterance; gradients flow.

        Raises:
            ModelError: If the encoder is of another form than the family's.
        """
        if self.family.inputs.is_alone and len(log_mels) > 1:
            return [states for one in log_mels for states in self.encode_audio([one])]
        if not log_mels:
            return []
        windows = side_by_side(log_mels, self.dialogue.front_end, self.family.inputs)
        features = windows.features.to(self.device, self.model.dtype)
        aligned = self._aligned(features, windows.is_real.to(self.device), windows.owners)
        counts = [self.dialogue.num_audio_tokens(len(one)) for one in log_mels]
        if len(aligned) != sum(counts):
            raise ModelError(
                f"its encoder gives {len(aligned)} audio tokens where {self.family.title} has "
                f"{sum(counts)}",
                where=self.source or "",
                hint=f"take a checkpoint whose encoder is built as that of {self.family.hub_id}",
            )
        return list(torch.split(aligned, counts))

    def _aligned(self, features: Tensor, is_real: Tensor, owners: list[int]) -> Tensor:
        """Return aligner outputs of windows.

        Args:
            features: [B, M, N] frames of each window.
            is_real: [B, N] which of them are audio.
            owners: Index of the utterance that each window is of.

        Returns:
            [total audio tokens, D], in the order of the windows.
        """
        arguments = self.encoder_inputs(features, is_real, owners)
        aligned: Tensor = self.model.get_audio_features(**arguments, return_dict=True).pooler_output
        return aligned.flatten(0, -2)

    def encoder_inputs(
        self, features: Tensor, is_real: Tensor, owners: list[int]
    ) -> dict[str, Any]:
        """Return the arguments of `get_audio_features` for windows, as `_aligned` takes them."""
        inputs = self.family.inputs
        axes = {"BMN": features, "BNM": features.transpose(1, 2), "BN": features[:, 0]}
        arguments = {inputs.features: axes[inputs.axes]}
        return arguments if inputs.mask is None else arguments | {inputs.mask: is_real.long()}

    def embeddings(self, batch: Batch) -> Tensor:
        """Return the LLM's inputs [B, T, D], aligner outputs in place of the placeholders."""
        ids = batch.input_ids.to(self.device)
        embeddings: Tensor = self.llm.get_input_embeddings()(ids)
        if not any(len(states) for states in batch.audio_states):
            return embeddings
        audio = torch.cat([states.to(self.device) for states in batch.audio_states])
        is_audio = (ids == self.dialogue.audio_id).unsqueeze(-1).expand_as(embeddings)
        return embeddings.masked_scatter(is_audio, audio.to(embeddings.dtype))

    def hidden(self, batch: Batch) -> Tensor:
        """Return the LLM's hidden states [B, T, D] for every position.

        Rows are right-padded, so causal attention alone keeps padding out of real positions.
        Without images, rotary axes of more than one kind all count tokens.
        """
        ids = batch.input_ids.to(self.device)
        outputs = self._run(ids, self.embeddings(batch), use_cache=False)
        hidden: Tensor = outputs.last_hidden_state
        return hidden

    def _run(self, ids: Tensor, inputs: Tensor, **settings: Any) -> Any:  # noqa: ANN401
        """Run the LLM on inputs [B, T, D] that are the embeddings of ids [B, T]."""
        return self.llm(inputs_embeds=inputs, **settings)

    def hidden_at(self, batch: Batch, positions: Tensor) -> Tensor:
        """Return the LLM's hidden states [S, D] at positions of the flattened [B * T].

        The last layer is computed there only, where the family's layers let it.
        """
        if not self.family.narrows_last_layer:
            return self.hidden(batch).flatten(0, 1).index_select(0, positions)
        with last_layer_at(self.llm, positions):
            hidden = self.hidden(batch)
        return hidden.flatten(0, 1).index_select(0, positions)

    def logits(self, hidden: Tensor) -> Tensor:
        """Project hidden states [..., D] to the vocabulary."""
        projected: Tensor = self.model.lm_head(hidden)
        return projected

    def generate(
        self, prompts: Sequence[Encoded], audio_states: Sequence[Tensor], max_new_tokens: int
    ) -> list[list[int]]:
        """Answer prompts greedily, side by side.

        Args:
            prompts: Dialogues encoded without their target.
            audio_states: Aligner outputs of each prompt.
            max_new_tokens: Where an answer without an end is cut.

        Returns:
            New ids of each answer; the end-of-turn id is last where the model gave it.
        """
        return self.answer(prompts, audio_states, max_new_tokens)[0]

    @torch.no_grad()
    def answer(
        self,
        prompts: Sequence[Encoded],
        audio_states: Sequence[Tensor],
        max_new_tokens: int,
        continuations: Sequence[Sequence[int]] = (),
    ) -> tuple[list[list[int]], Tensor]:
        """Answer prompts greedily and score fixed answers, side by side.

        The prompts run through the LLM once, whatever is asked of them.

        Args:
            prompts: Dialogues encoded without their target.
            audio_states: Aligner outputs of each prompt.
            max_new_tokens: Where an answer without an end is cut; 0 to score only.
            continuations: Ids of each fixed answer, the end-of-turn id last.

        Returns:
            New ids of each answer, as `generate` gives them, and the [B, num_continuations]
            float32 log-likelihoods of the fixed answers.
        """
        batch = collate(prompts, audio_states, self.dialogue.padding_id)
        ids, inputs, mask = self._left_padded(batch)
        cache = DynamicCache()  # keeps all of the prompt, whatever a layer reaches back
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        hidden = self._read(ids, mask, positions, cache, inputs)[:, -1:]
        scores = hidden.new_zeros(len(prompts), 0, dtype=torch.float32)
        if continuations:
            scores = self._scores(continuations, hidden, mask, cache)
        return self._greedy(hidden, mask, cache, max_new_tokens), scores

    def _read(
        self,
        ids: Tensor,
        mask: Tensor | dict[str, Tensor],
        positions: Tensor,
        cache: DynamicCache,
        inputs: Tensor | None = None,
    ) -> Tensor:
        """Return the hidden states [B, T, D] of ids [B, T] after what the cache holds.

        Args:
            ids: Of the LLM's vocabulary.
            mask: What each of them attends to.
            positions: Of each of them.
            cache: Of what stands before them.
            inputs: Their embeddings [B, T, D], where audio stands among them.
        """
        outputs = self._run(
            ids,
            self.llm.get_input_embeddings()(ids) if inputs is None else inputs,
            attention_mask=mask,
            position_ids=positions,
            cache=cache,
            use_cache=True,
        )
        hidden: Tensor = outputs.last_hidden_state
        return hidden

    def _greedy(
        self, hidden: Tensor, mask: Tensor, cache: DynamicCache, max_new_tokens: int
    ) -> list[list[int]]:
        """Return the likeliest ids after prompts, whose last hidden states are [B, 1, D]."""
        answers: list[list[int]] = [[] for _ in hidden]
        is_open = torch.ones(len(hidden), dtype=torch.bool, device=self.device)
        ends = torch.tensor(sorted(self.dialogue.end_ids), device=self.device)
        for number in range(max_new_tokens):
            chosen = self.logits(hidden[:, -1]).argmax(dim=-1)
            for index, token in enumerate(chosen.tolist()):
                if is_open[index]:
                    answers[index].append(token)
            is_open &= ~torch.isin(chosen, ends)
            if number + 1 == max_new_tokens or not is_open.any():
                break
            mask = torch.cat([mask, mask.new_ones(len(hidden), 1)], dim=1)
            positions = mask.sum(dim=1, keepdim=True) - 1
            hidden = self._read(chosen[:, None], mask, positions, cache)
        return answers

    def _scores(
        self,
        continuations: Sequence[Sequence[int]],
        hidden: Tensor,
        mask: Tensor,
        cache: DynamicCache,
    ) -> Tensor:
        """Return the log-likelihoods of fixed answers, which run as one tree after the prompts."""
        tree = AnswerTree.of(continuations, self.device)
        if len(tree.tokens):
            ids = tree.tokens.expand(len(hidden), -1)
            later = self._read(ids, self._tree_mask(tree, mask), tree.positions(mask), cache)
            cache.crop(-len(tree.tokens))
            hidden = torch.cat([hidden, later], dim=1)
        return tree.summed(torch.stack([tree.likelihoods(self.logits(row)) for row in hidden]))

    def _tree_mask(self, tree: AnswerTree, prompts: Tensor) -> Tensor | dict[str, Tensor]:
        """Return what a tree's tokens attend to, by kind of layer where there are two."""
        config = self.llm.config
        if "sliding_attention" not in (getattr(config, "layer_types", None) or ()):
            return tree.mask(prompts)
        return {
            "full_attention": tree.mask(prompts),
            "sliding_attention": tree.mask(prompts, config.sliding_window),
        }

    def _left_padded(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Move a batch's padding to the left, where a growing answer needs it.

        Returns:
            Ids [B, T], the LLM's inputs [B, T, D] and their [B, T] int64 mask.
        """
        ids = batch.input_ids.to(self.device)
        columns = torch.arange(ids.shape[1], device=self.device)
        shift = ids.shape[1] - batch.lengths.to(self.device)[:, None]
        rows = torch.arange(len(ids), device=self.device)[:, None]
        source = (columns - shift) % ids.shape[1]
        return ids[rows, source], self.embeddings(batch)[rows, source], (columns >= shift).long()

    def part_of(self, parameter_name: str) -> str | None:
        """Return the part a parameter belongs to, None for what is never trained."""
        return self.family.part_of(parameter_name)

    def parts(self) -> dict[str, list[str]]:
        """Return the full parameter names of encoder, aligner and LLM.

        What belongs to none of them, such as a vision tower, is never trained here.
        """
        named: dict[str, list[str]] = {part: [] for part in PARTS}
        for name, _ in self.model.named_parameters():
            part = self.part_of(name)
            if part is not None:
                named[part].append(name)
        return named

    def lora_target_names(self) -> list[str]:
        """Return the full names of the LLM's linear layers, the only ones that get LoRA."""
        layers = f"{self.family.language_model}.layers."
        return [
            name
            for name, module in self.model.named_modules()
            if name.startswith(layers) and isinstance(module, nn.Linear)
        ]

    def trained_tokens(self) -> dict[str, list[int]]:
        """Return no tokens: all are the LLM's own."""
        return {}

    def rest_encoder(self) -> None:
        """Switch off what is random in encoder and aligner."""
        for part in ("encoder", "aligner"):
            for prefix in self.family.parts[part]:
                self.model.get_submodule(prefix.rstrip(".")).eval()

    def single_precision_attention(self) -> AbstractContextManager[None]:
        """Attend in float32 whatever the model computes in, while the block runs."""
        return single_precision_attention(self.model)

    def save_companions(self, folder: Path) -> None:
        """Write what belongs to the weights in a checkpoint: tokenizer, processor, template."""
        save_companions(self.dialogue, self.source, folder)
