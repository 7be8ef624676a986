"""Which utterances the corpus holds."""

from collections import Counter

import pytest

from maqam.errors import ConfigError
from maqam.synth import plan as plan_module
from maqam.synth.plan import plan_corpus, speakers_of
from maqam.synth.prosody import BABBLE_VARIANTS, VARIANTS
from maqam.synth.settings import SPLITS, SynthSettings


@pytest.fixture(scope="module")
def utterances():
    return list(plan_corpus(SynthSettings().scaled(0.2)))


def test_no_speaker_is_in_two_splits(utterances):
    speakers = {split: set() for split in SPLITS}
    for one in utterances:
        if one.variant:
            speakers[one.split].add(one.variant)
    assert not speakers["train"] & (speakers["dev"] | speakers["test"])
    assert not speakers["dev"] & speakers["test"]


def test_there_are_at_least_24_speakers_and_none_of_them_babbles():
    names = [name for split in speakers_of(SynthSettings()).values() for name in split]
    assert len(set(names)) >= 24
    assert not set(VARIANTS) & set(BABBLE_VARIANTS)


def test_a_train_split_with_more_speakers_leaves_those_of_dev_and_test_as_they_are():
    usual = speakers_of(SynthSettings())
    more = speakers_of(SynthSettings(num_speakers=(52, 5, 7)))
    assert (more["dev"], more["test"]) == (usual["dev"], usual["test"])
    assert more["train"][:20] == usual["train"]
    names = [name for split in more.values() for name in split]
    assert len(set(names)) == 64
    assert not set(names) & set(BABBLE_VARIANTS)


@pytest.mark.parametrize(
    ("num_speakers", "words"),
    [
        ((989, 5, 7), "at most 1000 in all"),
        ((1, 20, 12), "dev and test at most 31"),
        ((0, 5, 7), "1 or"),
    ],
)
def test_more_speakers_than_there_are_voices_are_refused(num_speakers, words):
    with pytest.raises(ValueError, match=words):
        SynthSettings(num_speakers=num_speakers)


def test_no_sentence_is_in_two_utterances(utterances):
    sentences = [sentence for one in utterances for sentence in one.text.split(" . ")]
    assert len(sentences) == len(set(sentences))


def test_the_rarest_label_has_two_percent_in_train(utterances):
    counts = Counter(one.target for one in utterances if (one.split, one.task) == ("train", "did"))
    assert counts["maghrebi"] == 4
    assert sum(counts.values()) == 200


def test_labels_are_balanced_in_test(utterances):
    counts = Counter(one.target for one in utterances if (one.split, one.task) == ("test", "ser"))
    assert set(counts.values()) == {8}


def test_a_summary_is_no_sentence_of_its_story(utterances):
    stories = [one for one in utterances if one.task in ("ssum", "tsum")]
    assert all(one.target not in one.text.split(" . ") for one in stories)
    assert all(3 <= len(one.text.split(" . ")) <= 5 for one in stories)
    assert all(3 <= len(one.target.split()) <= 6 for one in stories)


def test_targets_have_neither_vowel_marks_nor_punctuation(utterances):
    spelled = "".join(one.target for one in utterances)
    assert all(letter.isalpha() or letter == " " for letter in spelled if letter != "_")


def test_a_larger_train_split_leaves_test_as_it_is():
    small = SynthSettings(train={"asr": 3}, dev={}, test={"asr": 5})
    large = SynthSettings(train={"asr": 9}, dev={}, test={"asr": 5})
    first, second = (
        [one for one in plan_corpus(settings) if one.split == "test"] for settings in (small, large)
    )
    assert first == second


def test_the_default_plan_is_the_one_that_the_shipped_weights_were_trained_on():
    settings = SynthSettings(train={"asr": 1}, dev={}, test={})
    job = next(iter(plan_corpus(settings))).job
    assert job is not None
    assert job.script == GOLDEN_SCRIPT, "audio changed: raise corpus.FORMAT_VERSION"


def test_asking_for_more_sentences_than_there_are_is_refused(monkeypatch):
    monkeypatch.setattr(plan_module, "make_sentence", lambda variety, rng: FakeSentence())
    with pytest.raises(ConfigError, match=r"train\.asr: no unused .* was found in 500 attempts"):
        list(plan_corpus(SynthSettings(train={"asr": 2}, dev={}, test={})))


def test_asking_for_more_stories_than_there_are_is_refused(monkeypatch):
    monkeypatch.setattr(plan_module, "_ATTEMPTS", 0)
    with pytest.raises(ConfigError, match=r"train\.tsum: no unused"):
        list(plan_corpus(SynthSettings(train={"tsum": 1}, dev={}, test={})))


class FakeSentence:
    tokens = ()
    text = ""
    question = False


GOLDEN_SCRIPT = "[[n'aAam ?uw'azziA alk'uRa m'in almust'audaA]]."
