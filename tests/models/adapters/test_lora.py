import json
import re

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from maqam.errors import ModelError
from maqam.models.adapters import (
    add_adapter,
    begin_from,
    load_adapter,
    merge_adapter,
    remove_adapter,
    save_adapter,
    save_weights,
    target_pattern,
)
from maqam.models.freezing import check_trainable, parameter_table, train_only
from maqam.models.loading import load_backbone
from maqam.models.pocket import new_pocket, save_pocket
from maqam.models.protocol import collate
from maqam.models.settings import ModelSettings
from maqam.models.weights.adapter_files import base_name

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


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (lambda found: dict([*found.items()][2:]), r"tensors 2 missing \('base_model.*"),
        (
            lambda found: {name.replace("layers", "blocks"): one for name, one in found.items()},
            r"56 missing .*, 56 unexpected",
        ),
        (lambda found: {name: one[:1] for name, one in found.items()}, "56 of another shape"),
        (
            lambda found: {name: one / 0 for name, one in found.items()},
            r"tensors 56 not finite numbers",
        ),
        (lambda found: found | {"foreign.weight": torch.ones(1)}, r"1 unexpected \('foreign"),
        (lambda found: {}, "56 missing"),
    ],
)
def test_tensors_of_an_adapter_are_counted(backbone, tmp_path, rule, fault):
    save_adapter(trained_adapter(backbone), tmp_path)
    file, other = tmp_path / "adapter_model.safetensors", new_pocket(TEXTS, 0)
    save_file({name: one.contiguous() for name, one in rule(load_file(file)).items()}, file)
    before = hidden(other)
    with pytest.raises(ModelError, match=f"adapter does not fit the layers of this LLM: .*{fault}"):
        load_adapter(other, tmp_path)
    assert torch.equal(hidden(other), before)
    with pytest.raises(ModelError, match=fault):
        begin_from(add_adapter(other, rank=4, alpha=8, seed=0), tmp_path)


def test_an_adapter_for_other_layers_is_refused_with_their_number(backbone, tmp_path):
    save_adapter(trained_adapter(backbone), tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    config["target_modules"] = ["c_attn"]
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    file = tmp_path / "adapter_model.safetensors"
    save_file({"h.0.c_attn.lora_A.weight": torch.ones(1)}, file)
    with pytest.raises(ModelError, match=r"tensors 1 unexpected \('h.0.c_attn.lora_A.weight'\)"):
        load_adapter(new_pocket(TEXTS, 0), tmp_path)


@pytest.mark.parametrize("old", ["model.language_model.", "thinker.model.", "model."])
def test_an_adapter_is_read_by_whatever_names_its_layers_have(backbone, tmp_path, old):
    save_adapter(trained_adapter(backbone), tmp_path)
    file, other = tmp_path / "adapter_model.safetensors", new_pocket(TEXTS, 0)
    saved = {
        name.replace("base_model.model.model.", f"base_model.model.{old}"): one
        for name, one in load_file(file).items()
    }
    assert all(name.startswith(f"base_model.model.{old}layers.") for name in saved)
    save_file(saved, file)
    load_adapter(other, tmp_path)
    assert torch.allclose(hidden(other), hidden(backbone), atol=1e-6)


def test_a_saved_adapter_goes_by_the_names_of_the_hub_and_says_what_it_is_on(backbone, tmp_path):
    base, folder = tmp_path / "models" / "base", tmp_path / "runs" / "a" / "adapter"
    save_pocket(backbone, base)
    llm = load_backbone(ModelSettings("auto", str(base)))
    save_adapter(trained_adapter(llm), folder, {"schedule": "tpc"})
    layers = {name.split(".lora_")[0] for name in load_file(folder / "adapter_model.safetensors")}
    on_disk = {name.removesuffix(".weight") for name in load_file(base / "model.safetensors")}
    assert {name.removeprefix("base_model.model.") for name in layers} < on_disk
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["task_type"] == "CAUSAL_LM"
    assert (folder / config["base_model_name_or_path"]).resolve() == base.resolve()
    modules = ["model.layers.0.mlp.up_proj", "thinker.model.layers.0.mlp.up_proj"]
    modules.append("thinker.model.language_model.layers.3.self_attn.q_proj")
    assert all(re.fullmatch(config["target_modules"], name) for name in modules)
    others = ["talker.model.layers.0.mlp.up_proj", "thinker.audio_tower.layers.0.self_attn.q_proj"]
    assert not any(re.fullmatch(config["target_modules"], name) for name in others)
    card = (folder / "README.md").read_text()
    assert "| schedule | tpc |" in card
    assert "Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained" in card


def test_a_base_of_the_hub_s_cache_is_named_by_its_id(tmp_path):
    folder = tmp_path / "models--Qwen--Qwen2.5-Omni-7B" / "snapshots" / "ae9e1690543ffd5c0221dc27f"
    folder.mkdir(parents=True)
    assert base_name(str(folder), tmp_path) == "Qwen/Qwen2.5-Omni-7B"


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
