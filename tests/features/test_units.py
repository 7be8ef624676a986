"""Models of discrete units against Whisper's own layers, the LLM's own forward and plain NumPy."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from maqam.cli.main import main
from maqam.errors import ConfigError, ManifestError, ModelError, RunError
from maqam.features.units import make_units
from maqam.models.audio_states import encode_rows
from maqam.models.checkpoint import dialogue_of, open_checkpoint
from maqam.models.loading import load_backbone
from maqam.models.protocol import collate
from maqam.models.settings import ModelSettings
from maqam.models.units.loading import load_units
from maqam.models.units.make import UnitComposition, UnitParts
from tests.models.composed.parts import make_llm, make_whisper
from tests.train.corpus import make_manifest

CPU = torch.device("cpu")
LAYER, NUM_UNITS = 1, 12
ASKED = [
    {"role": "user", "content": "<audio>فرّغ"},
    {"role": "assistant", "content": "مرحبا"},
]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return make_manifest(tmp_path_factory.mktemp("corpus"), 8)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    return make_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module", params=["smollm", "llama"])
def llm(request, tmp_path_factory):
    return make_llm(tmp_path_factory.mktemp("llm"), request.param)


def composition(whisper, llm, **settings):
    settings = {"layer": LAYER, "num_units": NUM_UNITS, **settings}
    return UnitComposition(str(whisper), str(llm), **settings)


@pytest.fixture(scope="module")
def folder(whisper, llm, manifest, tmp_path_factory):
    place = tmp_path_factory.mktemp("units") / "model"
    make_units(UnitParts(composition(whisper, llm), place), manifest)
    return place


@pytest.fixture(scope="module")
def backbone(folder):
    return load_backbone(ModelSettings("auto", str(folder)), device=CPU)


def whisper_layer(whisper, mels):
    """Return the [T, D] outputs of a layer of the stock encoder."""
    own = transformers.WhisperModel.from_pretrained(whisper).encoder.eval()
    seen = {}
    handle = own.layers[LAYER - 1].register_forward_hook(lambda *call: seen.update(one=call[-1]))
    with torch.no_grad():
        own(mels)
    handle.remove()
    return seen["one"][0]


def voice(seconds):
    generator = np.random.default_rng(5)
    return generator.normal(scale=0.1, size=round(seconds * 16_000)).astype(np.float32)


def units_by_hand(folder, frames):
    """Return the merged units of (T, D) frames, from the file and by NumPy alone."""
    book = {name: one.numpy() for name, one in load_file(folder / "units.safetensors").items()}
    centred = frames - book["mean"]
    reduced = centred @ book["components"] / np.linalg.norm(centred, axis=1, keepdims=True)
    distances = np.square(reduced[:, None] - book["centroids"]).sum(axis=2)
    units = distances.argmin(axis=1)
    return units[np.r_[True, np.diff(units) != 0]]


@torch.no_grad()
@pytest.mark.parametrize("seconds", [4.0, 1.37])
def test_logits_are_those_of_the_llm_over_the_tokens_of_the_units_heard(
    backbone, folder, whisper, seconds
):
    samples = voice(seconds)
    features = transformers.WhisperFeatureExtractor.from_pretrained(whisper)
    mels = features(samples, sampling_rate=16_000, return_tensors="pt")["input_features"]
    frames = whisper_layer(whisper, mels).numpy()[: round(50 * seconds + 0.49)]
    units = units_by_hand(folder, frames)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "".join(f"<|unit_{one}|>" for one in units) + "فرّغ"}],
        tokenize=False,
        add_generation_prompt=True,
    )
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    stock = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    (states,) = backbone.encode_audio([backbone.dialogue.front_end.frames(samples)])
    encoded = backbone.dialogue.encode(ASKED, len(states), with_target=False)
    batch = collate([encoded], [states], backbone.dialogue.padding_id)
    assert backbone.unit_ids(batch).tolist() == ids.tolist()
    assert torch.allclose(backbone.logits(backbone.hidden(batch)), stock(ids).logits, atol=1e-5)
    assert len(units) > 3


@torch.no_grad()
def test_a_clip_of_two_windows_is_heard_window_by_window(backbone):
    front_end, samples = backbone.dialogue.front_end, voice(5.1)
    parts = [samples[:64_000], samples[64_000:]]
    (whole,) = backbone.encode_audio([front_end.frames(samples)])
    first, second = (backbone.encode_audio([front_end.frames(one)])[0] for one in parts)
    both = torch.cat([first, second])
    merged = [0, *(1 + (both[1:] != both[:-1]).any(dim=1).nonzero()[:, 0]).tolist()]
    assert torch.equal(whole, both[merged])


@torch.no_grad()
def test_units_survive_the_rounding_of_a_feature_store(backbone):
    states = backbone.codebook.prototypes
    halved = states.half().float()
    assert backbone.codebook.units_meant(halved).tolist() == list(range(NUM_UNITS))


def test_a_clip_alone_is_the_clip_beside_others_and_never_beyond_its_bound(backbone):
    frames = [backbone.dialogue.front_end.frames(voice(one)) for one in (0.2, 1.37, 2.9)]
    together = encode_rows(backbone, frames, range(3))
    for one, found in zip(frames, together, strict=True):
        (alone,) = backbone.encode_audio([one])
        assert torch.equal(alone, found)
        assert 1 <= len(alone) <= backbone.dialogue.num_audio_tokens(len(one))


def test_the_llm_is_loaded_in_half_precision_and_hears_the_same_units(folder, backbone):
    half = load_backbone(ModelSettings("auto", str(folder), "bfloat16"), device=CPU)
    frames = [backbone.dialogue.front_end.frames(voice(1.0))]
    assert torch.equal(half.encode_audio(frames)[0], backbone.encode_audio(frames)[0])
    assert half.llm.dtype == torch.bfloat16


def test_what_is_saved_again_is_whole(backbone, tmp_path):
    backbone.model.save_pretrained(tmp_path)
    backbone.save_companions(tmp_path)
    again = load_backbone(ModelSettings("auto", str(tmp_path)), device=CPU)
    frames = [backbone.dialogue.front_end.frames(voice(1.0))]
    assert torch.equal(again.encode_audio(frames)[0], backbone.encode_audio(frames)[0])
    assert again.dialogue.template == backbone.dialogue.template


def test_units_of_another_encoder_are_one_line(folder, llm, manifest, tmp_path):
    other = make_whisper(tmp_path / "other", width=48)
    make_units(UnitParts(composition(other, llm), tmp_path / "second"), manifest)
    mixed = shutil.copytree(folder, tmp_path / "mixed")
    shutil.copy(tmp_path / "second" / "units.safetensors", mixed)
    with pytest.raises(ModelError, match=r"the units are of the encoder .* checkpoint holds"):
        load_backbone(ModelSettings("auto", str(mixed)))


def test_a_folder_without_units_or_without_its_encoder_is_one_line(folder, tmp_path):
    bare = shutil.copytree(folder, tmp_path / "bare")
    (bare / "units.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelError, match="the units cannot be read"):
        load_backbone(ModelSettings("auto", str(bare)))
    weights = load_file(bare / "model.safetensors")
    kept = {name: one for name, one in weights.items() if not name.startswith("unit_tower.")}
    save_file(kept, bare / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"tensors \d+ missing \('conv1.bias'"):
        load_backbone(ModelSettings("auto", str(bare)))
    record = json.loads((bare / "config.json").read_text())
    record["maqam"]["format_version"] = 99
    (bare / "config.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match=r"the key maqam of config.json is not of format 1"):
        load_backbone(ModelSettings("auto", str(bare)))


def test_units_are_of_a_local_folder_and_of_no_family(folder):
    checkpoint = open_checkpoint(ModelSettings("auto", str(folder)))
    elsewhere = replace(checkpoint, source="someone/units")
    with pytest.raises(ModelError, match="loaded from a folder only"):
        load_units(elsewhere, dialogue_of(checkpoint), dtype="float32", device=CPU)
    with pytest.raises(ModelError, match="is of a model of discrete units, not of Qwen") as error:
        open_checkpoint(ModelSettings("qwen2_audio", str(folder)))
    assert error.value.hint == "set model.kind=auto"


def test_settings_that_no_encoder_can_meet_are_one_line(whisper, llm, manifest, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="the encoder has no layer 9") as error:
        UnitParts(composition(whisper, llm, layer=9), out)
    assert error.value.hint == "its layers are 1 to 2"
    with pytest.raises(ConfigError, match="1 units tell nothing apart"):
        UnitParts(composition(whisper, llm, num_units=1), out)
    with pytest.raises(ConfigError, match="9000 units need as many frames of audio"):
        make_units(UnitParts(composition(whisper, llm, num_units=9000), out), manifest)
    with pytest.raises(ManifestError, match="no row of split 'dev' has audio"):
        make_units(UnitParts(composition(whisper, llm), out), manifest, split="dev")
    out.mkdir()
    (out / "something").touch()
    with pytest.raises(RunError, match="there is something here already"):
        UnitParts(composition(whisper, llm), out)


def test_the_command_says_what_it_heard(whisper, llm, manifest, tmp_path, capsys):
    call = ["model", "units", "--encoder", str(whisper), "--llm", str(llm), "--layer", "2"]
    call += ["--num-units", "8", "--manifest", str(manifest.folder), "-o", str(tmp_path / "out")]
    assert main(call) == 0
    said = capsys.readouterr().out
    assert "units a second, runs merged" in said
    assert said.splitlines()[-1] == str(tmp_path / "out")
    assert main(call) == 1
