"""Probes on states whose content is known, on speakers that are apart, on shuffled labels."""

import numpy as np
import pytest
import torch

from maqam.diagnose.probing.probes import ProbeSplit, probe_places, probe_rows, score_probe
from maqam.diagnose.probing.states import layer_states
from maqam.models.audio_states import encoded_states
from tests.diagnose.corpus import make_manifest
from tests.diagnose.manifests import manifest_of
from tests.factories import make_row
from tests.train.corpus import make_backbone


def drawn(size, content, seed, num_classes=4, width=32):
    """Return states that hold a class as strongly as asked, and the classes."""
    rng = np.random.default_rng(seed)
    classes = np.arange(size) % num_classes
    directions = np.random.default_rng(9).normal(size=(num_classes, width))
    states = content * directions[classes] + rng.normal(size=(size, width))
    return states.astype(np.float32), np.array([f"class {one}" for one in classes])


@pytest.mark.parametrize(("content", "low", "high"), [(2.0, 0.9, 1.0), (0.0, 0.1, 0.4)])
def test_a_probe_reads_what_is_there_and_chance_where_there_is_nothing(content, low, high):
    (train, labels), (test, wanted) = drawn(200, content, 0), drawn(200, content, 1)
    found = score_probe((train, test), (labels, wanted))
    assert low <= found["low"] <= found["macro_f1"] <= found["high"] <= high


def test_shuffled_labels_probe_at_chance_however_much_is_there():
    shuffled = []
    for seed in range(10):
        (train, labels), (test, wanted) = drawn(200, 1.0, seed), drawn(200, 1.0, 50 + seed)
        shuffled.append(score_probe((train, test), (labels, wanted), seed)["shuffled"])
    assert np.mean(shuffled) == pytest.approx(0.25, abs=0.06)


def manifest_of_speakers(folder):
    rows = []
    for speaker in range(9):
        for number in range(8):
            split = "train" if speaker < 6 else "test"
            label = ("egyptian", "msa")[speaker % 2] if number % 2 else "angry"
            rows.append(
                make_row(
                    len(rows),
                    task="did" if number % 2 else "ser",
                    label=label,
                    target=label,
                    speaker=f"s{speaker}" if speaker < 8 else "s0",
                    dialect=("egyptian", "msa")[speaker % 2],
                    split=split,
                )
            )
    return manifest_of(rows, folder)


def test_no_speaker_is_on_both_sides_but_where_the_speaker_is_asked_for(tmp_path):
    manifest = manifest_of_speakers(tmp_path)
    train, test = (manifest.select(split=split) for split in ("train", "test"))
    found = probe_rows(manifest, train, test)
    assert set(found) == {"did", "dialect", "speaker"}
    speakers = manifest.column("speaker")
    for name, own in found.items():
        both = set(speakers[own.train]) & set(speakers[own.test])
        assert (both == set()) == (name != "speaker")
        assert not set(own.train.tolist()) & set(own.test.tolist())
    assert found["speaker"].train_labels.tolist() == speakers[found["speaker"].train].tolist()


def test_rows_of_known_speakers_are_counted_and_a_single_class_is_not_probed(tmp_path):
    manifest = manifest_of_speakers(tmp_path)
    train, test = (manifest.select(split=split) for split in ("train", "test"))
    found = probe_rows(manifest, train, test)
    assert "ser" not in found  # angry alone
    assert found["dialect"].left_out == 8  # those of s0, who is in the training
    assert probe_rows(manifest, train[:0], test) == {}


def test_states_are_those_of_the_models_own_layers_and_the_aligner(tmp_path):
    manifest = make_manifest(tmp_path, 2)
    backbone = make_backbone()
    rows = np.array([0, 2, 4, 5])
    states = encoded_states(backbone, manifest)
    found = layer_states(backbone, manifest, rows, states)
    for at, row in enumerate(rows):
        (audio,) = states([row])
        mean = torch.cat([audio.mean(0), audio.std(0, correction=0)]).numpy()
        assert np.allclose(found["aligner"][at], mean, atol=1e-5)
        dialogue = manifest.rows([row])[0]["messages"]
        encoded = backbone.dialogue.encode(dialogue, len(audio))
        ids = torch.from_numpy(encoded.input_ids)[None]
        is_audio = ids == backbone.dialogue.audio_id
        inputs = backbone.llm.get_input_embeddings()(ids).detach().clone()
        inputs[is_audio] = audio
        with torch.no_grad():
            outputs = backbone.llm(
                inputs_embeds=inputs, output_hidden_states=True, use_cache=False
            ).hidden_states
        for layer in range(len(outputs) - 2):  # the class norms the last one
            own = outputs[layer + 1][0]
            wanted = own[is_audio[0]].mean(0).numpy()
            assert np.allclose(found[f"layer {layer}, audio"][at], wanted, atol=1e-4)
            prompt = own[encoded.target_start - 1].numpy()
            assert np.allclose(found[f"layer {layer}, prompt"][at], prompt, atol=1e-4)


def test_every_probe_is_scored_at_every_place():
    train, labels = drawn(60, 2.0, 0)
    test, wanted = drawn(60, 2.0, 1)
    rows = np.arange(100, 220)
    noise = np.random.default_rng(0).normal(size=(120, 8))
    states = {"aligner": np.concatenate([train, test]), "layer 0, audio": noise}
    own = ProbeSplit(rows[:60], rows[60:], labels, wanted, 3)
    found = probe_places(states, rows, {"did": own})["did"]
    assert (found["classes"], found["train"], found["left_out"]) == (4, 60, 3)
    assert found["places"]["aligner"]["macro_f1"] > 0.9
    assert found["places"]["layer 0, audio"]["macro_f1"] < 0.6
