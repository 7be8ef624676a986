"""A checkpoint that is not whole ends in one line that counts and names what is wrong."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from maqam.data.manifest import read_manifest, write_manifest
from maqam.errors import AudioError, ModelError
from maqam.models.audio_states import encoded_states
from maqam.models.loading import load_backbone
from maqam.models.settings import ModelSettings
from maqam.models.weights.shards import INDEX, ONE_FILE, weight_files

from . import tiny


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    tiny.make_qwen2_audio(folder)
    return folder


@pytest.fixture
def checkpoint(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def load(folder):
    return load_backbone(ModelSettings("auto", str(folder)), device=torch.device("cpu"))


def change(folder, rule):
    """Write the weights again as a rule leaves them."""
    weights = load_file(folder / ONE_FILE)
    rule(weights)
    save_file(weights, folder / ONE_FILE, metadata={"format": "pt"})


def in_two_shards(folder):
    """Lay out weights as the hub does those of large models."""
    weights = load_file(folder / ONE_FILE)
    (folder / ONE_FILE).unlink()
    names, index = sorted(weights), {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-{number:05d}-of-00002.safetensors"
        save_file({name: weights[name] for name in part}, folder / file, metadata={"format": "pt"})
        index |= dict.fromkeys(part, file)
    content = {"metadata": {"total_size": 1}, "weight_map": index}
    (folder / INDEX).write_text(json.dumps(content), encoding="utf-8")


def test_weights_in_shards_are_those_in_one_file(whole, checkpoint):
    in_two_shards(checkpoint)
    expected = load(whole).model.state_dict()
    assert all(
        torch.equal(one, expected[name])
        for name, one in load(checkpoint).model.state_dict().items()
    )
    assert weight_files(checkpoint).keys() == weight_files(whole).keys()


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (
            lambda one: [one.pop(name) for name in [*one] if "audio_tower" in name],
            r"tensors \d\d missing \('model.audio_tower.* and \d\d more\)",
        ),
        (lambda one: one.update({"foreign.x": torch.ones(2)}), r"1 unexpected \('foreign.x'\)"),
        (
            lambda one: one.update({"multi_modal_projector.linear.bias": torch.ones(5)}),
            r"1 of another shape \('.*linear.bias \(5,\) in the place of \(48,\)'\)",
        ),
        (
            lambda one: one["multi_modal_projector.linear.bias"].fill_(float("nan")),
            r"1 not finite numbers \('.*projector.linear.bias'\)",
        ),
        (
            lambda one: one["multi_modal_projector.linear.bias"][3:4].fill_(float("inf")),
            r"1 not finite numbers \('.*projector.linear.bias'\)",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_counted_and_named(checkpoint, rule, fault):
    change(checkpoint, rule)
    with pytest.raises(ModelError, match=f"the weights do not fit the model: .*{fault}") as error:
        load(checkpoint)
    assert error.value.where == str(checkpoint)


def test_all_kinds_of_misfits_are_told_in_one_line(checkpoint):
    def rule(weights):
        weights["foreign.x"] = torch.ones(2)
        weights["multi_modal_projector.linear.bias"] = torch.ones(5)
        del weights["multi_modal_projector.linear.weight"]

    change(checkpoint, rule)
    with pytest.raises(ModelError, match=r"1 missing .*, 1 unexpected .*, 1 of another shape"):
        load(checkpoint)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda folder: (folder / ONE_FILE).unlink(), "there are no weights"),
        (lambda folder: cut(folder / ONE_FILE), "the weights are cut short or broken"),
        (lambda folder: (folder / ONE_FILE).write_bytes(b""), "the weights are cut short"),
    ],
)
def test_weights_that_are_absent_or_cut_short_are_one_line(checkpoint, damage, fault):
    damage(checkpoint)
    with pytest.raises(ModelError, match=fault) as error:
        load(checkpoint)
    assert error.value.hint


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (
            lambda folder: next(folder.glob("model-00002*")).unlink(),
            "1 of 2 shards are missing: 'model-00002-of-00002.safetensors'",
        ),
        (lambda folder: cut(next(folder.glob("model-00002*"))), "00002.*: the weights are cut"),
        (
            lambda folder: shutil.copy(*sorted(folder.glob("model-0*"))),
            r"the shards lack \d+ of \d+ tensors of their index",
        ),
        (lambda folder: (folder / INDEX).unlink(), "there are 2 shards, but no model.safetensors"),
        (lambda folder: (folder / INDEX).write_text("{"), "the index of the shards is broken"),
        (lambda folder: (folder / INDEX).write_text("[]"), "the index of the shards is broken"),
        (
            lambda folder: (folder / INDEX).write_text('{"weight_map": {}}'),
            "the index of the shards is broken: .* it names no tensor",
        ),
    ],
)
def test_shards_that_are_not_all_there_are_one_line(checkpoint, damage, fault):
    in_two_shards(checkpoint)
    damage(checkpoint)
    with pytest.raises(ModelError, match=fault):
        load(checkpoint)


@pytest.fixture
def granite(tmp_path):
    tiny.GRANITE_SPEECH.make(tmp_path)
    return tmp_path


def test_an_encoder_of_another_form_than_the_family_s_is_one_line_with_both_counts(granite):
    config = json.loads((granite / "config.json").read_text(encoding="utf-8"))
    config["downsample_rate"] = 15  # one query where the family has three
    (granite / "config.json").write_text(json.dumps(config), encoding="utf-8")
    query = "projector.query"
    change(granite, lambda weights: weights.update({query: weights[query][:, :1].clone()}))
    llm = load(granite)
    frames = llm.dialogue.front_end.frames(np.ones(16_000, dtype=np.float32))
    with pytest.raises(ModelError, match="gives 4 audio tokens where Granite Speech has 12"):
        llm.encode_audio([frames])


def test_a_checkpoint_with_an_adapter_of_its_own_is_one_line(granite):
    (granite / "adapter_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match="carries an adapter of its own") as error:
        load(granite)
    assert error.value.hint.endswith("give a folder without adapter_config.json")


def test_audio_too_short_for_a_frame_is_one_line(granite, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(200, dtype=np.float32), 16_000)
    row = {
        "id": "a",
        "messages": [
            {"role": "user", "content": "<audio>"},
            {"role": "assistant", "content": "-"},
        ],
        "audios": ["a.wav"],
        "task": "asr",
        **dict.fromkeys(("label", "dialect", "speaker")),
        "source": "tones",
        "synthetic": True,
        "split": "train",
        "start": 0.0,
        "seconds": 200 / 16_000,
        "target": "-",
    }
    manifest = read_manifest(write_manifest([row], tmp_path))
    words = "the audio of 1 rows is too short for an audio token: 0"
    with pytest.raises(AudioError, match=words):
        encoded_states(load(granite), manifest)([0])
