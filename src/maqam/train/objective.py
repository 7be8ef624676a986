"""What a step minimises: weighted next-token loss at supervised positions, CTC beside it.

Every utterance's weight is fixed for the whole global batch before the step runs, so the loss of
a step is a plain sum over its utterances and any split of it gives the same gradient.

Tensor letters: B utterances, T tokens, D LLM width, S supervised tokens, C letters of CTC.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from maqam.models.adapters import Rows, routed
from maqam.models.protocol import AudioLLM, Batch
from maqam.train.ctc import CtcTargets
from maqam.train.settings import CtcHead, Objective


def utterance_weights(
    tasks: Sequence[str], num_target_tokens: np.ndarray, objective: Objective
) -> np.ndarray:
    """Return the factor of each utterance's summed loss in the loss of its global batch.

    Args:
        tasks: Task of each utterance of the batch.
        num_target_tokens: (batch_size,) supervised tokens of each, at least 1.
        objective: How utterances weigh.

    Returns:
        (batch_size,) float64 factors; times the token counts they sum to 1.

    Examples:
        >>> tokens = np.array([8, 1, 1])
        >>> for normalize in ("token", "utterance", "task"):
        ...     weights = utterance_weights(["asr", "did", "did"], tokens, Objective(normalize))
        ...     print(normalize, (weights * tokens).round(3).tolist())
        token [0.8, 0.1, 0.1]
        utterance [0.333, 0.333, 0.333]
        task [0.5, 0.25, 0.25]
    """
    counts = np.asarray(num_target_tokens, dtype=np.float64)
    factors = np.array([objective.weights.get(task, 1.0) for task in tasks])
    weights: np.ndarray
    if objective.normalize == "token":
        weights = factors / (factors * counts).sum()
    elif objective.normalize == "utterance":
        weights = factors / counts / factors.sum()
    else:
        names, members, sizes = np.unique(
            np.asarray(tasks), return_inverse=True, return_counts=True
        )
        of_tasks = np.array([objective.weights.get(str(name), 1.0) for name in names])
        weights = (of_tasks / of_tasks.sum() / sizes)[members] / counts
    return weights


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """One forward pass on one process.

    Attributes:
        rows: (B,) manifest rows.
        batch: Their dialogues; the audio states are empty where `log_mels` is given.
        supervised: [S] positions in the flattened [B * T] whose next token is supervised.
        targets: [S] those next tokens.
        owners: [S] which utterance each belongs to.
        weights: [B] factor of each utterance's summed loss.
        log_mels: (N_i, M) log-mel of each utterance that is encoded in the step; None where
            the aligner outputs came from elsewhere.
        ctc: Transcripts for the auxiliary loss, if it is used.
        tasks: Task of each utterance, which adapters by task are routed by.
    """

    rows: np.ndarray
    batch: Batch
    supervised: Tensor
    targets: Tensor
    owners: Tensor
    weights: Tensor
    log_mels: list[np.ndarray] | None = None
    ctc: CtcTargets | None = None
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routers:
    """How the routers of experts did in one micro-batch, averaged over layers.

    Attributes:
        balance: [] its part of the step's balancing loss, before its factor.
        entropy: [B] how undecided they were on each utterance: 0 for sure, 1 for evenly.
    """

    balance: Tensor
    entropy: Tensor


def supervise(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Find the positions whose next token is supervised.

    Returns:
        [S] positions in the flattened [B * T], [S] next tokens, [S] owning utterances.
    """
    columns = torch.arange(batch.input_ids.shape[1])
    predicts = (columns >= batch.target_starts[:, None] - 1) & (
        columns < batch.lengths[:, None] - 1
    )  # [B, T]
    owners = predicts.nonzero()[:, 0]
    positions = predicts.flatten().nonzero()[:, 0]
    return positions, batch.input_ids.flatten()[positions + 1], owners


class TrainingModel(nn.Module):
    """A backbone as the trainer sees it: a micro-batch in, its part of the step's loss out.

    Args:
        backbone: The model, trainable parts set.
        letters: (num_letters,) tokens of the CTC head beside its blank; None for no head.
        ctc_weight: Factor of the CTC loss.
        ctc_head: "linear" or "embeddings", as `Objective` says.
        encodes: Whether gradients flow through encoder and aligner.
        runs_llm: Whether there is a next-token loss.

    Attributes:
        balance: Factor of the loss that keeps experts evenly used, where there are experts.
        routers: How their routers did in the last micro-batch.

    Raises:
        ValueError: If neither the LLM nor a CTC head is there to learn from.
    """

    def __init__(
        self,
        backbone: AudioLLM,
        *,
        letters: np.ndarray | None = None,
        ctc_weight: float = 0.0,
        ctc_head: CtcHead = "linear",
        encodes: bool = False,
        runs_llm: bool = True,
    ) -> None:
        super().__init__()
        if not runs_llm and (letters is None or not ctc_weight):
            raise ValueError("without the LLM there is the CTC loss only, and it is off")
        self.model = backbone.model
        self.ctc_head = _ctc_head(backbone, letters, ctc_head) if letters is not None else None
        self._backbone = backbone
        self._ctc_weight = ctc_weight
        self._encodes = encodes
        self._runs_llm = runs_llm
        self.balance = 0.0
        self.routers: Routers | None = None

    def train(self, mode: bool = True) -> "TrainingModel":
        """Switch dropout on or off; a frozen encoder never has any.

        Batch normalisation goes by the statistics of the checkpoint: those of a micro-batch would
        tie an utterance to its neighbours, and no checkpoint of a training keeps them.
        """
        super().train(mode)
        for module in self.model.modules():
            if getattr(module, "track_running_stats", False):
                module.eval()
        if not self._encodes:
            self._backbone.rest_encoder()
        return self

    def forward(self, micro_batch: MicroBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss of a micro-batch.

        Returns:
            Its part of the step's loss, the [B] summed losses of its utterances (detached), which
            are next-token losses or, without the LLM, CTC losses, and its part of the CTC loss
            before `ctc_weight` (detached). `routers` then tells of the experts' routers, if there
        are any.
        """
        batch = self._with_audio(micro_batch)
        ctc, spelled = self._ctc(batch.audio_states, micro_batch.ctc)
        if not self._runs_llm:
            return self._ctc_weight * ctc, spelled.detach(), ctc.detach()
        loss, by_utterance = self._next_token(micro_batch, batch)
        return loss + self._ctc_weight * ctc, by_utterance.detach(), ctc.detach()

    def _next_token(self, micro_batch: MicroBatch, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the weighted next-token loss of a micro-batch, and [B] that of each utterance."""
        device = self._backbone.device
        positions = micro_batch.supervised.to(device)
        owners = micro_batch.owners.to(device)
        with routed(Rows(micro_batch.tasks, batch.lengths, owners)) as rows:
            hidden = self._backbone.hidden_at(batch, positions)  # [S, D]
        logits = self._backbone.logits(hidden).float()
        losses = F.cross_entropy(logits, micro_batch.targets.to(device), reduction="none")
        by_utterance = losses.new_zeros(len(micro_batch.rows)).index_add(0, owners, losses)
        weights = micro_batch.weights.to(device)
        loss = (by_utterance * weights).sum()
        self.routers = None
        if rows.balance:
            # an utterance counts as much here as in the next-token loss; the shares of a step's
            # utterances sum to 1, so no split of it changes a gradient
            shares = weights * torch.bincount(owners, minlength=len(weights))
            balance = (torch.stack(rows.balance).mean(dim=0) * shares).sum()
            self.routers = Routers(balance.detach(), torch.stack(rows.entropy).mean(dim=0))
            loss = loss + self.balance * balance
        return loss, by_utterance

    def _with_audio(self, micro_batch: MicroBatch) -> Batch:
        """Run encoder and aligner where the step has to."""
        batch = micro_batch.batch
        if micro_batch.log_mels is None:
            return batch
        heard = iter(self._backbone.encode_audio([one for one in micro_batch.log_mels if len(one)]))
        silent = torch.zeros(0, self._backbone.audio_dim, device=self._backbone.device)
        states = [next(heard) if len(one) else silent for one in micro_batch.log_mels]
        return Batch(batch.input_ids, batch.lengths, batch.target_starts, states)

    def _ctc(self, audio_states: list[Tensor], ctc: CtcTargets | None) -> tuple[Tensor, Tensor]:
        """Return the weighted CTC loss of a micro-batch, and [B] that of each utterance.

        A transcript that no path through the audio tokens can spell counts 0 here; the run
        reports how many there are.
        """
        device = self._backbone.device
        by_utterance = torch.zeros(len(audio_states), device=device)
        if self.ctc_head is None or ctc is None or not int(ctc.lengths.sum()):
            return by_utterance.sum(), by_utterance
        spoken = ctc.lengths.nonzero()[:, 0]
        heard = [audio_states[index] for index in spoken.tolist()]
        states = pad_sequence(heard, batch_first=True).to(self.ctc_head.weight.dtype)
        # normalised, or CTC grows the aligner outputs and the LLM's own words drown beside them
        scaled = F.rms_norm(states, states.shape[-1:])
        log_probabilities = self.ctc_head(scaled).float().log_softmax(dim=-1)  # [B, T, C]
        losses = F.ctc_loss(
            log_probabilities.transpose(0, 1),
            ctc.letters.to(device),
            torch.tensor([len(one) for one in heard]),
            ctc.lengths[spoken],
            blank=0,
            reduction="none",
            zero_infinity=True,
        )
        by_utterance = by_utterance.index_copy(0, spoken.to(device), losses)
        return (losses * ctc.weights[spoken].to(device)).sum(), by_utterance


def spelling_embeddings(backbone: AudioLLM, letters: np.ndarray) -> Tensor:
    """Return what letters look like to the LLM in place of aligner outputs.

    Args:
        backbone: The model.
        letters: (num_letters,) token ids.

    Returns:
        [1 + num_letters, D] of unit mean square: the blank, which is the embedding of the audio
        placeholder, then the token embeddings.
    """
    ids = np.concatenate([[backbone.dialogue.audio_id], letters]).astype(np.int64)
    table = backbone.model.get_input_embeddings().weight.detach()
    chosen = table[torch.from_numpy(ids).to(table.device)].float()
    return F.rms_norm(chosen, chosen.shape[-1:])


@contextmanager
def without_dropout(learner: TrainingModel) -> Iterator[None]:
    """Switch dropout off for a block."""
    was_training = learner.training
    learner.eval()
    try:
        yield
    finally:
        learner.train(was_training)


def _ctc_head(backbone: AudioLLM, letters: np.ndarray, kind: CtcHead) -> nn.Linear:
    """Make a new head, or one that tells letters by their likeness to the LLM's embeddings."""
    # drawn on the processor, so that it is the same whatever computes
    head = nn.Linear(backbone.audio_dim, len(letters) + 1).to(backbone.device)
    if kind == "linear":
        return head
    head.requires_grad_(False)
    with torch.no_grad():
        head.weight.copy_(spelling_embeddings(backbone, letters) / backbone.audio_dim**0.5)
        head.bias.zero_()
    return head
