"""What a run trained, held to PEFT's own merge and to the classes of transformers."""

import json
import shutil

import pytest
import torch
from jinja2 import Environment
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5OmniThinkerForConditionalGeneration as Thinker
from transformers import Qwen2AudioForConditionalGeneration

from maqam.corpora.cards.catalog import read_card
from maqam.deploy.export import ExportChoice, export_run
from maqam.errors import ModelError, RunError
from maqam.models.adapters import new_adapter, save_weights
from maqam.models.common.jinja import jinja_of
from maqam.models.families import FAMILIES
from maqam.models.tuning.settings import Experts, NewAdapter, TaskAdapters
from maqam.models.weights.shards import weight_files
from tests.models.tiny import FAMILIES as TINY
from tests.models.tiny import qwen

from . import runs

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return runs.make_checkpoint(tmp_path_factory.mktemp("base") / "thinker")


@pytest.fixture(scope="module")
def larger(checkpoint, tmp_path_factory):
    return runs.make_larger(checkpoint, tmp_path_factory.mktemp("larger") / "omni")


@pytest.fixture(scope="module")
def run(checkpoint, tmp_path_factory):
    return runs.make_run(tmp_path_factory.mktemp("run"), checkpoint)


def tensors(folder):
    """Return all tensors of a checkpoint by their names on the disk."""
    files = weight_files(folder)
    held = {file: load_file(file) for file in set(files.values())}
    return {name: held[file][name] for name, file in files.items()}


def merged_by_peft(checkpoint, adapter, architecture=Thinker):
    model = PeftModel.from_pretrained(architecture.from_pretrained(checkpoint), str(adapter))
    return model.merge_and_unload().state_dict()


def differs(found, wanted):
    return {name for name in wanted if not torch.allclose(found[name], wanted[name], atol=1e-6)}


def test_merged_weights_are_those_of_peft(checkpoint, run, tmp_path):
    export_run(run, tmp_path / "out", ExportChoice())
    wanted = merged_by_peft(checkpoint, run / "adapter")
    stock = Thinker.from_pretrained(tmp_path / "out").state_dict()
    assert differs(stock, wanted) == set()
    assert len(differs(stock, Thinker.from_pretrained(checkpoint).state_dict())) == 28
    assert runs.load(tmp_path / "out").dialogue.end_id


def test_half_precision_is_kept_and_merged_as_peft_does(checkpoint, run, tmp_path):
    half = shutil.copytree(checkpoint, tmp_path / "half")
    whole = {name: one.bfloat16() for name, one in tensors(checkpoint).items()}
    save_file(whole, half / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((half / "config.json").read_text())
    (half / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))
    other = runs.make_run(tmp_path, half)
    export_run(other, tmp_path / "out", ExportChoice())
    wanted = merged_by_peft(half, other / "adapter")
    found = Thinker.from_pretrained(tmp_path / "out").state_dict()
    assert {one.dtype for one in tensors(tmp_path / "out").values()} == {torch.bfloat16}
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_a_larger_model_keeps_all_that_is_not_trained(larger, run, tmp_path):
    other = runs.make_run(tmp_path, larger)
    shutil.rmtree(other / "adapter")
    shutil.copytree(run / "adapter", other / "adapter")
    export_run(other, tmp_path / "out", ExportChoice(to="vllm"))
    before, after = tensors(larger), tensors(tmp_path / "out")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert before.keys() == after.keys()
    assert len(changed) == 28
    assert all(name.startswith("thinker.model.layers.") for name in changed)
    assert (tmp_path / "out/spk_dict.pt").read_bytes() == b"speakers"
    assert json.loads((tmp_path / "out/config.json").read_text()) == json.loads(
        (larger / "config.json").read_text()
    )
    index = json.loads((tmp_path / "out/model.safetensors.index.json").read_text())["weight_map"]
    assert index.keys() == before.keys()


def test_a_part_that_stands_alone_is_laid_out_as_the_class_that_vllm_registers(run, tmp_path):
    export_run(run, tmp_path / "out", ExportChoice(to="vllm"))
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert config["architectures"] == ["Qwen2_5OmniForConditionalGeneration"]
    assert config["model_type"] == "qwen2_5_omni"
    assert all(name.startswith("thinker.") for name in tensors(tmp_path / "out"))
    export_run(run, tmp_path / "hf", ExportChoice())
    plain = tensors(tmp_path / "hf")
    again = runs.load(tmp_path / "out").model.state_dict()
    assert differs(again, runs.load(tmp_path / "hf").model.state_dict()) == set()
    assert len(plain) == len(tensors(tmp_path / "out"))


def test_a_run_that_trained_whole_parts_goes_into_the_larger_model(larger, tmp_path):
    run, backbone = runs.begin_run(tmp_path, larger), runs.load(larger)
    bias = backbone.model.model.audio_tower.proj.bias
    bias.data += 1
    save_weights(backbone, run / "weights")
    export_run(run, tmp_path / "out", ExportChoice())
    before, after = tensors(larger), tensors(tmp_path / "out")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"thinker.audio_tower.proj.bias"}
    with pytest.raises(RunError, match="the run trained whole parts of the model, no adapter"):
        export_run(run, tmp_path / "peft", ExportChoice(to="peft"))


def test_a_run_that_trained_whole_parts_of_a_plain_model_is_its_weights(checkpoint, tmp_path):
    run, backbone = runs.begin_run(tmp_path, checkpoint), runs.load(checkpoint)
    save_weights(backbone, run / "weights")
    export_run(run, tmp_path / "out", ExportChoice())
    found, wanted = tensors(tmp_path / "out"), tensors(run / "weights")
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_weights_whose_names_are_long_already_get_no_second_prefix(larger, tmp_path):
    save_weights(runs.load(larger), tmp_path / "weights")
    assert all(name.startswith("thinker.") for name in tensors(tmp_path / "weights"))
    run = runs.make_run(tmp_path, tmp_path / "weights")
    export_run(run, tmp_path / "out", ExportChoice(to="vllm"))
    assert tensors(tmp_path / "out").keys() == tensors(tmp_path / "weights").keys()


def test_another_family_is_exported_the_same_way(tmp_path):
    folder = tmp_path / "base"
    qwen.make_qwen2_audio(folder)
    run = runs.make_run(tmp_path, folder)
    export_run(run, tmp_path / "out", ExportChoice(to="vllm"))
    wanted = merged_by_peft(folder, run / "adapter", Qwen2AudioForConditionalGeneration)
    found = Qwen2AudioForConditionalGeneration.from_pretrained(tmp_path / "out").state_dict()
    assert differs(found, wanted) == set()
    copied = {"tokenizer.json", "processor_config.json", "chat_template.jinja"}
    assert copied <= {path.name for path in (tmp_path / "out").iterdir()}
    export_run(run, tmp_path / "peft", ExportChoice(to="peft"))
    config = json.loads((tmp_path / "peft/adapter_config.json").read_text())
    assert (tmp_path / "peft" / config["base_model_name_or_path"]).resolve() == folder.resolve()


def test_an_adapter_has_one_form_for_each_class_that_it_goes_on(larger, run, tmp_path):
    other = runs.make_run(tmp_path, larger)
    (note,) = export_run(other, tmp_path / "out", ExportChoice(to="peft"))
    assert "whole-renamed/" in note
    begins = {
        "model": "base_model.model.model.layers.",
        "whole": "base_model.model.thinker.model.layers.",
        "whole-renamed": "base_model.model.thinker.model.language_model.layers.",
    }
    for form, begin in begins.items():
        saved = load_file(tmp_path / "out" / form / "adapter_model.safetensors")
        assert len(saved) == 56
        assert all(name.startswith(begin) for name in saved)


def by_task(tmp_path, checkpoint, kind=None):
    """Write a run of adapters by task, each of which changes answers in its own way."""
    run, backbone = runs.begin_run(tmp_path, checkpoint), runs.load(checkpoint)
    kind = kind or TaskAdapters("task", ranks={"mlp": 2})
    wanted = NewAdapter(kind, 4, alpha=8, dropout=0.0, seed=0, tasks=("asr", "did"))
    adapter = new_adapter(backbone, wanted)
    for name, parameter in backbone.model.named_parameters():
        if ".lora_B." in name:
            parameter.data.normal_(std=0.1)
    adapter.save(run / "adapter")
    return run


@pytest.mark.parametrize("kind", ["task", "shared+task"])
def test_of_adapters_by_task_one_or_their_mean_is_merged(checkpoint, tmp_path, kind):
    run = by_task(tmp_path, checkpoint, TaskAdapters(kind, ranks={"mlp": 2}))
    for task in ("asr", "did"):
        export_run(run, tmp_path / task, ExportChoice(task=task))
        wanted = merged_by_peft(checkpoint, run / "adapter" / task)
        assert differs(Thinker.from_pretrained(tmp_path / task).state_dict(), wanted) == set()
    export_run(run, tmp_path / "mean", ExportChoice(average=True))
    asr, did, mean = (tensors(tmp_path / name) for name in ("asr", "did", "mean"))
    wanted = {name: (asr[name] + did[name]) / 2 for name in mean}
    assert differs(mean, wanted) == set()
    assert differs(asr, did)


def test_experts_cannot_be_merged_and_are_one_line(checkpoint, tmp_path):
    run = by_task(tmp_path, checkpoint, Experts(num_experts=2))
    with pytest.raises(ModelError, match="every layer decides which experts"):
        export_run(run, tmp_path / "out", ExportChoice())


@pytest.mark.parametrize(
    ("choice", "fault", "hint"),
    [
        (ExportChoice(), "one adapter a task", "--task (asr, did), or --average"),
        (ExportChoice(task="ser"), "no adapter of task 'ser'", "(asr, did)"),
        (ExportChoice(to="peft", average=True), "a mean of adapters is no adapter", "--to hf"),
    ],
)
def test_a_choice_among_tasks_that_there_is_not_is_one_line(
    checkpoint, tmp_path, choice, fault, hint
):
    run = by_task(tmp_path, checkpoint)
    with pytest.raises(RunError, match=fault) as error:
        export_run(run, tmp_path / "out", choice)
    assert hint in error.value.hint
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_is_one_line(checkpoint, run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    with pytest.raises(RunError, match="there is something here already"):
        export_run(run, tmp_path / "out", ExportChoice())
    with pytest.raises(RunError, match="one adapter for all tasks"):
        export_run(run, tmp_path / "new", ExportChoice(task="asr"))
    unfinished = runs.begin_run(tmp_path, checkpoint)
    with pytest.raises(ModelError, match="there is no adapter here"):
        export_run(unfinished, tmp_path / "new", ExportChoice())
    (unfinished / "run.json").write_text('{"format_version": 1, "state": "running"}')
    with pytest.raises(RunError, match="the run is not finished"):
        export_run(unfinished, tmp_path / "new", ExportChoice())
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (lambda name, one: (name.replace("layers", "blocks"), one), "28 missing .*56 unexpected"),
        (lambda name, one: (name, one * float("inf")), "56 not finite numbers"),
    ],
)
def test_an_adapter_that_does_not_fit_is_counted(checkpoint, run, tmp_path, rule, fault):
    other = runs.begin_run(tmp_path, checkpoint)
    shutil.copytree(run / "adapter", other / "adapter")
    file = other / "adapter/adapter_model.safetensors"
    save_file(dict(rule(*one) for one in load_file(file).items()), file)
    with pytest.raises(ModelError, match=f"does not fit the checkpoint: tensors {fault}"):
        export_run(other, tmp_path / "out", ExportChoice())
    assert not (tmp_path / "out").exists()


def test_a_broken_adapter_and_numbers_beyond_the_format_are_one_line(checkpoint, run, tmp_path):
    other = runs.begin_run(tmp_path, checkpoint)
    shutil.copytree(run / "adapter", other / "adapter")
    file = other / "adapter/adapter_model.safetensors"
    save_file({name: one * 1e25 for name, one in load_file(file).items()}, file)
    with pytest.raises(ModelError, match="merged, it is no finite number in float32"):
        export_run(other, tmp_path / "out", ExportChoice())
    file.write_bytes(b"cut")
    with pytest.raises(ModelError, match="the adapter does not load"):
        export_run(other, tmp_path / "out", ExportChoice())


def test_the_card_tells_data_scores_and_licences(run, tmp_path):
    export_run(run, tmp_path / "out", ExportChoice())
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    for words in (
        "| schedule | tpc |",
        "| plan | abc, 3 steps of 4 utterances |",
        "| corpora | masc (7), own (2) |",
        f"| masc | {read_card('masc').licence.name} |",
        "| own | not known: the corpus has no card |",
        "The run was not scored",
    ):
        assert words in card


def rendered(template, messages):
    environment = Environment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(messages=messages, add_generation_prompt=True)


@pytest.mark.parametrize("family", TINY, ids=lambda family: family.kind)
def test_the_template_that_is_made_writes_dialogues_as_the_family_does(family, tmp_path):
    family.make(tmp_path)
    llm = runs.load(tmp_path)
    parts = [{"type": "audio", "audio_url": "-"}, {"type": "text", "text": "فرّغ الكلام"}]
    text = rendered(jinja_of(FAMILIES[family.kind].template), [{"role": "user", "content": parts}])
    turns = [{"role": "user", "content": "<audio>فرّغ الكلام"}, {"role": "assistant", "content": ""}]
    wanted = llm.dialogue.encode(turns, 1, with_target=False).input_ids.tolist()
    tokenizer = llm.dialogue.tokenizer
    tokenizer.encode_special_tokens = False
    for token in llm.dialogue.template.special_tokens:
        tokenizer.add_special_tokens([token])
    assert tokenizer.encode(text, add_special_tokens=False).ids == wanted
