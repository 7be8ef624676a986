"""Adapters by task and experts, on a tiny model, beside plain LoRA and PEFT's own classes."""

import json
from dataclasses import replace

import pytest
import torch
import transformers
from peft import PeftModel, PolyConfig, get_peft_model
from safetensors.torch import load_file, save_file

from maqam.errors import ModelError
from maqam.models.adapters import (
    Rows,
    add_adapter,
    check_rows,
    load_adapter,
    merge_adapter,
    new_adapter,
    remove_adapter,
    routed,
    save_adapter,
)
from maqam.models.adapters.layers import ExpertsLinear
from maqam.models.adapters.serving import peft_folders, write_average
from maqam.models.freezing import parameter_table, train_only
from maqam.models.loading import load_backbone
from maqam.models.protocol import collate
from maqam.models.settings import ModelSettings
from maqam.models.tuning.settings import Experts, Lora, NewAdapter, TaskAdapters
from tests.models import tiny

TASKS = ("asr", "did", "a.b/c")
TURNS = (("فرّغ الكلام", "مرحبا يا"), ("egyptian msa", "egyptian"), ("كيف", "الحال يا صديقي"))
KINDS = (
    TaskAdapters("task"),
    TaskAdapters("shared+task"),
    TaskAdapters("hydra"),
    Experts(num_experts=3),
    Experts(num_experts=3, top_k=1),
)
BY_TASK = KINDS[:3]


def named(kind):
    return f"{kind.kind}-{kind.top_k}" if isinstance(kind, Experts) else kind.kind


every_kind = pytest.mark.parametrize("kind", KINDS, ids=named)
kinds_by_task = pytest.mark.parametrize("kind", BY_TASK, ids=named)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("qwen2_audio")
    (family,) = (one for one in tiny.FAMILIES if one.kind == "qwen2_audio")
    family.make(folder)
    return folder


@pytest.fixture
def fresh(checkpoint):
    """Return a function that loads the model anew."""
    device = torch.device("cpu")
    return lambda: load_backbone(ModelSettings("auto", str(checkpoint)), device=device)


def wanted(kind, rank=4):
    return NewAdapter(kind, rank, alpha=8, dropout=0.0, seed=0, tasks=TASKS)


def spread(backbone, seed=1):
    """Give all matrices B values, as training would."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in backbone.model.named_parameters():
        if ".lora_B." in name or "lora_router" in name:
            parameter.data.normal_(std=0.3, generator=generator)


def trained(backbone, kind, rank=4):
    adapter = new_adapter(backbone, wanted(kind, rank))
    spread(backbone)
    return adapter


def batch_of(backbone, turns=TURNS):
    rows = [
        backbone.dialogue.encode(
            [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}], 0
        )
        for asked, answer in turns
    ]
    silent = [torch.zeros(0, backbone.audio_dim)] * len(rows)
    return collate(rows, silent, backbone.dialogue.padding_id)


def hidden(backbone, tasks=TASKS, turns=TURNS):
    with routed(Rows(tasks)), torch.no_grad():
        return backbone.hidden(batch_of(backbone, turns))


def assert_rows_equal(ours, theirs, batch):
    for row, length in enumerate(batch.lengths.tolist()):
        torch.testing.assert_close(ours[row, :length], theirs[row, :length], atol=2e-5, rtol=1e-4)


@every_kind
def test_untrained_adapters_change_nothing(kind, fresh):
    backbone = fresh()
    before = hidden(backbone)
    new_adapter(backbone, wanted(kind))
    assert torch.equal(hidden(backbone), before)


@every_kind
def test_equal_experts_answer_as_the_one_lora_that_they_begin_from(kind, fresh, tmp_path):
    plain = fresh()
    lora = add_adapter(plain, rank=4, alpha=8, seed=3)
    spread(plain)
    save_adapter(lora, tmp_path)
    backbone = fresh()
    new_adapter(backbone, wanted(kind)).begin_from(tmp_path)
    moved = (hidden(plain) - hidden(fresh())).abs().max()
    assert moved > 0.1
    assert_rows_equal(hidden(backbone), hidden(plain), batch_of(plain))


@every_kind
def test_a_row_s_answer_does_not_depend_on_who_shares_its_batch(kind, fresh):
    backbone = fresh()
    trained(backbone, kind)
    together = hidden(backbone)
    for row, length in enumerate(batch_of(backbone).lengths.tolist()):
        alone = hidden(backbone, TASKS[row : row + 1], TURNS[row : row + 1])[0]
        torch.testing.assert_close(together[row, :length], alone, atol=2e-5, rtol=1e-4)


@kinds_by_task
def test_the_task_of_a_row_decides_its_answer(kind, fresh):
    backbone = fresh()
    trained(backbone, kind)
    turns = TURNS[:1] * 3
    answers = hidden(backbone, TASKS, turns)
    assert (answers[0] - answers[1]).abs().max() > 0.05
    assert (answers[0] - answers[2]).abs().max() > 0.05
    same = hidden(backbone, ("did",) * 3, turns)
    torch.testing.assert_close(same[0], answers[1], atol=2e-5, rtol=1e-4)


@every_kind
def test_the_last_layer_at_some_positions_gives_what_all_positions_give(kind, fresh):
    backbone = fresh()
    trained(backbone, kind)
    batch = batch_of(backbone)
    length = batch.input_ids.shape[1]
    positions = torch.tensor([3, 5, length + 4, 2 * length + 2, 2 * length + 7])
    with routed(Rows(TASKS, owners=positions // length)), torch.no_grad():
        chosen = backbone.hidden_at(batch, positions)
    whole = hidden(backbone).flatten(0, 1)[positions]
    torch.testing.assert_close(chosen, whole, atol=2e-5, rtol=1e-4)


@kinds_by_task
def test_the_gradient_of_a_task_s_adapter_comes_from_its_rows_alone(kind, fresh):
    def gradients(rows, tasks):
        backbone = fresh()
        trained(backbone, kind)
        train_only(backbone, ("adapter",))
        with routed(Rows(TASKS)):
            outputs = backbone.hidden(batch_of(backbone))
        outputs[rows, :6].square().sum().backward()
        return {
            name: parameter.grad
            for name, parameter in backbone.model.named_parameters()
            if any(f"to_{task}" in name for task in tasks)
        }

    alone, others = gradients([1], ["did"]), gradients([1], ["asr", "a%2Eb%2Fc"])
    assert all(one is not None and one.abs().max() > 0 for one in alone.values())
    assert all(not one.any() for one in others.values() if one is not None)
    together = gradients([0, 1, 2], ["did"])
    assert together.keys() == alone.keys()
    for name, one in together.items():
        torch.testing.assert_close(one, alone[name], atol=1e-4, rtol=1e-3)


def test_an_adapter_whose_task_is_absent_keeps_no_gradient(fresh):
    backbone = fresh()
    trained(backbone, TaskAdapters())
    with routed(Rows(("asr", "did"))):
        backbone.hidden(batch_of(backbone, TURNS[:2])).sum().backward()
    found = {
        name.split(".lora_B.")[1]: parameter.grad is not None
        for name, parameter in backbone.model.named_parameters()
        if ".lora_B." in name
    }
    assert found == {"to_asr": True, "to_did": True, "to_a%2Eb%2Fc": False}


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_adapters_by_task_answer_as_poly_of_peft_whose_router_is_sure(fresh, checkpoint):
    backbone = fresh()
    adapter = new_adapter(backbone, replace(wanted(TaskAdapters()), alpha=1))
    spread(backbone)
    kind = transformers.Qwen2AudioForConditionalGeneration
    targets = [name.removeprefix("model.") for name in adapter.layers]
    poly = get_peft_model(
        kind.from_pretrained(checkpoint).eval(),
        PolyConfig(
            task_type="CAUSAL_LM",
            r=4,
            n_tasks=3,
            n_skills=3,
            n_splits=1,
            target_modules=rf"(model\.)?({'|'.join(targets)})",
        ),
    ).eval()
    for name, layer in adapter.layers.items():
        theirs = poly.get_base_model().get_submodule(name)
        for index, task in enumerate(TASKS):
            a, b = layer.matrices(task)
            theirs.poly_lora_A["default"].data[0, index] = a.detach().T
            theirs.poly_lora_B["default"].data[0, index] = b.detach().T
        theirs.poly_router["default"].module_logits.data = torch.eye(3) * 200 - 100
    batch = batch_of(backbone)
    columns = torch.arange(batch.input_ids.shape[1])
    with torch.no_grad():
        logits = poly(
            input_ids=batch.input_ids,
            attention_mask=(columns < batch.lengths[:, None]).long(),
            task_ids=torch.arange(3),
        ).logits
    assert_rows_equal(backbone.logits(hidden(backbone)), logits, batch)


@kinds_by_task
@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_the_folder_of_a_task_loads_in_stock_peft_with_equal_logits(
    kind, fresh, checkpoint, tmp_path
):
    backbone = fresh()
    trained(backbone, replace(kind, ranks={"mlp": 2, "*.layers.0.*.q_proj": 3})).save(tmp_path)
    batch = batch_of(backbone)
    ours = backbone.logits(hidden(backbone))
    folders = json.loads((tmp_path / "routing.json").read_text())["folders"]
    assert folders == {"asr": "asr", "did": "did", "a.b/c": "a%2Eb%2Fc"}
    for row, task in enumerate(TASKS):
        stock = transformers.Qwen2AudioForConditionalGeneration.from_pretrained(checkpoint)
        theirs = PeftModel.from_pretrained(stock, str(tmp_path / folders[task])).eval()
        length = int(batch.lengths[row])
        with torch.no_grad():
            logits = theirs(
                input_ids=batch.input_ids[row : row + 1, :length],
                attention_mask=torch.ones(1, length, dtype=torch.long),
            ).logits[0]
        torch.testing.assert_close(ours[row, :length], logits, atol=1e-4, rtol=1e-4)


@every_kind
def test_loaded_adapters_say_what_the_saved_ones_said(kind, fresh, tmp_path):
    backbone = fresh()
    trained(backbone, kind).save(tmp_path)
    other = fresh()
    load_adapter(other, tmp_path)
    assert_rows_equal(hidden(other), hidden(backbone), batch_of(backbone))
    assert not any(
        one.requires_grad for name, one in other.model.named_parameters() if ".lora_" in name
    )


@every_kind
def test_a_run_that_begins_from_saved_adapters_has_their_very_weights(kind, fresh, tmp_path):
    backbone = fresh()
    trained(backbone, kind).save(tmp_path)
    other = fresh()
    new_adapter(other, wanted(kind)).begin_from(tmp_path)
    found = dict(other.model.named_parameters())
    for name, one in backbone.model.named_parameters():
        assert torch.equal(one, found[name]), name


@every_kind
def test_first_weights_follow_from_the_seed_and_leave_torch_s_state_alone(kind, fresh):
    def weights(seed):
        backbone = fresh()
        new_adapter(backbone, replace(wanted(kind), seed=seed))
        return torch.cat(
            [
                one.detach().flatten()
                for name, one in backbone.model.named_parameters()
                if ".lora_" in name
            ]
        )

    before = torch.random.get_rng_state()
    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))
    assert torch.equal(torch.random.get_rng_state(), before)


@every_kind
def test_taking_adapters_off_restores_the_model(kind, fresh):
    backbone = fresh()
    before, names = hidden(backbone), set(backbone.model.state_dict())
    trained(backbone, kind)
    with pytest.raises(ModelError, match="the LLM has an adapter already"):
        new_adapter(backbone, wanted(kind))
    with pytest.raises(ModelError, match="routed adapters cannot be added to the weights"):
        merge_adapter(backbone)
    remove_adapter(backbone)
    assert torch.equal(hidden(backbone), before)
    assert set(backbone.model.state_dict()) == names


@pytest.mark.parametrize("kind", [replace(one, match_parameters=True) for one in KINDS], ids=named)
def test_matched_adapters_have_the_parameters_they_say(kind, fresh):
    plain = fresh()
    add_adapter(plain, rank=16, alpha=8, seed=0)
    backbone = fresh()
    adapter = new_adapter(backbone, wanted(kind, rank=16))
    counts = [
        next(row["parameters"] for row in parameter_table(one) if row["part"] == "adapter")
        for one in (plain, backbone)
    ]
    assert counts == [adapter.matched.aim, adapter.matched.reached]
    assert counts[1] > 0.98 * counts[0]
    scales = {layer.form.scale for layer in adapter.layers.values()}
    assert scales == {0.5}


@pytest.mark.parametrize("top_k", [1, 2])
def test_experts_are_picked_by_the_token_and_a_router_learns_from_the_loss(top_k, fresh):
    backbone = fresh()
    adapter = trained(backbone, Experts(num_experts=3, top_k=top_k))
    hidden(backbone)
    layer = next(iter(adapter.layers.values()))
    _, gates = layer.route(torch.randn(2, 50, layer.base_layer.in_features))
    assert ((gates > 0).sum(dim=-1) == top_k).all()
    torch.testing.assert_close(gates.sum(dim=-1), torch.ones(2, 50))
    assert len(set(gates.argmax(dim=-1).flatten().tolist())) > 1
    backbone.hidden(batch_of(backbone)).square().sum().backward()
    routers = [one for one in backbone.model.modules() if isinstance(one, ExpertsLinear)]
    assert all(one.lora_router.grad.abs().max() > 0 for one in routers)


def test_rows_of_a_task_without_an_adapter_are_counted(fresh):
    backbone = fresh()
    trained(backbone, TaskAdapters())
    words = r"3 rows have no adapter \(2 of task ser, 1 of task ssum\): .* adapters of asr, did, a"
    with pytest.raises(ModelError, match=words):
        check_rows(backbone, ["ser", "asr", "ssum", "ser"])
    with pytest.raises(ModelError, match="1 rows have no adapter"):
        hidden(backbone, ("asr", "did", "ser"))
    check_rows(fresh(), ["ser"])


def test_experts_need_no_task(fresh):
    backbone = fresh()
    trained(backbone, Experts())
    check_rows(backbone, ["ser"])
    with torch.no_grad():
        backbone.hidden(batch_of(backbone))


def test_running_adapters_by_task_without_a_task_says_how_to_name_it(fresh):
    backbone = fresh()
    trained(backbone, TaskAdapters())
    with pytest.raises(ModelError, match="need to know the task of every row"):
        backbone.hidden(batch_of(backbone))


def test_adapters_of_another_kind_task_or_rank_are_not_begun_from(fresh, tmp_path):
    trained(fresh(), TaskAdapters()).save(tmp_path)
    words = 'is of kind "task" for asr, did, a.b/c, the run trains kind "hydra"'
    with pytest.raises(ModelError, match=words):
        new_adapter(fresh(), wanted(TaskAdapters("hydra"))).begin_from(tmp_path)
    new_adapter(fresh(), replace(wanted(TaskAdapters()), tasks=("asr",))).begin_from(tmp_path)
    more = replace(wanted(TaskAdapters()), tasks=("asr", "ser"))
    with pytest.raises(ModelError, match='the run trains kind "task" for asr, ser'):
        new_adapter(fresh(), more).begin_from(tmp_path)
    with pytest.raises(ModelError, match="another rank or scale than the run in 14 of 14 layers"):
        new_adapter(fresh(), wanted(TaskAdapters(), rank=2)).begin_from(tmp_path)
    one = replace(wanted(TaskAdapters()), kind=TaskAdapters("task"), alpha=4)
    with pytest.raises(ModelError, match="another rank or scale"):
        new_adapter(fresh(), one).begin_from(tmp_path)


def test_one_lora_does_not_begin_from_adapters_by_task(fresh, tmp_path):
    trained(fresh(), TaskAdapters()).save(tmp_path)
    lora = new_adapter(fresh(), wanted(Lora()))
    with pytest.raises(ModelError, match='holds adapters of kind "task", the run trains one LoRA'):
        lora.begin_from(tmp_path)
    lora.save(tmp_path / "plain")
    assert (tmp_path / "plain" / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda at: (at / "routing.json").write_text("{}"), "format"),
        (
            lambda at: (at / "routing.json").write_text('{"format_version": 1}'),
            "does not say which folder is whose",
        ),
        (lambda at: (at / "expert-1/adapter_config.json").unlink(), "the adapter does not load"),
        (
            lambda at: (at / "expert-1/adapter_model.safetensors").write_bytes(b"cut"),
            "the adapter does not load",
        ),
        (lambda at: (at / "router.safetensors").unlink(), "the routers do not load"),
        (
            lambda at: save_file({"x": torch.zeros(1)}, at / "router.safetensors"),
            "the routers do not fit the layers of this LLM",
        ),
        (lambda at: changed(at, lambda one: one * float("nan")), "does not fit the layers"),
        (lambda at: changed(at, lambda one: one[:2]), "different layers, ranks or scales"),
    ],
)
def test_a_broken_folder_is_one_error_and_leaves_the_model_as_it_was(spoil, words, fresh, tmp_path):
    trained(fresh(), Experts()).save(tmp_path)
    spoil(tmp_path)
    backbone = fresh()
    with pytest.raises(Exception, match=words):
        load_adapter(backbone, tmp_path)
    new_adapter(backbone, wanted(Experts()))


def changed(folder, change):
    """Change the matrices A of one expert."""
    file = folder / "expert-1/adapter_model.safetensors"
    values = load_file(file)
    save_file(
        {name: change(one).clone() if ".lora_A." in name else one for name, one in values.items()},
        file,
    )


@kinds_by_task
def test_each_task_has_its_peft_folder_whatever_it_is_called(kind, fresh, tmp_path):
    trained(fresh(), kind).save(tmp_path)
    found = peft_folders(tmp_path)
    assert [*found] == [*TASKS]
    assert all((one / "adapter_config.json").is_file() for one in found.values())
    assert all(one.parent == tmp_path for one in found.values())
    assert peft_folders(found["asr"]) == {None: found["asr"]}


@every_kind
def test_the_average_is_one_lora_whose_weights_are_the_mean_of_all(kind, fresh, tmp_path):
    backbone = fresh()
    adapter = trained(backbone, kind)
    adapter.save(tmp_path / "all")
    plain = fresh()
    write_average(plain, tmp_path / "all", tmp_path / "one")
    before = {name: plain.model.get_submodule(name).weight.clone() for name in adapter.layers}
    load_adapter(plain, tmp_path / "one")
    merge_adapter(plain)
    for name, layer in adapter.layers.items():
        products = [b @ a for a, b in (layer.matrices(one) for one in adapter.names)]
        mean = layer.form.scale * torch.stack(products).mean(dim=0)
        gained = plain.model.get_submodule(name).weight - before[name]
        torch.testing.assert_close(gained, mean, atol=1e-5, rtol=1e-4)


def test_what_has_no_folder_a_task_or_no_average_says_so(fresh, tmp_path):
    trained(fresh(), Experts()).save(tmp_path / "moe")
    with pytest.raises(ModelError, match="PEFT has no such adapter"):
        peft_folders(tmp_path / "moe")
    with pytest.raises(ModelError, match="one LoRA, which is the average of itself"):
        write_average(fresh(), tmp_path / "moe/expert-0", tmp_path / "one")
