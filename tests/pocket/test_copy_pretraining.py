"""A new LLM learns to copy: on random strings, which nothing else predicts."""

import numpy as np
import pytest
import torch

from maqam.errors import RunError
from maqam.models.pocket import new_pocket
from maqam.pocket import copy_pretraining
from maqam.pocket.copy_pretraining import Copying, learn_to_copy
from maqam.seeding import generator

TEXTS = ("رافق الصديق عشرة مواطنون", "المواطن هذا كاذب", "عندي أربعة أقفال بس")
DIALOGUES = [
    [{"role": "user", "content": "<audio>فرّغ الكلام."}, {"role": "assistant", "content": text}]
    for text in TEXTS
]
SHORT = Copying(num_steps=4, batch_size=4)


def llm_of(backbone):
    return {name: value.clone() for name, value in backbone.model.model.state_dict().items()}


def test_learning_is_repeatable_kept_and_touches_the_llm_only(tmp_path):
    found = []
    for name in ("a", "b"):
        backbone = new_pocket(TEXTS, 0)
        before = llm_of(backbone)
        learn_to_copy(backbone, DIALOGUES, tmp_path / name, SHORT, 0)
        found.append(llm_of(backbone))
        changed = {key for key, value in found[-1].items() if not torch.equal(value, before[key])}
        assert changed
        assert all(key.startswith("language_model") for key in changed)
    assert all(torch.equal(value, found[1][key]) for key, value in found[0].items())
    again = new_pocket(TEXTS, 0)
    learn_to_copy(again, DIALOGUES, tmp_path / "a", SHORT, 0, pytest.fail)
    kept = llm_of(again)
    assert all(torch.equal(kept[key], found[0][key]) for key in changed)


@pytest.mark.parametrize("what", ["seed", "settings", "weights", "dialogues", "cut"])
def test_an_llm_that_was_taught_otherwise_is_refused(tmp_path, what):
    learn_to_copy(new_pocket(TEXTS, 0), DIALOGUES, tmp_path / "a", SHORT, 0)
    path = tmp_path / "a" / copy_pretraining.WEIGHTS
    if what == "cut":
        path.write_bytes(path.read_bytes()[:100])
    backbone = new_pocket(TEXTS, 1 if what == "weights" else 0)
    dialogues = DIALOGUES[:2] if what == "dialogues" else DIALOGUES
    settings = Copying(num_steps=5, batch_size=4) if what == "settings" else SHORT
    with pytest.raises(RunError, match="the LLM was taught with other settings or data"):
        learn_to_copy(backbone, dialogues, tmp_path / "a", settings, 1 if what == "seed" else 0)


def test_a_loss_that_is_no_number_is_not_kept(tmp_path):
    backbone = new_pocket(TEXTS, 0)
    with pytest.raises(RunError, match=r"copying, step \d: the loss is (nan|inf)"):
        learn_to_copy(
            backbone, DIALOGUES, tmp_path / "a", Copying(num_steps=4, noise=float("inf")), 0
        )
    assert not (tmp_path / "a").exists()


def test_a_spelling_shows_every_token_in_order_between_blanks():
    backbone = new_pocket(TEXTS, 0)
    speller = copy_pretraining._Speller(backbone, DIALOGUES, Copying(noise=0.0, random_share=0.5))
    batch = speller.batch(generator(0, "t"), torch.Generator().manual_seed(0))
    table = copy_pretraining.spelling_embeddings(backbone, speller._letters)
    for at, states in enumerate(batch.audio_states):
        codes = (states @ table.T).argmax(-1).numpy()
        runs = codes[np.insert(codes[1:] != codes[:-1], 0, True)]
        shown = speller._letters[runs[runs > 0] - 1]
        told = batch.input_ids[at, batch.target_starts[at] : batch.lengths[at] - 1].numpy()
        assert np.array_equal(shown, told)


def test_what_is_random_cannot_be_guessed_but_copied():
    speller = copy_pretraining._Speller(new_pocket(TEXTS, 0), DIALOGUES, Copying(random_share=1.0))
    batch = speller.batch(generator(0, "t"), torch.Generator().manual_seed(0))
    told = {
        tuple(batch.input_ids[at, start : batch.lengths[at] - 1].tolist())
        for at, start in enumerate(batch.target_starts.tolist())
    }
    assert len(told) == len(batch.lengths)
