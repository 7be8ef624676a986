"""The rank of every adapter: by kind of layer, and matched to what plain LoRA trains or costs.

A rank-r LoRA of a layer with I inputs and O outputs has r (I + O) parameters, and takes a token as
many multiplications. Every kind of adapter has a number of both that grows with its rank, beside
what its router takes whatever the rank; that is all that matching needs.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from maqam.errors import ModelError, first_few
from maqam.models.tuning.settings import Routed, TaskAdapters

_ATTENTION = ("attn", "attention")
_MLP = ("mlp", "feed_forward", "ffn", "moe", "expert")

Shape = tuple[int, int]


def layer_ranks(names: Iterable[str], rank: int, ranks: Mapping[str, int]) -> dict[str, int]:
    """Return the rank of every layer that gets an adapter.

    Args:
        names: Full names of the linear layers.
        rank: Rank where `ranks` says nothing.
        ranks: Rank by "attention", "mlp" or a pattern of names; the last that fits counts.

    Raises:
        ModelError: If an entry of `ranks` fits no layer, or no layer is left.

    Examples:
        >>> names = ["layers.0.self_attn.q_proj", "layers.0.mlp.up_proj"]
        >>> layer_ranks(names, 8, {"mlp": 0})
        {'layers.0.self_attn.q_proj': 8}
    """
    layers = list(names)
    unmet = [key for key in ranks if not any(_fits(key, name) for name in layers)]
    if unmet:
        known = dict.fromkeys(name.rpartition(".")[2] for name in layers)
        raise ModelError(
            f"no layer of the LLM is called {', '.join(unmet)}",
            where="train.adapter.ranks",
            hint=f"name attention, mlp or a pattern of names: the layers are {', '.join(known)}",
        )
    found = {
        name: next((ranks[key] for key in reversed([*ranks]) if _fits(key, name)), rank)
        for name in layers
    }
    kept = {name: given for name, given in found.items() if given}
    if not kept:
        raise ModelError(
            "every layer has rank 0, so nothing would train",
            where="train.adapter.ranks",
            hint="give some layers a rank",
        )
    return kept


def _fits(key: str, name: str) -> bool:
    parts = name.split(".")
    if key in ("attention", "mlp"):
        words = _ATTENTION if key == "attention" else _MLP
        return any(word in part for part in parts for word in words)
    return fnmatchcase(name, key) or fnmatchcase(parts[-1], key)


@dataclass(frozen=True, slots=True)
class Cost:
    """What adapters of one layer take, in parameters or in multiplications a token.

    Attributes:
        per_rank: For each rank.
        fixed: Whatever the rank.
    """

    per_rank: int
    fixed: int = 0

    def at(self, rank: int) -> int:
        """Return what adapters of a rank take."""
        return self.per_rank * rank + self.fixed


@dataclass(frozen=True, slots=True)
class Matched:
    """Ranks that were chosen to equal plain LoRA.

    Attributes:
        ranks: Rank by layer.
        what: "trained parameters" or "multiplications a token".
        reached: What the adapters have of it.
        aim: What plain LoRA has.
    """

    ranks: dict[str, int]
    what: str
    reached: int
    aim: int

    def __str__(self) -> str:
        """Say what was matched, in one sentence."""
        low, high = min(self.ranks.values()), max(self.ranks.values())
        span = f"rank {low}" if low == high else f"ranks {low} to {high}"
        gap = 100 * (self.reached / self.aim - 1)
        return (
            f"{span}: {self.reached:,} {self.what}, plain LoRA of the ranks given has "
            f"{self.aim:,} ({gap:+.2f} %)"
        )


def parameters_of(kind: Routed, num_tasks: int, shape: Shape) -> Cost:
    """Return the trained parameters of a layer's adapters.

    Args:
        kind: Kind of adapters.
        num_tasks: Tasks that are trained.
        shape: Inputs and outputs of the layer.

    Examples:
        >>> parameters_of(TaskAdapters("hydra"), num_tasks=3, shape=(8, 4)).at(2)
        40
    """
    inputs, outputs = shape
    both = inputs + outputs
    if not isinstance(kind, TaskAdapters):
        return Cost(kind.num_experts * both, kind.num_experts * inputs)
    if kind.kind == "task":
        return Cost(num_tasks * both)
    return Cost(
        (1 + num_tasks) * both if kind.kind == "shared+task" else inputs + num_tasks * outputs
    )


def flops_of(kind: Routed, num_tasks: int, shape: Shape) -> Cost:
    """Return the multiplications that a layer's adapters take a token; see `parameters_of`."""
    inputs, outputs = shape
    both = inputs + outputs
    if not isinstance(kind, TaskAdapters):
        return Cost(kind.top_k * both, kind.num_experts * inputs)
    return Cost(2 * both if kind.kind == "shared+task" else both)


def matched_ranks(
    kind: Routed, ranks: Mapping[str, int], shapes: Mapping[str, Shape], num_tasks: int
) -> Matched | None:
    """Choose the ranks that equal plain LoRA, as the settings of a kind ask.

    Every layer gets the whole rank that stays below its aim; what is left over then raises layers
    by one, in order of their names, so that the sum comes as near as one layer's rank.

    Args:
        kind: Kind of adapters.
        ranks: Rank of plain LoRA by layer.
        shapes: Inputs and outputs of each layer.
        num_tasks: Tasks that are trained.

    Returns:
        None where nothing is to be matched.

    Raises:
        ModelError: If adapters of rank 1 exceed plain LoRA already.
    """
    if not (kind.match_parameters or kind.match_flops):
        return None
    what = "trained parameters" if kind.match_parameters else "multiplications a token"
    cost_of: Callable[[Routed, int, Shape], Cost]
    cost_of = parameters_of if kind.match_parameters else flops_of
    costs = {name: cost_of(kind, num_tasks, shapes[name]) for name in ranks}
    aims = {name: rank * sum(shapes[name]) for name, rank in ranks.items()}
    found = {
        name: max(1, (aims[name] - cost.fixed) // cost.per_rank) for name, cost in costs.items()
    }
    aim = sum(aims.values())
    left = aim - sum(cost.at(found[name]) for name, cost in costs.items())
    if left < 0:
        largest = first_few(sorted({str(rank) for rank in ranks.values()}))
        raise ModelError(
            f'adapters of kind "{kind.kind}" cannot be as small as plain LoRA of rank {largest}: '
            f"with rank 1 in every layer they have {aim - left:,} {what}, it has {aim:,}",
            where="train.lora_rank",
            hint="raise it, or take fewer experts",
        )
    for name in sorted(costs):
        if costs[name].per_rank <= left:
            found[name] += 1
            left -= costs[name].per_rank
    return Matched(found, what, aim - left, aim)
