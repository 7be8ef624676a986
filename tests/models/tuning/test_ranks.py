import pytest

from maqam.errors import ModelError
from maqam.models.tuning.ranks import flops_of, layer_ranks, matched_ranks, parameters_of
from maqam.models.tuning.settings import Experts, TaskAdapters

SHAPES = {
    f"llm.layers.{layer}.{name}": shape
    for layer in range(4)
    for name, shape in {
        "self_attn.q_proj": (64, 64),
        "self_attn.k_proj": (64, 16),
        "mlp.up_proj": (64, 160),
        "mlp.down_proj": (160, 64),
    }.items()
}
ROUTED = [TaskAdapters("task"), TaskAdapters("shared+task"), TaskAdapters("hydra"), Experts()]


def test_the_last_entry_that_fits_a_layer_gives_its_rank():
    ranks = layer_ranks(SHAPES, 8, {"attention": 4, "k_proj": 2, "*.layers.3.*": 16})
    assert ranks["llm.layers.0.self_attn.q_proj"] == 4
    assert ranks["llm.layers.0.self_attn.k_proj"] == 2
    assert ranks["llm.layers.0.mlp.up_proj"] == 8
    assert ranks["llm.layers.3.self_attn.k_proj"] == 16


def test_a_name_of_no_layer_is_refused_with_those_that_there_are():
    with pytest.raises(ModelError, match="no layer of the LLM is called w_proj, x") as caught:
        layer_ranks(SHAPES, 8, {"mlp": 4, "w_proj": 2, "x": 1})
    assert caught.value.hint.endswith("q_proj, k_proj, up_proj, down_proj")


def test_rank_0_everywhere_is_refused():
    with pytest.raises(ModelError, match="every layer has rank 0"):
        layer_ranks(SHAPES, 8, {"*": 0})


def test_costs_are_those_of_the_matrices_counted_by_hand():
    shape = (10, 6)
    assert parameters_of(TaskAdapters("task"), 3, shape).at(2) == 3 * 2 * 16
    assert parameters_of(TaskAdapters("shared+task"), 3, shape).at(2) == 4 * 2 * 16
    assert parameters_of(TaskAdapters("hydra"), 3, shape).at(2) == 2 * 10 + 3 * 2 * 6
    experts = Experts(num_experts=5, top_k=2)
    assert parameters_of(experts, 3, shape).at(2) == 5 * 2 * 16 + 5 * 10
    assert flops_of(TaskAdapters("task"), 3, shape).at(2) == 2 * 16
    assert flops_of(TaskAdapters("shared+task"), 3, shape).at(2) == 2 * 2 * 16
    assert flops_of(TaskAdapters("hydra"), 3, shape).at(2) == 2 * 16
    assert flops_of(experts, 3, shape).at(2) == 2 * 2 * 16 + 5 * 10


@pytest.mark.parametrize("kind", ROUTED, ids=lambda kind: kind.kind)
@pytest.mark.parametrize("match", ["match_parameters", "match_flops"])
@pytest.mark.parametrize("rank", [8, 13, 32])
def test_matched_ranks_come_as_near_to_plain_lora_as_one_rank_of_one_layer(kind, match, rank):
    asked = type(kind)(kind=kind.kind, **{match: True})
    cost_of = parameters_of if match == "match_parameters" else flops_of
    found = matched_ranks(asked, dict.fromkeys(SHAPES, rank), SHAPES, num_tasks=3)
    costs = {name: cost_of(asked, 3, shape) for name, shape in SHAPES.items()}
    aim = sum(rank * sum(shape) for shape in SHAPES.values())
    reached = sum(cost.at(found.ranks[name]) for name, cost in costs.items())
    assert (found.aim, found.reached) == (aim, reached)
    assert 0 <= aim - reached < max(cost.per_rank for cost in costs.values())
    assert f"{reached:,} " in str(found)
    assert f"{aim:,} " in str(found)


def test_ranks_are_left_alone_where_nothing_is_to_be_matched():
    assert matched_ranks(TaskAdapters(), dict.fromkeys(SHAPES, 8), SHAPES, 3) is None


def test_what_cannot_be_matched_is_refused_with_both_numbers():
    kind = TaskAdapters(match_parameters=True)
    with pytest.raises(
        ModelError, match=r"kind \"task\" cannot be as small.*rank '2': with rank 1"
    ):
        matched_ranks(kind, dict.fromkeys(SHAPES, 2), SHAPES, num_tasks=5)
