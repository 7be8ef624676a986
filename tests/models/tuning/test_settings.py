import pytest
from pydantic import TypeAdapter, ValidationError

from maqam.errors import ConfigError
from maqam.models.tuning.settings import KINDS, AnyAdapter, Experts, Full, Lora, TaskAdapters
from maqam.recipe import Recipe, dump_yaml, load_recipe
from maqam.train.settings import TrainSettings

READ = TypeAdapter(AnyAdapter).validate_python


def test_a_kind_is_named_by_its_word_or_by_a_table():
    assert READ("moe") == READ({"kind": "moe"}) == Experts()
    assert READ({"kind": "hydra", "ranks": {"mlp": 4}}) == TaskAdapters("hydra", {"mlp": 4})
    assert READ({"dora": True}) == Lora(dora=True)
    assert [READ(kind).kind for kind in KINDS] == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe_that_was_written_is_read_back_equal(kind, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"train: {{adapter: {kind}}}", encoding="utf-8")
    recipe = load_recipe(path)
    assert recipe.train.adapter.kind == kind
    path.write_text(dump_yaml(recipe), encoding="utf-8")
    assert load_recipe(path) == recipe


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("mo", "train.adapter: unknown kind 'mo', did you mean 'moe'?"),
        ("{kind: moe, num_experts: 1}", "num_experts must be at least 2, got 1: one expert is"),
        ("{kind: moe, top_k: 5}", r"top_k must lie in \[1, num_experts\], which is \[1, 4\]"),
        ("{kind: moe, balance: -1}", "balance must be at least 0 and finite"),
        ("{kind: task, num_experts: 3}", "unknown key 'num_experts'"),
        ("{kind: full, rslora: true}", "unknown key 'rslora'"),
        ("{kind: hydra, match_flops: true, match_parameters: true}", "take one"),
        ("{ranks: {mlp: -2}}", r"ranks must be at least 0, got \{'mlp': -2\}"),
        ("{ranks: {mlp: many}}", "train.adapter.ranks.mlp: must be a whole number"),
        ("3", "train.adapter"),
    ],
)
def test_a_wrong_adapter_is_one_error_with_its_place(given, words, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("seed: 0", encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        load_recipe(path, [f"train.adapter={given}"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"adapter_from": "a"}, 'adapter "full" trains the LLM itself and has no adapter_from'),
        ({"lora_rank": 8, "lora_dropout": 0.1}, "has no lora_rank, lora_dropout: leave them out"),
        ({"phase": "align"}, 'adapter "full" is for phase "tune".*set llm "full" there'),
    ],
)
def test_the_whole_llm_has_no_settings_of_adapters(values, words):
    with pytest.raises(ValueError, match=words):
        TrainSettings(adapter=Full(), **values)


@pytest.mark.parametrize("adapter", [TaskAdapters(), Experts()])
def test_phase_align_takes_one_lora_only(adapter):
    with pytest.raises(ValueError, match=r'is for phase "tune".*set llm "lora" there'):
        TrainSettings(phase="align", adapter=adapter)
    with pytest.raises(ValueError, match='llm "full" has no adapter: leave adapter out'):
        TrainSettings(phase="align", llm="full", adapter=Lora(dora=True))


def test_the_whole_llm_leaves_a_checkpoint_and_adapters_leave_adapters():
    assert TrainSettings(adapter=Full()).trainable_parts == ("llm",)
    assert TrainSettings(adapter=Full()).writes_weights
    assert TrainSettings(adapter=Experts()).trainable_parts == ("adapter",)
    assert not TrainSettings(adapter=Experts()).writes_weights


def test_a_setting_of_another_type_is_refused():
    with pytest.raises(ValidationError, match="adapter"):
        Recipe.model_validate({"train": {"adapter": 3}})
