"""One audio LLM: encoder, aligner and LLM, with the steps that training and decoding share.

The model is `Qwen2_5OmniThinkerForConditionalGeneration` whatever its size; its own `forward`
projects every position to the vocabulary and pads audio to a maximum, so the parts are called one
by one here, and tests hold them equal to it.

Tensor letters: B utterances, T tokens, D LLM width, N encoder frames, M mel bins.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache, Qwen2_5OmniThinkerForConditionalGeneration

from maqam.models.dialogue import Encoded
from maqam.models.protocol import PARTS, Batch, collate
from maqam.models.qwen_omni.chunks import allow_side_by_side, encode_side_by_side
from maqam.models.qwen_omni.dialogue import DialogueEncoder


class Backbone:
    """A thinker with its dialogue encoder.

    Args:
        model: The thinker; its encoder is set to attend by `chunks.attend`, and LoRA layers may be
            injected into it later.
        dialogue: Encoder of chat rows for this model's tokenizer.
    """

    def __init__(
        self, model: Qwen2_5OmniThinkerForConditionalGeneration, dialogue: DialogueEncoder
    ) -> None:
        self.model = model
        self.dialogue = dialogue
        allow_side_by_side(model.model.audio_tower)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def num_mel_bins(self) -> int:
        """Mel bins the encoder reads."""
        return int(self.model.config.audio_config.num_mel_bins)

    @property
    def audio_dim(self) -> int:
        """Width of the aligner outputs, which is the LLM's."""
        return int(self.model.config.audio_config.output_dim)

    @property
    def max_audio_seconds(self) -> float:
        """Longest audio whose tokens alone would fill the LLM's context."""
        return self.dialogue.max_tokens * 4 / self.dialogue.frames_per_second

    def encode_audio(self, log_mels: Sequence[np.ndarray]) -> list[Tensor]:
        """Run encoder and aligner.

        Args:
            log_mels: (N_i, M) float32 log-mel of each utterance, unpadded.

        Returns:
            Aligner outputs [num_audio_tokens, D] of each utterance; gradients flow.
        """
        if not log_mels:
            return []
        lengths = np.array([len(one) for one in log_mels])
        frames = torch.from_numpy(np.concatenate(list(log_mels))).to(self.device).T.contiguous()
        tower = self.model.model.audio_tower
        if self.device.type == "cpu":
            states = tower(frames, feature_lens=torch.from_numpy(lengths)).last_hidden_state
        else:
            states = encode_side_by_side(tower, frames, lengths)
        counts = [self.dialogue.num_audio_tokens(int(length)) for length in lengths]
        return list(torch.split(states, counts))

    def embeddings(self, batch: Batch) -> Tensor:
        """Return the LLM's inputs [B, T, D], aligner outputs in place of the placeholders."""
        ids = batch.input_ids.to(self.device)
        embeddings = self.model.model.language_model.embed_tokens(ids)
        if not any(len(states) for states in batch.audio_states):
            return embeddings
        audio = torch.cat([states.to(self.device) for states in batch.audio_states])
        is_audio = (ids == self.dialogue.audio_id).unsqueeze(-1).expand_as(embeddings)
        return embeddings.masked_scatter(is_audio, audio.to(embeddings.dtype))

    def hidden(self, batch: Batch) -> Tensor:
        """Return the LLM's hidden states [B, T, D] for every position.

        Rows are right-padded, so causal attention alone keeps padding out of real positions.
        Without images the three rotary axes of the thinker all count tokens.
        """
        outputs = self.model.model.language_model(
            inputs_embeds=self.embeddings(batch), use_cache=False
        )
        return outputs.last_hidden_state

    def logits(self, hidden: Tensor) -> Tensor:
        """Project hidden states [..., D] to the vocabulary."""
        return self.model.lm_head(hidden)

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
        language_model = self.model.model.language_model
        batch = collate(prompts, audio_states, self.dialogue.padding_id)
        inputs, mask = _left_padded(self.embeddings(batch), batch.lengths.to(self.device))
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        cache = DynamicCache(config=self.model.config.text_config)
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
        language_model = self.model.model.language_model
        batch = collate(prompts, audio_states, self.dialogue.padding_id)
        inputs, mask = _left_padded(self.embeddings(batch), batch.lengths.to(self.device))
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        cache = DynamicCache(config=self.model.config.text_config)
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

    def parts(self) -> dict[str, list[str]]:
        """Return the full parameter names of encoder, aligner and LLM.

        The vision tower belongs to none of them: it is never trained here.
        """
        named: dict[str, list[str]] = {part: [] for part in PARTS}
        for name, _ in self.model.named_parameters():
            part = part_of(name)
            if part is not None:
                named[part].append(name)
        return named

    def lora_target_names(self) -> list[str]:
        """Return the full names of the LLM's linear layers, the only ones that get LoRA."""
        return [
            name
            for name, module in self.model.named_modules()
            if name.startswith("model.language_model.layers.") and isinstance(module, nn.Linear)
        ]


def part_of(parameter_name: str) -> str | None:
    """Return the part a thinker's parameter belongs to, None for vision.

    Examples:
        >>> part_of("model.audio_tower.proj.weight"), part_of("model.audio_tower.conv1.bias")
        ('aligner', 'encoder')
    """
    if parameter_name.startswith("model.audio_tower.proj."):
        return "aligner"
    if parameter_name.startswith("model.audio_tower."):
        return "encoder"
    if parameter_name.startswith(("model.language_model.", "lm_head.")):
        return "llm"
    return None


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
