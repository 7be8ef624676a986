"""How a run trains: the weighing of its loss, its optimiser, its budget and its adapters."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar, Literal

from maqam.models.tuning.settings import AnyAdapter, Full, Lora, NewAdapter
from maqam.train.augment import Augmentation

CtcHead = Literal["linear", "embeddings"]
Tracker = Literal["tensorboard", "trackio", "wandb", "mlflow"]

_OF_LORA = ("adapter_from", "lora_rank", "lora_alpha", "lora_dropout")
_COUNTS = ("num_steps", "micro_batches", "checkpoint_steps", "lora_rank", "lora_alpha")


# settings that change no gradient, which a run that goes on may change
FREE = frozenset({"checkpoint_steps", "micro_batches", "micro_tokens", "report_to", "workers"})


@dataclass(frozen=True, slots=True)
class Objective:
    """How the utterances of one global batch weigh in its loss.

    A schedule decides what a step sees; this decides what it counts for. The weights are known
    from the plan before the step runs, so no split into micro-batches changes a gradient.

    Attributes:
        normalize: "token" averages over all target tokens (long targets weigh most), "utterance"
            lets each utterance weigh the same, "task" each task present in the batch.
        weights: Factor by task name, above 0; 1 for tasks not named.
        ctc_weight: Factor of the auxiliary CTC loss on the aligner outputs of speech recognition
            utterances, in phase "align" only; 0 leaves it out.
        ctc_head: What tells letters from aligner outputs: "linear", a new layer that trains, or
            "embeddings", the LLM's token embeddings as they are when the phase begins, so that
            aligner outputs point the same way.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    normalize: Literal["token", "utterance", "task"] = "token"
    weights: Mapping[str, float] = field(default_factory=dict)
    ctc_weight: float = 0.0
    ctc_head: CtcHead = "linear"

    def __post_init__(self) -> None:
        wrong = {task: weight for task, weight in self.weights.items() if not 0 < weight < math.inf}
        if wrong:
            raise ValueError(f"weights must be above 0 and finite, got {wrong}")
        if not 0 <= self.ctc_weight < math.inf:
            raise ValueError(f"ctc_weight must be at least 0 and finite, got {self.ctc_weight}")
        if self.ctc_head != "linear" and not self.ctc_weight:
            raise ValueError(f'ctc_head "{self.ctc_head}" needs a ctc_weight above 0')


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """The optimiser, its budget and its adapters.

    Attributes:
        phase: "align" trains encoder and aligner in full, with the LLM as `llm` says; "tune"
            trains the LLM as `adapter` says and nothing else.
        num_steps: Optimiser steps (the paper's 10,000), which the schedule is stretched over.
        extensions: Steps that were added each time the finished run was extended. The schedule
            stays as it ended; each rises to the learning rate's peak and falls again.
        batch_size: Utterances of a step, over all processes.
        micro_batches: Fewest forward passes a step is split into on each process; more of them
            take less memory and, grouped by length, less padding.
        micro_tokens: Most tokens of a forward pass, padding counted: a step takes as many more
            passes as that needs. When null, a GPU is measured in the first steps, a processor
            has no limit; a pass that runs out of memory halves it and repeats its step.
        learning_rate: Peak learning rate of AdamW.
        warmup: Fraction of the steps in which the learning rate rises.
        decay: Fraction of the steps, at the end, in which it falls to 0; it is flat in between,
            so that the order of stages and the learning rate are not confounded.
        beta2: Decay of AdamW's second moment; at .95 a switch of schedule inflates steps 1.1
            times, at .999 up to 6.5 times (simulated).
        weight_decay: AdamW's weight decay; norms and biases have none.
        max_grad_norm: Gradients above this norm are scaled down to it.
        checkpoint_steps: Steps between checkpoints.
        llm: In phase "align", "lora" trains adapters on the LLM, "full" all of it, as an LLM
            with random weights needs; "off" does not run it: encoder and aligner learn from the
            CTC loss alone, at half the cost.
        adapter: What trains of the LLM: one LoRA, adapters by task, experts, or in phase "tune" all
            of it.
        adapter_from: In phase "tune", folder of the adapter to begin from, such as that of another
            run; a new one when null. It must have the rank and alpha given here.
        lora_rank: Rank of the adapters.
        lora_alpha: Scale of the adapters: their output is multiplied by alpha / rank.
        lora_dropout: Dropout in front of the adapters; above 0, gradients depend on the
            micro-batches.
        report_to: Trackers that get the numbers of every step beside the run's own record:
            tensorboard, trackio, wandb, mlflow; each is a package of its own.
        workers: Processes that prepare micro-batches ahead, in phase "align" only; 0 prepares
            each when its time comes. A GPU waits for a single one; what is trained is the same.
        mixed_precision: Compute in bfloat16 where weights are kept in float32; attention stays
            in float32 on a processor.
        augment: How log-mels are varied, in phase "align" only.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    phase: Literal["align", "tune"] = "tune"
    num_steps: int = 10_000
    extensions: tuple[int, ...] = ()
    batch_size: int = 64
    micro_batches: int = 4
    micro_tokens: int | None = None
    learning_rate: float = 1e-4
    warmup: float = 0.03
    decay: float = 0.2
    beta2: float = 0.95
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    checkpoint_steps: int = 500
    llm: Literal["lora", "full", "off"] = "lora"
    adapter: AnyAdapter = field(default_factory=Lora)
    adapter_from: str | None = None
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    report_to: tuple[Tracker, ...] = ()
    workers: int = 0
    mixed_precision: bool = False
    augment: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        self._check(_COUNTS, lambda value: value >= 1, "at least 1")
        self._check(("learning_rate", "max_grad_norm"), lambda value: value > 0, "above 0")
        self._check(("learning_rate", "weight_decay"), math.isfinite, "finite")
        self._check(("beta2", "lora_dropout"), lambda value: 0 <= value < 1, "in [0, 1)")
        self._check(
            ("weight_decay", "warmup", "decay", "workers"), lambda value: value >= 0, "at least 0"
        )
        if any(steps < 1 for steps in self.extensions):
            raise ValueError(f"extensions must be at least 1 each, got {list(self.extensions)}")
        if self.micro_tokens is not None and self.micro_tokens < 1:
            raise ValueError(f"micro_tokens must be at least 1 or null, got {self.micro_tokens}")
        if self.batch_size < self.micro_batches:
            raise ValueError(
                f"batch_size {self.batch_size} is below micro_batches {self.micro_batches}"
            )
        if self.warmup + self.decay > 1:
            raise ValueError(f"warmup {self.warmup} and decay {self.decay} sum to more than 1")
        if self.phase == "tune" and self.llm != "lora":
            raise ValueError(
                f'phase "tune" trains adapters only: llm "{self.llm}" is for phase "align"; '
                'adapter "full" trains all of the LLM in phase "tune"'
            )
        self._check_adapter()
        if self.phase == "align" and self.adapter_from is not None:
            raise ValueError('phase "align" begins with new adapters: adapter_from is for "tune"')
        if self.phase == "tune" and self.workers:
            raise ValueError('phase "tune" prepares too little to share: workers is for "align"')
        if self.phase == "tune" and self.augment.is_on:
            raise ValueError('phase "tune" trains no encoder: augment is for phase "align"')

    def _check_adapter(self) -> None:
        kind = self.adapter.kind
        if self.phase == "align" and kind != "lora":
            instead = 'llm "full"' if kind == "full" else 'llm "lora"'
            raise ValueError(
                f'adapter "{kind}" is for phase "tune": phase "align" merges its adapter into the '
                f"weights, set {instead} there"
            )
        if self.phase == "align" and self.llm != "lora" and self.adapter != Lora():
            raise ValueError(f'llm "{self.llm}" has no adapter: leave adapter out')
        if kind != "full":
            return
        given = [
            one.name
            for one in fields(self)
            if one.name in _OF_LORA and getattr(self, one.name) != one.default
        ]
        if given:
            raise ValueError(
                f'adapter "full" trains the LLM itself and has no {", ".join(given)}: leave them '
                "out (model.path names weights to begin from), or train another kind"
            )

    def _check(self, names: tuple[str, ...], holds: Callable[[float], bool], words: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not holds(value):
                raise ValueError(f"{name} must be {words}, got {value}")

    @property
    def trainable_parts(self) -> tuple[str, ...]:
        """Parts of the backbone this phase trains.

        Examples:
            >>> TrainSettings(phase="align").trainable_parts
            ('encoder', 'aligner', 'adapter')
        """
        if self.phase == "tune":
            return ("llm",) if isinstance(self.adapter, Full) else ("adapter",)
        llm = {"lora": ("adapter",), "full": ("llm",), "off": ()}[self.llm]
        return ("encoder", "aligner", *llm)

    def new_adapter(self, tasks: Sequence[str], seed: int) -> NewAdapter:
        """Return what decides the untrained adapter of a run.

        Args:
            tasks: Tasks that are trained.
            seed: Seed of its first weights.

        Raises:
            ValueError: If the run has none.
        """
        if isinstance(self.adapter, Full):
            raise ValueError("all of the LLM trains, without adapters")
        numbers = (self.lora_rank, self.lora_alpha, self.lora_dropout)
        return NewAdapter(self.adapter, *numbers, seed, tuple(tasks))

    @property
    def writes_weights(self) -> bool:
        """Whether a whole checkpoint comes out, and not adapters of the one the run began with."""
        return self.phase == "align" or isinstance(self.adapter, Full)

    @property
    def total_steps(self) -> int:
        """Optimiser steps with those of every extension."""
        return self.num_steps + sum(self.extensions)

    def rate(self, step: int) -> float:
        """Return the learning rate of a step as a fraction of its peak.

        Args:
            step: Steps done before, from 0.

        Examples:
            >>> settings = TrainSettings(num_steps=10, warmup=0.2, decay=0.4)
            >>> [settings.rate(step) for step in range(10)]
            [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
            >>> extended = TrainSettings(num_steps=2, extensions=(5,), warmup=0.4, decay=0.4)
            >>> [extended.rate(step) for step in range(7)]
            [1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 0.5]
        """
        length = self.num_steps
        for extension in self.extensions:
            if step < length:
                break
            step, length = step - length, extension
        warmup_steps = round(self.warmup * length)
        decay_steps = round(self.decay * length)
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        left = length - step
        return max(0.0, left / decay_steps) if left < decay_steps else 1.0
