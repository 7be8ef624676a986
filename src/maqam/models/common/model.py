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
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache, PreTrainedModel

from maqam.models.common.attention import single_precision_attention
from maqam.models.common.companions import save_companions
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
        """
        if not log_mels:
            return []
        tail = self.dialogue.front_end.tail_frames
        lengths = torch.tensor([len(one) - tail for one in log_mels], device=self.device)
        width = self.family.window_frames or max(len(one) for one in log_mels)
        features = torch.stack([_filled(one, width) for one in log_mels]).to(self.device)
        is_real = torch.arange(width, device=self.device) < lengths[:, None]
        counts = [self.dialogue.num_audio_tokens(len(one)) for one in log_mels]
        return list(torch.split(self._aligned(features, is_real), counts))

    def _aligned(self, features: Tensor, is_real: Tensor) -> Tensor:
        """Return the aligner outputs [total audio tokens, D] of [B, M, N] features, [B, N] real."""
        outputs = self.model.get_audio_features(
            input_features=features, input_features_mask=is_real.long()
        )
        aligned: Tensor = outputs.pooler_output
        return aligned

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
        outputs = self.llm(inputs_embeds=self.embeddings(batch), use_cache=False)
        hidden: Tensor = outputs.last_hidden_state
        return hidden

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

    @torch.no_grad()
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
        language_model = self.llm
        batch = collate(prompts, audio_states, self.dialogue.padding_id)
        inputs, mask = _left_padded(self.embeddings(batch), batch.lengths.to(self.device))
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        cache = DynamicCache(config=self.llm.config)
        answers: list[list[int]] = [[] for _ in prompts]
        is_open = torch.ones(len(prompts), dtype=torch.bool, device=self.device)
        for _ in range(max_new_tokens):
            outputs = language_model(
                inputs_embeds=inputs,
                attention_mask=mask,
                position_ids=positions,
                cache=cache,
                use_cache=True,
            )
            chosen = self.logits(outputs.last_hidden_state[:, -1]).argmax(dim=-1)
            for index, token in enumerate(chosen.tolist()):
                if is_open[index]:
                    answers[index].append(token)
            is_open &= chosen != self.dialogue.end_id
            if not is_open.any():
                break
            inputs = language_model.embed_tokens(chosen)[:, None]
            mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
            positions = positions[:, -1:] + 1
        return answers

    @torch.no_grad()
    def continuation_scores(
        self,
        prompts: Sequence[Encoded],
        audio_states: Sequence[Tensor],
        continuations: Sequence[Sequence[int]],
    ) -> Tensor:
        """Return the log-likelihood of fixed answers after each prompt.

        The prompt runs through the LLM once; its cache serves all answers.

        Args:
            prompts: Dialogues encoded without their target.
            audio_states: Aligner outputs of each prompt.
            continuations: Ids of each answer, the end-of-turn id last.

        Returns:
            [B, num_continuations] float32 sums over the answer's tokens.
        """
        language_model = self.llm
        batch = collate(prompts, audio_states, self.dialogue.padding_id)
        inputs, mask = _left_padded(self.embeddings(batch), batch.lengths.to(self.device))
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        cache = DynamicCache(config=self.llm.config)
        outputs = language_model(
            inputs_embeds=inputs,
            attention_mask=mask,
            position_ids=positions,
            cache=cache,
            use_cache=True,
        )
        num, size = len(continuations), len(prompts)
        cache.batch_repeat_interleave(num)
        answers = [torch.tensor(list(ids), device=self.device) for ids in continuations]
        ids = pad_sequence(answers, batch_first=True, padding_value=self.dialogue.padding_id)
        is_real = pad_sequence([torch.ones_like(one) for one in answers], batch_first=True)
        targets = ids.repeat(size, 1)
        mask = torch.cat([mask.repeat_interleave(num, dim=0), torch.ones_like(targets)], dim=1)
        steps = torch.arange(targets.shape[1], device=self.device)
        later = language_model(
            inputs_embeds=language_model.embed_tokens(targets),
            attention_mask=mask,
            position_ids=positions[:, -1:].repeat_interleave(num, dim=0) + 1 + steps,
            cache=cache,
            use_cache=True,
        )
        first = outputs.last_hidden_state[:, -1:].repeat_interleave(num, dim=0)
        hidden = torch.cat([first, later.last_hidden_state[:, :-1]], dim=1)
        chosen = self.logits(hidden).float().log_softmax(dim=-1).gather(2, targets[..., None])
        summed = (chosen[..., 0] * is_real.repeat(size, 1)).sum(dim=1)
        return summed.view(size, num)

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


def _filled(frames: np.ndarray, width: int) -> Tensor:
    """Return (N, M) frames as [M, width], the last one repeated: it is silence, or masked."""
    kept = frames[:width]  # audio as long as the window leaves no room for the tail
    return torch.from_numpy(np.pad(kept, ((0, width - len(kept)), (0, 0)), mode="edge").T)


def _left_padded(embeddings: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Move right padding to the left, where a growing answer needs it.

    Args:
        embeddings: [B, T, D] right-padded.
        lengths: [B] real tokens.

    Returns:
        [B, T, D] left-padded inputs and their [B, T] int64 mask.
    """
    longest = embeddings.shape[1]
    columns = torch.arange(longest, device=embeddings.device)
    shift = longest - lengths[:, None]
    source = (columns - shift) % longest
    moved = embeddings.gather(1, source[..., None].expand_as(embeddings))
    return moved, (columns >= shift).long()
