"""The kinds of `train.adapter`: one LoRA, one a task, experts, or the whole LLM.

A recipe names a kind by a table, `{kind: moe, num_experts: 8}`, or by its word alone, `moe`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from maqam.settings_file import nearest

_FORBID = {"extra": "forbid"}


def _check_ranks(ranks: Mapping[str, int]) -> None:
    wrong = {name: rank for name, rank in ranks.items() if rank < 0}
    if wrong:
        raise ValueError(f"ranks must be at least 0, got {wrong}")


@dataclass(frozen=True, slots=True)
class Lora:
    """One LoRA, which all rows go through.

    Attributes:
        kind: "lora".
        ranks: Rank by kind of layer, "attention" or "mlp", or by a pattern of a layer's name such
            as "q_proj" or "*.layers.0.*", the last that fits; `lora_rank` for other layers, 0 for
            no adapter.
        rslora: Scale by alpha / sqrt(rank), so that high ranks learn as fast as low ones.
        dora: Train the size of each weight column apart from its direction.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    kind: Literal["lora"] = "lora"
    ranks: Mapping[str, int] = field(default_factory=dict)
    rslora: bool = False
    dora: bool = False

    def __post_init__(self) -> None:
        _check_ranks(self.ranks)


@dataclass(frozen=True, slots=True)
class Full:
    """No adapters: the whole LLM trains, and a whole checkpoint comes out.

    Attributes:
        kind: "full".
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    kind: Literal["full"] = "full"


@dataclass(frozen=True, slots=True)
class TaskAdapters:
    """Adapters by task: a row goes through those of its own task.

    Attributes:
        kind: "task", one LoRA a task; "shared+task", one for all rows beside one a task;
            "hydra", one matrix A for all rows and one matrix B a task.
        ranks: As in `Lora`.
        rslora: As in `Lora`.
        match_parameters: Choose ranks so that as many parameters train as in plain LoRA of the
            ranks given.
        match_flops: Choose ranks so that the adapters cost a token as many operations as plain
            LoRA of the ranks given.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    kind: Literal["task", "shared+task", "hydra"] = "task"
    ranks: Mapping[str, int] = field(default_factory=dict)
    rslora: bool = False
    match_parameters: bool = False
    match_flops: bool = False

    def __post_init__(self) -> None:
        _check_ranks(self.ranks)
        _check_match(self.match_parameters, self.match_flops)


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture of LoRA experts: in every layer a router picks some of them for each token.

    Attributes:
        kind: "moe".
        num_experts: LoRA experts of a layer.
        top_k: Experts that a token goes through.
        balance: Factor of the loss that keeps experts evenly used; 0 leaves it out.
        ranks: As in `Lora`, of each expert.
        rslora: As in `Lora`.
        match_parameters: As in `TaskAdapters`, routers counted.
        match_flops: As in `TaskAdapters`, routers counted.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    kind: Literal["moe"] = "moe"
    num_experts: int = 4
    top_k: int = 2
    balance: float = 0.01
    ranks: Mapping[str, int] = field(default_factory=dict)
    rslora: bool = False
    match_parameters: bool = False
    match_flops: bool = False

    def __post_init__(self) -> None:
        if self.num_experts < 2:
            raise ValueError(
                f"num_experts must be at least 2, got {self.num_experts}: one expert is plain "
                'LoRA, kind "lora"'
            )
        if not 1 <= self.top_k <= self.num_experts:
            raise ValueError(
                f"top_k must lie in [1, num_experts], which is [1, {self.num_experts}], got "
                f"{self.top_k}"
            )
        if not 0 <= self.balance < float("inf"):
            raise ValueError(f"balance must be at least 0 and finite, got {self.balance}")
        _check_ranks(self.ranks)
        _check_match(self.match_parameters, self.match_flops)


def _check_match(parameters: bool, flops: bool) -> None:
    if parameters and flops:
        raise ValueError("match_parameters and match_flops ask for different ranks: take one")


Adapter = Lora | Full | TaskAdapters | Experts
Routed = TaskAdapters | Experts
KINDS = tuple(kind for made in get_args(Adapter) for kind in get_args(made.__annotations__["kind"]))


def _as_table(given: object) -> object:
    """Read a word as the kind it names, and refuse an unknown one in our own words."""
    if isinstance(given, str):
        given = {"kind": given}
    if not isinstance(given, Mapping):
        return given
    table = {"kind": "lora", **given}
    if table["kind"] not in KINDS:
        words = f"unknown kind {table['kind']!r}, {nearest(str(table['kind']), KINDS)}"
        raise PydanticCustomError("adapter", "{words}", {"words": words})
    return table


AnyAdapter = Annotated[Adapter, Field(discriminator="kind"), BeforeValidator(_as_table)]
"""An adapter as a recipe holds it: a table with a `kind`, or the word alone."""


@dataclass(frozen=True, slots=True)
class NewAdapter:
    """What decides an untrained adapter.

    Attributes:
        kind: Its kind.
        rank: Rank of layers that the kind gives no other.
        alpha: Their output is multiplied by alpha / rank.
        dropout: Dropout in front of it, in [0, 1).
        seed: Seed of its first weights.
        tasks: Tasks that are trained.
    """

    kind: Lora | Routed
    rank: int
    alpha: int
    dropout: float
    seed: int
    tasks: tuple[str, ...]

    def scale(self, rank: int) -> float:
        """Return what the output of a layer's adapter is multiplied by.

        Args:
            rank: Rank that the layer has by the settings, before ranks are matched.

        Examples:
            >>> NewAdapter(Lora(), 8, alpha=16, dropout=0.0, seed=0, tasks=()).scale(4)
            4.0
        """
        return self.alpha / (math.sqrt(rank) if self.kind.rslora else rank)
