"""BERTScore of summaries with a model on this machine (Zhang et al., *ICLR*, 2020).

Each token is matched with the most similar one of the other text, by the cosine of hidden states
of one layer. As in the authors' code without idf weights and rescaling, [CLS] and [SEP] may be
matched but are not averaged over.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from maqam.errors import ModelError, RunError, first_line
from maqam.progress import Progress
from maqam.score.bootstrap import block_sums, interval
from maqam.score.measure import ratio
from maqam.score.scoring import blocks_of, take
from maqam.seeding import generator
from maqam.tasks import Tasks, default_tasks, summary_tasks

FORMAT_VERSION = 1
NUM_RESAMPLES = 2000
_BATCH = 32


class BertScorer:
    """A text encoder that tells how alike two texts are.

    Args:
        path: Folder of a checkpoint that transformers' AutoModel and AutoTokenizer read.
        layer: Hidden layer that is compared, from 1; 0 takes the input embeddings, None the last.

    Raises:
        ModelError: If there is no such checkpoint or layer.
    """

    def __init__(self, path: Path, layer: int | None = None) -> None:
        if not path.is_dir():
            raise ModelError(
                "no folder of a checkpoint", where=str(path), hint="give a local path of a BERT"
            )
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
            self._model = AutoModel.from_pretrained(path, local_files_only=True).eval()
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"not readable: {first_line(error)}",
                where=str(path),
                hint="it needs config.json, model.safetensors and tokenizer.json",
            ) from error
        num_layers = int(self._model.config.num_hidden_layers)
        self.layer = num_layers if layer is None else layer
        if not 0 <= self.layer <= num_layers:
            raise ModelError(
                f"no layer {layer}: the model has {num_layers}",
                where=str(path),
                hint=f"give 0 to {num_layers}",
            )

    def fingerprint(self) -> str:
        """Return a hash of the weights, which the score depends on."""
        digest = hashlib.blake2b(digest_size=16)
        for name, value in sorted(self._model.state_dict().items()):
            digest.update(name.encode() + value.detach().float().numpy().tobytes())
        return digest.hexdigest()

    def score(self, references: Sequence[str], hypotheses: Sequence[str]) -> np.ndarray:
        """Compare texts.

        Args:
            references: Reference texts.
            hypotheses: Texts to score, in the same order.

        Returns:
            (num_texts, 3) precision, recall and F1; 0 where either text is empty.
        """
        found = []
        for begin in range(0, len(references), _BATCH):
            ours, theirs = (
                self._states(list(texts[begin : begin + _BATCH]))
                for texts in (hypotheses, references)
            )
            found += [_matched(one, other) for one, other in zip(ours, theirs, strict=True)]
        return np.array(found, dtype=np.float64).reshape(-1, 3)

    @torch.no_grad()
    def _states(self, texts: list[str]) -> list[tuple[Tensor, Tensor]]:
        """Return unit states [T, D] of each text, and which of its tokens are words [T]."""
        longest = min(int(self._tokenizer.model_max_length), 512)
        batch = self._tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=longest,
            return_tensors="pt",
            return_special_tokens_mask=True,
        )
        special = batch.pop("special_tokens_mask").bool()
        states = self._model(**batch, output_hidden_states=True).hidden_states[self.layer]
        states = F.normalize(states.float(), dim=-1)
        lengths = batch["attention_mask"].sum(dim=1).tolist()
        return [
            (own[:length], ~marks[:length])
            for own, marks, length in zip(states, special, lengths, strict=True)
        ]


def _matched(
    hypothesis: tuple[Tensor, Tensor], reference: tuple[Tensor, Tensor]
) -> tuple[float, float, float]:
    (ours, is_ours), (theirs, is_theirs) = hypothesis, reference
    if not is_ours.any() or not is_theirs.any():
        return 0.0, 0.0, 0.0
    similar = ours @ theirs.T
    precision = float(similar.max(dim=1).values[is_ours].mean())
    recall = float(similar.max(dim=0).values[is_theirs].mean())
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total > 0 else 0.0


def score_summaries(
    columns: Mapping[str, Sequence[Any]],
    scorer: BertScorer,
    *,
    tasks: Tasks | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return the BERTScore of every summary of a run, and their means.

    Args:
        columns: Columns of hypotheses.parquet.
        scorer: The model.
        tasks: The tasks that there are; the five of the paper when absent.
        seed: Seed of the bootstrap.
        progress: Called with the summaries scored and their total.

    Returns:
        A plain record: layer and hash of the model, mean precision, recall and F1 of each task
        with intervals over speakers, and the F1 of each utterance.

    Raises:
        RunError: If there is no summary.
    """
    known = summary_tasks(default_tasks() if tasks is None else tasks)
    rows = np.flatnonzero(np.isin(np.asarray(columns["task"], dtype=object), known))
    if not len(rows):
        raise RunError("there is no summary to score", hint=f"tasks {', '.join(known)}")
    own = take(columns, rows)
    parts = []
    for begin in range(0, len(rows), _BATCH):
        pair = (own[name][begin : begin + _BATCH] for name in ("reference", "hypothesis"))
        parts.append(scorer.score(*pair))
        if progress is not None:
            progress(min(begin + _BATCH, len(rows)), len(rows))
    values, blocks = np.concatenate(parts), blocks_of(own)
    found: dict[str, Any] = {}
    for task in known:
        members = [at for at, name in enumerate(own["task"]) if name == task]
        for column, name in enumerate(("precision", "recall", "f1") if members else ()):
            sums = block_sums(
                np.stack([values[members, column], np.ones(len(members))], axis=1),
                [blocks[at] for at in members],
            )
            rng = generator(seed, "bertscore", task, name)
            around = interval(sums, ratio, num_resamples=NUM_RESAMPLES, rng=rng)
            mean = float(ratio(sums.sum(axis=0)))
            found.setdefault(task, {"num_utterances": len(members)})[name] = {
                "mean": mean,
                "low": around.low,
                "high": around.high,
            }
    return {
        "format_version": FORMAT_VERSION,
        "layer": scorer.layer,
        "weights": scorer.fingerprint(),
        "tasks": found,
        "utterances": dict(zip(own["id"], values[:, 2].tolist(), strict=True)),
    }
