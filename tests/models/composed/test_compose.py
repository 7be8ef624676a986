"""Composed models against the classes, the processor and the parts they are made of."""

import inspect
import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor

from maqam.cli.main import main
from maqam.errors import ConfigError, ModelError, RunError
from maqam.models.adapters import save_weights
from maqam.models.checkpoint import load_dialogue
from maqam.models.composed import parts
from maqam.models.composed.compose import Composition, compose
from maqam.models.loading import load_backbone
from maqam.models.protocol import collate
from maqam.models.settings import ModelSettings

from .parts import STYLES, make_llm, make_whisper

CPU = torch.device("cpu")
ASKED = [
    {"role": "user", "content": "<audio>فرّغ الكلام 1984"},
    {"role": "assistant", "content": "مرحبا"},
]


def stock(folder, **settings):
    (architecture,) = json.loads((folder / "config.json").read_text())["architectures"]
    return getattr(transformers, architecture).from_pretrained(folder, **settings).eval()


def voice(seconds, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(scale=0.1, size=round(seconds * 16_000)).astype(np.float32)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    return make_whisper(tmp_path_factory.mktemp("whisper"))


FORMS = {
    ("smollm", 2, "mlp"),
    ("qwen", 4, "mlp"),
    ("llama", 4, "linear"),
    *((style, 2, "linear") for style in STYLES),
}


@pytest.fixture(scope="module", params=sorted(FORMS), ids=lambda form: "-".join(map(str, form)))
def form(request):
    return request.param


@pytest.fixture(scope="module")
def style(form):
    return form[0]


@pytest.fixture(scope="module")
def llm(style, tmp_path_factory):
    return make_llm(tmp_path_factory.mktemp("llm"), style)


@pytest.fixture(scope="module")
def composed(whisper, llm, form, tmp_path_factory):
    folder = tmp_path_factory.mktemp("composed") / "model"
    _, stack, projector = form
    compose(Composition(str(whisper), str(llm), stack, projector), folder)
    return folder


def chat(*, audio):
    heard = [{"type": "audio", "audio": "-"}] if audio else []
    return [{"role": "user", "content": [*heard, {"type": "text", "text": "فرّغ الكلام 1984"}]}]


@torch.no_grad()
def test_the_llm_inside_says_what_it_said_alone(composed, llm):
    alone = transformers.AutoModelForCausalLM.from_pretrained(llm).eval()
    ids = torch.arange(4, 40)[None]
    inside, own = stock(composed)(input_ids=ids).logits, alone(input_ids=ids).logits
    known = len(transformers.AutoTokenizer.from_pretrained(llm))
    assert torch.equal(inside[..., :known], own[..., :known])


def test_a_dialogue_of_text_is_written_as_the_llm_writes_it(composed, llm, style):
    own = transformers.AutoTokenizer.from_pretrained(llm)
    dialogue = load_dialogue(ModelSettings("auto", str(composed)))
    turns = [
        {"role": "user", "content": "فرّغ 1984"},
        {"role": "assistant", "content": "نعم"},
        {"role": "user", "content": "again"},
    ]
    if style == "base":
        wanted = own("فرّغ 1984\nنعم<|endoftext|>\nagain\n")["input_ids"]
    else:
        wanted = own.apply_chat_template(turns, add_generation_prompt=True)["input_ids"]
    target = {"role": "assistant", "content": ""}
    found = dialogue.encode([*turns, target], 0, with_target=False).input_ids
    assert found.tolist() == wanted


def stock_inputs(folder, samples, stack):
    """Return what the stock processor makes of a clip; of Voxtral's form, what its parts make."""
    if stack == 2:
        processor = AutoProcessor.from_pretrained(folder)
        text = processor.apply_chat_template(
            chat(audio=True), tokenize=False, add_generation_prompt=True
        )
        return processor(text=[text], audio=[samples], sampling_rate=16_000, return_tensors="pt")
    features = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    mels = features(samples, sampling_rate=16_000, return_tensors="pt")["input_features"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = tokenizer.apply_chat_template(
        chat(audio=True), tokenize=False, add_generation_prompt=True
    )
    text = text.replace("<|AUDIO|>", "<|AUDIO|>" * (mels.shape[2] // 8))
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    return {"input_ids": ids, "input_features": mels}


@torch.no_grad()
def test_logits_over_audio_are_those_of_the_stock_class_and_processor(composed, form):
    llm = load_backbone(ModelSettings("auto", str(composed)), device=CPU)
    samples = voice(1.3)
    inputs = stock_inputs(composed, samples, form[1])
    (states,) = llm.encode_audio([llm.dialogue.front_end.frames(samples)])
    ours = llm.dialogue.encode(ASKED, len(states), with_target=False)
    assert ours.input_ids.tolist() == inputs["input_ids"][0].tolist()
    logits = llm.logits(llm.hidden(collate([ours], [states], llm.dialogue.padding_id)))
    assert torch.allclose(logits, stock(composed)(**inputs).logits, atol=2e-4)
    assert float(logits.std()) > 0.1


@torch.no_grad()
@pytest.mark.parametrize("seconds", [4.0, 4.01, 9.4])
def test_audio_beyond_the_window_is_that_of_its_windows_one_after_the_other(
    composed, form, seconds
):
    llm = load_backbone(ModelSettings("auto", str(composed)), device=CPU)
    samples, size = voice(seconds), 64_000
    cut = [samples[first : first + size] for first in range(0, len(samples), size)]
    whole, *windows = (
        llm.encode_audio([llm.dialogue.front_end.frames(one)])[0] for one in (samples, *cut)
    )
    assert len(whole) == llm.dialogue.num_audio_tokens_of(seconds)
    if form[1] == 4:  # log-mels are of the whole clip, as stock cuts them, and silence is heard
        assert len(whole) == 50 * len(cut)
    else:
        assert torch.allclose(whole, torch.cat(windows), atol=1e-5)


@torch.no_grad()
def test_the_encoder_hears_what_whisper_hears_before_its_outputs_are_paired(
    composed, form, whisper
):
    own = transformers.WhisperModel.from_pretrained(whisper).encoder.eval()
    features = transformers.WhisperFeatureExtractor.from_pretrained(whisper)
    mels = features(voice(3.0), sampling_rate=16_000, return_tensors="pt")["input_features"]
    last = {}
    handle = own.layers[-1].register_forward_hook(lambda *call: last.update(state=call[-1]))
    own(mels)
    handle.remove()
    size = 2 if form[1] == 2 else 1
    pairs = last["state"].view(1, -1, size, own.config.d_model).mean(dim=2)
    model = stock(composed)
    tower = model.model.audio_tower
    is_masked = "input_features_mask" in inspect.signature(tower.forward).parameters
    mask = {"input_features_mask": torch.ones_like(mels[:, 0]).long()} if is_masked else {}
    found = tower(mels, **mask)
    assert torch.allclose(found.last_hidden_state, own.layer_norm(pairs), atol=1e-5)


def test_an_answer_ends_where_the_llm_s_dialogues_end_one(composed):
    end = load_dialogue(ModelSettings("auto", str(composed))).end_id
    saved = json.loads((composed / "generation_config.json").read_text())
    assert end in saved["eos_token_id"]


@torch.no_grad()
def test_what_was_trained_and_saved_is_still_a_composed_model(composed, tmp_path):
    llm = load_backbone(ModelSettings("auto", str(composed)), device=CPU)
    for parameter in llm.model.model.multi_modal_projector.parameters():
        parameter.mul_(2.0)
    save_weights(llm, tmp_path)
    again = load_backbone(ModelSettings("auto", str(tmp_path)), device=CPU)
    assert again.dialogue.template == llm.dialogue.template
    frames = [llm.dialogue.front_end.frames(voice(1.0))]
    assert torch.equal(again.encode_audio(frames)[0], llm.encode_audio(frames)[0])
    assert transformers.AutoTokenizer.from_pretrained(tmp_path).chat_template


def test_a_sharded_half_precision_whisper_is_mapped_whole(whisper, tmp_path):
    half = make_whisper(tmp_path / "half", dtype="float16", shard="30KB")
    assert (half / "model.safetensors.index.json").is_file()
    make_llm(tmp_path / "llm")
    compose(Composition(str(half), str(tmp_path / "llm")), tmp_path / "out")
    whole = transformers.WhisperModel.from_pretrained(whisper).encoder.state_dict()
    found = stock(tmp_path / "out").model.audio_tower.state_dict()
    assert found.keys() == whole.keys()
    assert all(torch.equal(found[name], whole[name].half().float()) for name in whole)


def test_weights_are_written_in_the_format_asked_for(whisper, tmp_path):
    make_llm(tmp_path / "llm")
    composition = Composition(str(whisper), str(tmp_path / "llm"), dtype="bfloat16")
    compose(composition, tmp_path / "out")
    model = stock(tmp_path / "out", dtype="auto")
    assert {one.dtype for one in model.parameters()} == {torch.bfloat16}


def test_the_same_seed_gives_the_same_aligner(whisper, tmp_path):
    make_llm(tmp_path / "llm")
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        compose(Composition(str(whisper), str(tmp_path / "llm"), seed=seed), tmp_path / name)
    one, same, other = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b", "c")
    )
    assert one == same
    assert one != other


def test_a_spare_row_is_used_and_none_is_added(whisper, tmp_path):
    for style, added in (("qwen", 0), ("smollm", 1)):
        before = make_llm(tmp_path / style, style)
        compose(Composition(str(whisper), str(before)), tmp_path / f"{style}-out")
        rows = [
            transformers.AutoConfig.from_pretrained(folder).get_text_config().vocab_size
            for folder in (before, tmp_path / f"{style}-out")
        ]
        assert rows[1] - rows[0] == added


def test_the_command_says_what_it_made(whisper, tmp_path, capsys):
    make_llm(tmp_path / "llm", "base")
    call = ["model", "compose", "--encoder", str(whisper), "--llm", str(tmp_path / "llm")]
    assert main([*call, "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == str(tmp_path / "out")
    assert said.out.startswith("Qwen2AudioForConditionalGeneration: encoder 0.0 M, aligner")
    assert "no chat template" in said.err
    assert main([*call, "-o", str(tmp_path / "out")]) == 1
    assert "write over it with --force" in capsys.readouterr().err
    assert main([*call, "-o", str(tmp_path / "out"), "--force"]) == 0


def refused(encoder, llm, tmp_path, **settings):
    with pytest.raises((ConfigError, ModelError, RunError)) as error:
        compose(Composition(str(encoder), str(llm), **settings), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "\n" not in str(error.value)
    assert error.value.hint
    return str(error.value)


def test_parts_that_are_not_there_or_of_another_kind_are_one_line(whisper, tmp_path):
    llm = make_llm(tmp_path / "llm")
    assert "no such folder" in refused(tmp_path / "none", llm, tmp_path)
    assert "no such folder" in refused(whisper, tmp_path / "none", tmp_path)
    assert "'llama', not a Whisper" in refused(llm, llm, tmp_path)
    (tmp_path / "empty").mkdir()
    assert "the encoder does not load" in refused(tmp_path / "empty", llm, tmp_path)
    assert "the LLM does not load" in refused(whisper, tmp_path / "empty", tmp_path)
    narrow = make_whisper(tmp_path / "narrow", wide=2)
    assert "which is not 4" in refused(narrow, llm, tmp_path, stack=4)
    said = refused(whisper, llm, tmp_path, stack=3)
    assert "no class of transformers holds an aligner with --stack 3" in said


def test_an_llm_without_a_tokenizer_is_one_line(whisper, tmp_path):
    llm = make_llm(tmp_path / "llm")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (llm / name).unlink()
    assert "tokenizer" in refused(whisper, llm, tmp_path)


def test_a_missing_shard_and_missing_tensors_are_one_line(tmp_path):
    llm = make_llm(tmp_path / "llm")
    whisper = make_whisper(tmp_path / "whisper", shard="30KB")
    shard = sorted(whisper.glob("*.safetensors"))[0]
    kept = shard.read_bytes()
    shard.unlink()
    assert "the encoder does not load" in refused(whisper, llm, tmp_path)
    shard.write_bytes(kept)
    drop = "model.encoder.layers.0.fc1.weight"
    weights = {}
    for path in whisper.glob("*.safetensors"):
        weights |= load_file(path)
    for path in whisper.glob("model*"):
        path.unlink()
    del weights[drop]
    save_file(weights, whisper / "model.safetensors", metadata={"format": "pt"})
    assert "tensors 1 missing ('encoder.layers.0.fc1.weight')" in refused(whisper, llm, tmp_path)
    weights[drop] = torch.full((128, 32), torch.nan)
    save_file(weights, whisper / "model.safetensors", metadata={"format": "pt"})
    assert "tensors 1 not finite numbers" in refused(whisper, llm, tmp_path)


def test_an_llm_that_no_class_holds_is_one_line(whisper, tmp_path, monkeypatch):
    llm = make_llm(tmp_path / "gpt2")
    config = transformers.GPT2Config(vocab_size=320, n_embd=32, n_layer=1, n_head=2)
    transformers.GPT2LMHeadModel(config).save_pretrained(llm)
    assert "does more than its layers and its head" in refused(whisper, llm, tmp_path)
    model = parts.load_llm(str(make_llm(tmp_path / "llama")), None)
    model.config = transformers.AutoConfig.from_pretrained(make_llm(tmp_path / "qwen", "qwen"))
    monkeypatch.setattr("maqam.models.composed.compose.load_llm", lambda *call: model)
    said = refused(whisper, tmp_path / "llama", tmp_path)
    assert "holds a Qwen2Model where the LLM is a LlamaModel" in said


def test_a_tokenizer_that_cannot_be_kept_is_one_line(whisper, tmp_path):
    llm = make_llm(tmp_path / "llm")
    (llm / "tokenizer.json").unlink()
    transformers.ByT5Tokenizer().save_pretrained(llm)
    assert "no tokenizer that tokenizer.json can hold" in refused(whisper, llm, tmp_path)
    base = make_llm(tmp_path / "base", "base")
    transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(base / "tokenizer.json")
    ).save_pretrained(base)
    assert "no token of the LLM ends an answer" in refused(whisper, base, tmp_path)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% for m in messages %}{{ m['content'] }}{{ m['content'] }}{% endfor %}", "repeats"),
        ("{{ messages | length }}", "leaves out"),
        ("{{ raise_exception('never') }}", "never"),
        ("{% for m in messages %}{% if not loop.first %};{% endif %}{{ m['content'] }}"
         "{% if loop.last %}!{% endif %}{% endfor %}", "ends otherwise"),
        ("{% for m in messages %}{% if m['role'] == 'user' %}{{ loop.index }}:{% endif %}"
         "{{ m['content'] }}{% endfor %}", "begins otherwise"),
    ],
)  # fmt: skip
def test_a_chat_template_that_is_no_row_of_turns_is_one_line(whisper, tmp_path, template, why):
    llm = make_llm(tmp_path / "llm")
    (llm / "chat_template.jinja").write_text(template, encoding="utf-8")
    said = refused(whisper, llm, tmp_path)
    assert "the chat template of the LLM cannot be followed" in said
    assert why in said


def test_features_of_another_encoder_are_one_line(whisper, tmp_path):
    mixed = make_whisper(tmp_path / "whisper")
    transformers.WhisperFeatureExtractor(feature_size=128, chunk_length=4).save_pretrained(mixed)
    said = refused(mixed, make_llm(tmp_path / "llm"), tmp_path)
    assert "says feature_size 128, the encoder takes 80" in said
