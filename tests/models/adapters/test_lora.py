import numpy as np
import pytest
import torch
from peft import PeftModel

from maqam.errors import ModelError
from maqam.models.adapters import (
    add_adapter,
    load_adapter,
    merge_adapter,
    remove_adapter,
    save_adapter,
    save_weights,
    target_pattern,
)
from maqam.models.freezing import check_trainable, parameter_table, train_only
from maqam.models.loading import load_backbone
from maqam.models.pocket import new_pocket
from maqam.models.protocol import collate
from maqam.models.settings import ModelSettings

TEXTS = ["مرحبا يا صديقي كيف الحال"]


@pytest.fixture
def backbone():
    return new_pocket(TEXTS, 0)


def trained_adapter(backbone, seed=0):
    """Add an adapter that changes what the model says, as training would make it."""
    adapter = add_adapter(backbone, rank=4, alpha=8, seed=seed)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in backbone.model.named_parameters():
        if ".lora_B." in name:
            parameter.data.normal_(std=0.1, generator=generator)
    return adapter


@torch.no_grad()
def hidden(backbone):
    messages = [{"role": "user", "content": TEXTS[0]}, {"role": "assistant", "content": "نعم"}]
    encoded = [backbone.dialogue.encode(messages, 0)]
    return backbone.hidden(collate(encoded, [torch.zeros(0, 256)], backbone.dialogue.padding_id))


def test_adapters_sit_on_all_linear_layers_of_the_llm_and_nowhere_else(backbone):
    targets = set(backbone.lora_target_names())
    add_adapter(backbone, rank=4, alpha=8, seed=0)
    adapted = {
        name.split(".lora_A.")[0]
        for name, _ in backbone.model.named_parameters()
        if ".lora_A." in name
    }
    assert adapted == targets
    assert len(adapted) == 4 * 7


def test_an_untrained_adapter_changes_nothing(backbone):
    before = hidden(backbone)
    add_adapter(backbone, rank=4, alpha=8, seed=0)
    assert torch.equal(hidden(backbone), before)


def test_the_initial_adapter_follows_from_its_seed_alone():
    def weights(seed):
        backbone = new_pocket(TEXTS, 0)
        add_adapter(backbone, rank=4, alpha=8, seed=seed)
        return dict(backbone.model.named_parameters())[
            "model.language_model.layers.0.mlp.up_proj.lora_A.default.weight"
        ]

    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = weights(0)
    torch.rand(3)
    assert torch.equal(first, weights(0))
    assert not torch.equal(first, weights(1))
    torch.manual_seed(5)
    weights(0)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_a_saved_adapter_loads_with_plain_peft(backbone, tmp_path):
    adapter = trained_adapter(backbone)
    save_adapter(adapter, tmp_path)
    plain = new_pocket(TEXTS, 0)
    PeftModel.from_pretrained(plain.model, str(tmp_path)).eval()
    assert torch.allclose(hidden(plain), hidden(backbone), atol=1e-6)


def test_a_loaded_adapter_says_what_the_saved_one_said(backbone, tmp_path):
    save_adapter(trained_adapter(backbone), tmp_path)
    other = new_pocket(TEXTS, 0)
    load_adapter(other, tmp_path)
    assert torch.allclose(hidden(other), hidden(backbone), atol=1e-6)
    assert not any(
        parameter.requires_grad
        for name, parameter in other.model.named_parameters()
        if ".lora_" in name
    )


def test_a_folder_without_an_adapter_is_named(backbone, tmp_path):
    with pytest.raises(ModelError, match="there is no adapter here"):
        load_adapter(backbone, tmp_path / "nowhere")


def test_a_broken_adapter_is_named_and_leaves_the_model_as_it_was(backbone, tmp_path):
    save_adapter(trained_adapter(backbone), tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"cut")
    other = new_pocket(TEXTS, 0)
    with pytest.raises(ModelError, match="the adapter does not load"):
        load_adapter(other, tmp_path)
    add_adapter(other, rank=4, alpha=8, seed=0)


def test_a_second_adapter_is_refused(backbone):
    add_adapter(backbone, rank=4, alpha=8, seed=0)
    with pytest.raises(ModelError, match="the LLM has an adapter already"):
        add_adapter(backbone, rank=4, alpha=8, seed=0)


def test_taking_the_adapter_off_restores_the_model(backbone):
    before, names = hidden(backbone), set(backbone.model.state_dict())
    trained_adapter(backbone)
    assert not torch.allclose(hidden(backbone), before, atol=1e-3)
    remove_adapter(backbone)
    assert torch.equal(hidden(backbone), before)
    assert set(backbone.model.state_dict()) == names


def test_a_merged_adapter_is_part_of_a_plain_checkpoint(backbone, tmp_path):
    trained_adapter(backbone)
    adapted = hidden(backbone)
    with pytest.raises(ModelError, match="has an adapter already"):
        save_weights(backbone, tmp_path)
    merge_adapter(backbone)
    assert torch.allclose(hidden(backbone), adapted, atol=1e-4)
    save_weights(backbone, tmp_path)
    plain = load_backbone(ModelSettings(path=str(tmp_path)))
    assert torch.equal(hidden(plain), hidden(backbone))


def test_a_target_pattern_matches_full_names_only():
    pattern = target_pattern(["model.language_model.layers.3.self_attn.q_proj"])
    assert "audio_tower" not in pattern
    assert pattern == r"model\.language_model\.layers\.\d+\.self_attn\.q_proj"


def test_the_table_of_parameters_counts_every_part(backbone):
    add_adapter(backbone, rank=4, alpha=8, seed=0)
    train_only(backbone, ("adapter",))
    table = {row["part"]: row for row in parameter_table(backbone)}
    assert list(table) == ["encoder", "aligner", "llm", "adapter", "vision"]
    assert {part: row["trainable"] > 0 for part, row in table.items()} == {
        "encoder": False,
        "aligner": False,
        "llm": False,
        "adapter": True,
        "vision": False,
    }
    total = sum(parameter.numel() for parameter in backbone.model.parameters())
    assert sum(row["parameters"] for row in table.values()) == total
    sizes = [
        4 * sum(module.in_features + module.out_features for module in [layer])
        for name, layer in backbone.model.named_modules()
        if name.removesuffix(".base_layer") != name
    ]
    assert table["adapter"]["parameters"] == int(np.sum(sizes))


def test_an_adapter_on_the_audio_tower_is_an_error(backbone):
    tower = backbone.model.model.audio_tower
    tower.layers[0].register_parameter("lora_A", torch.nn.Parameter(torch.zeros(2, 2)))
    with pytest.raises(ModelError, match=r"1 adapter parameters sit outside the LLM: .*layers\.0"):
        train_only(backbone, ("encoder", "aligner", "llm"))


def test_a_parameter_that_should_not_train_is_named(backbone):
    train_only(backbone, ("aligner",))
    backbone.model.lm_head.weight.requires_grad_(True)
    with pytest.raises(ModelError, match=r"1 parameters train outside aligner: .*embed_tokens"):
        check_trainable(backbone, ("aligner",))


def test_training_an_adapter_that_is_not_there_is_an_error(backbone):
    with pytest.raises(ModelError, match="no parameter of the adapter trains"):
        train_only(backbone, ("adapter",))
