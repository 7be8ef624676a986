"""Teaching a new LLM to write down what it is shown, before it hears anything.

A pretrained LLM can copy: it finds where in its context the last word stood and goes on from there.
A new one learns that very slowly from aligner outputs that are still noise, and learns to guess
the text instead. So it is first shown spellings: its own token embeddings in place of aligner
outputs, held for some positions and parted by blanks as CTC aligns them, equal ones always. Half
of the spellings are strings of random tokens, which nothing but copying can predict.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from maqam.errors import RunError
from maqam.models.protocol import AudioLLM, Batch, collate
from maqam.progress import Progress
from maqam.seeding import derive, generator
from maqam.train.checkpoints import weights_folder
from maqam.train.objective import spelling_embeddings, supervise
from maqam.train.record import weights_fingerprint

WEIGHTS = "llm.safetensors"
_IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Copying:
    """How an LLM learns to copy.

    Attributes:
        num_steps: Steps.
        batch_size: Spellings a step.
        learning_rate: Peak of AdamW's rate, reached in 50 steps, kept to the half, 0 at the end.
        random_share: Share of spellings of random tokens, in [0, 1].
        noise: Standard deviation of the noise on the embeddings, which have unit mean square; at
            least 0.
    """

    num_steps: int = 1500
    batch_size: int = 32
    learning_rate: float = 2e-3
    random_share: float = 0.5
    noise: float = 0.3

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, from 0, as a fraction of its peak.

        Examples:
            >>> [Copying(num_steps=200).rate(step) for step in (0, 49, 100, 150, 199)]
            [0.02, 1.0, 1.0, 0.5, 0.01]
        """
        left = (self.num_steps - step) / (0.5 * self.num_steps)
        return min(1.0, (step + 1) / 50, left)


def learn_to_copy(
    backbone: AudioLLM,
    dialogues: Sequence[Sequence[Mapping[str, str]]],
    folder: Path,
    settings: Copying,
    seed: int,
    progress: Progress | None = None,
) -> None:
    """Train the LLM of a backbone to copy, or read what an earlier call trained.

    Args:
        backbone: The model; its LLM is changed.
        dialogues: Transcribed utterances, the transcript the last turn.
        folder: Where the trained LLM is kept, whole or not at all.
        settings: How it learns.
        seed: Seed of spellings and noise.
        progress: Called with the steps done and their total.

    Raises:
        RunError: If the folder holds an LLM taught otherwise, the loss is no longer a number, or
            the disk is full.
    """
    llm, path = backbone.llm, folder / WEIGHTS
    identity = _identity(backbone, dialogues, settings, seed)
    if path.is_file():
        llm.load_state_dict(_kept(path, identity, backbone.device))
        return
    speller = _Speller(backbone, dialogues, settings)
    rng, noise = generator(seed, "spellings"), torch.Generator().manual_seed(derive(seed, "noise"))
    parameters = list(llm.parameters())
    optimizer = torch.optim.AdamW(
        parameters, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    for step in range(settings.num_steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * settings.rate(step)
        loss = _loss(backbone, speller.batch(rng, noise))
        if not math.isfinite(loss.item()):
            raise RunError(
                f"the loss is {loss.item()}",
                where=f"copying, step {step + 1}",
                hint="lower the learning rate of copying",
            )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if progress is not None:
            progress(step + 1, settings.num_steps)
    tensors = {name: value.contiguous() for name, value in llm.state_dict().items()}
    with weights_folder(folder) as staged:
        save_file(tensors, staged / WEIGHTS, metadata={_IDENTITY: identity})


def _identity(
    backbone: AudioLLM,
    dialogues: Sequence[Sequence[Mapping[str, str]]],
    settings: Copying,
    seed: int,
) -> str:
    """Return a hash of all that decides what the LLM learns."""
    tokenizer = backbone.dialogue.tokenizer.to_str()
    parts = [asdict(settings), seed, weights_fingerprint(backbone), tokenizer, list(dialogues)]
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _kept(path: Path, identity: str, device: torch.device) -> dict[str, Tensor]:
    """Read an LLM that was taught just so."""
    try:
        with safe_open(path, framework="pt") as file:
            held = (file.metadata() or {}).get(_IDENTITY)
    except SafetensorError:
        held = None
    if held != identity:
        raise RunError(
            "the LLM was taught with other settings or data, or the file is cut",
            where=str(path),
            hint="remove the file, or build in another work folder",
        )
    return load_file(path, device=str(device))


class _Speller:
    def __init__(
        self,
        backbone: AudioLLM,
        dialogues: Sequence[Sequence[Mapping[str, str]]],
        settings: Copying,
    ) -> None:
        self._backbone, self._settings = backbone, settings
        encoder = backbone.dialogue
        self._dialogues = [[dict(turn) for turn in one] for one in dialogues]
        self._tokens = [np.array(encoder.target_ids(one[-1]["content"])[:-1]) for one in dialogues]
        self._pool = np.concatenate(self._tokens)
        self._letters = np.unique(self._pool)

    def batch(self, rng: np.random.Generator, noise: torch.Generator) -> Batch:
        """Draw spellings with their dialogues."""
        shown = spelling_embeddings(self._backbone, self._letters)
        encoded, states = [], []
        for at in rng.integers(len(self._tokens), size=self._settings.batch_size).tolist():
            tokens = self._tokens[at]
            if rng.random() < self._settings.random_share:
                tokens = rng.choice(self._pool, size=len(tokens))
            held = rng.integers(1, 3, size=len(tokens))
            blanks = rng.integers(0, 5, size=len(tokens) + 1)
            blanks[1:-1] += (tokens[1:] == tokens[:-1]) & (blanks[1:-1] == 0)
            width = int(held.sum() + blanks.sum())
            one = self._backbone.dialogue.encode(self._dialogues[at], width)
            one.input_ids[one.target_start : one.target_start + len(tokens)] = tokens
            codes = np.zeros(2 * len(tokens) + 1, dtype=np.int64)
            codes[1::2] = np.searchsorted(self._letters, tokens) + 1
            lengths = np.empty(len(codes), dtype=np.int64)
            lengths[0::2], lengths[1::2] = blanks, held
            spelled = shown[torch.from_numpy(np.repeat(codes, lengths)).to(shown.device)]
            blur = torch.randn(spelled.shape, generator=noise).to(spelled.device)
            encoded.append(one)
            states.append(spelled + self._settings.noise * blur)
        return collate(encoded, states, self._backbone.dialogue.padding_id)


def _loss(backbone: AudioLLM, batch: Batch) -> Tensor:
    """Return the mean next-token loss over the transcripts, computed in bfloat16."""
    positions, targets, _ = supervise(batch)
    device = backbone.device
    positions, targets = positions.to(device), targets.to(device)
    on_processor = device.type == "cpu"
    with (
        torch.autocast(device.type, torch.bfloat16),
        backbone.single_precision_attention() if on_processor else nullcontext(),
    ):
        hidden = backbone.hidden_at(batch, positions)
    logits = backbone.logits(hidden).float()
    return F.cross_entropy(logits, targets)
