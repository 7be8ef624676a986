import itertools

import numpy as np
import pytest
import soundfile
import soxr

from maqam.data.audio import read_audio
from maqam.data.manifest import read_manifest, write_manifest
from maqam.errors import AudioError, ManifestError
from maqam.inspection.duplicates import MAX_BIT_ERRORS, Print, PrintIndex, bit_errors, fingerprint
from maqam.inspection.overlap import find_overlap, side
from maqam.synth.corpus import make_corpus
from maqam.synth.settings import SynthSettings
from tests.factories import make_row, make_tone

SPOKEN = SynthSettings(train={"asr": 24}, dev={}, test={"asr": 6})


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Thirty different sentences, spoken."""
    corpus = make_corpus(tmp_path_factory.mktemp("speech") / "corpus", SPOKEN, num_workers=1)
    manifest = read_manifest(corpus)
    return [read_audio(manifest.audio_path(row)) for row in range(manifest.num_utterances)]


def through_file(samples, path, rate=16_000, **options):
    soundfile.write(path, samples, rate, **options)
    return read_audio(path)


def softer(samples, _):
    return samples * 0.05


def clipped(samples, _):
    return np.clip(samples * 2 / np.abs(samples).max(), -1, 1)


def mp3(samples, folder):
    return through_file(samples, folder / "a.mp3")


def softer_mp3(samples, folder):
    return through_file(samples * 0.3, folder / "a.mp3")


def vorbis(samples, folder):
    return through_file(samples, folder / "a.ogg", compression_level=1.0)


def opus(samples, folder):
    return through_file(samples, folder / "a.opus", format="OGG", subtype="OPUS")


def telephone_rate(samples, folder):
    return through_file(soxr.resample(samples, 16_000, 8_000), folder / "a.wav", rate=8_000)


def padded(samples, _):
    return np.concatenate([np.zeros(7_001, np.float32), samples, np.zeros(900, np.float32)])


CHANGES = [softer, clipped, mp3, softer_mp3, vorbis, opus, telephone_rate, padded]


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_changed_speech_is_found_as_itself_and_as_nothing_else(speech, tmp_path, change):
    index = PrintIndex([fingerprint(clip) for clip in speech])
    for place in range(0, len(speech), 3):
        assert index.find(fingerprint(change(speech[place], tmp_path))) == [place]


def test_different_sentences_of_one_synthesizer_do_not_match(speech):
    prints = [fingerprint(clip) for clip in speech]
    index = PrintIndex(prints)
    assert [index.find(one) for one in prints] == [[place] for place in range(len(prints))]


def test_the_bits_of_different_speech_differ_well_over_the_threshold(speech):
    prints = [fingerprint(clip) for clip in speech]
    errors = [bit_errors(one, other, 0)[0] for one, other in itertools.pairwise(prints)]
    assert min(errors) > MAX_BIT_ERRORS + 0.1
    assert np.mean(errors) == pytest.approx(0.5, abs=0.05)


def test_silence_and_very_short_clips_match_nothing(speech):
    quiet = [fingerprint(np.zeros(size, np.float32)) for size in (100, 80_000)]
    assert PrintIndex([*quiet, fingerprint(speech[0])]).find(quiet[1]) == []
    assert PrintIndex(quiet).find(fingerprint(speech[0])) == []
    assert PrintIndex([]).find(fingerprint(speech[0])) == []


def test_prints_that_do_not_overlap_share_nothing():
    one = Print(np.zeros(3, np.uint32), np.ones(3, bool))
    assert bit_errors(one, one, 3) == (1.0, 0)
    assert bit_errors(one, one, -2) == (0.0, 1)


@pytest.fixture
def compare(tmp_path):
    """Return the report of two manifests of rows that need no other audio than tones."""

    def find(train, test, **options):
        sides = []
        for name, rows in (("train", train), ("test", test)):
            path = write_manifest(
                [utterance(index, name, **row) for index, row in enumerate(rows)], tmp_path / name
            )
            sides.append(side(read_manifest(path)))
        return find_overlap(*sides, **options)

    return find


def utterance(index, name, **changes):
    task = "asr" if "audios" in changes else "tsum"
    plain = {"id": f"{name}-{index}", "task": task, "speaker": None, "target": f"{name} {index}"}
    return make_row(index, **{**plain, **changes})


def counts(report):
    return {one.kind: (one.num_train, one.num_test) for one in report.shared}


def test_a_copy_under_another_name_and_format_is_the_same_audio(compare, tmp_path, speech):
    for path in ("train/a.wav", "test/b.flac"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / path, speech[0], 16_000)
    seconds = len(speech[0]) / 16_000
    report = compare(
        [{"audios": ["a.wav"], "seconds": seconds}] * 2,
        [{"audios": ["b.flac"], "seconds": seconds}],
    )
    assert counts(report)["same audio"] == (2, 1)
    assert counts(report)["near-duplicate audio"] == (0, 0)
    (example,) = report.shared[0].examples
    assert (example.train, example.test) == ("train-0", "test-0")
    assert example.text == "b.flac at 0.00 s"
    assert report.num_leaking == 1


def test_a_softer_mp3_is_a_near_duplicate(compare, tmp_path, speech):
    for path, samples in (("train/a.mp3", speech[0] / 3), ("test/b.wav", speech[0])):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / path, samples, 16_000)
    report = compare(
        [{"audios": ["a.mp3"], "seconds": len(speech[0]) / 16_000}],
        [{"audios": ["b.wav"], "seconds": len(speech[0]) / 16_000}],
    )
    assert counts(report)["same audio"] == (0, 0)
    assert counts(report)["near-duplicate audio"] == (1, 1)
    assert report.verdict.startswith("LEAK: 1 of 1 test utterances (100.0 %)")


def test_sentences_are_compared_after_normalisation(compare):
    report = compare([{"target": "أنا وَ أنت!"}], [{"target": "انا و انت"}, {}])
    assert counts(report)["sentence"] == (1, 1)
    assert report.shared[2].examples[0].text == "انا وانت"
    assert report.num_leaking == 1


def test_shared_speakers_are_counted_but_are_no_leak(compare):
    report = compare([{"speaker": "x"}, {"speaker": "x"}, {}], [{"speaker": "x"}, {}])
    assert counts(report)["speaker"] == (2, 1)
    assert report.num_leaking == 0
    assert report.verdict == (
        "no shared audio or sentences; of 2 test utterances 1 are by speakers of the training data"
    )


def test_labels_and_unknown_speakers_are_not_shared(compare, tmp_path):
    label = {"task": "did", "label": "msa", "target": "msa", "speaker": "-", "seconds": 1.0}
    make_tone(tmp_path / "train" / "a.wav")
    make_tone(tmp_path / "test" / "b.wav", hertz=700)
    report = compare([{**label, "audios": ["a.wav"]}], [{**label, "audios": ["b.wav"]}])
    assert set(counts(report).values()) == {(0, 0)}


def test_examples_are_the_first_few_and_counts_are_of_all(compare):
    report = compare([{"target": "كلام"}], [{"target": "كلام"}] * 9)
    assert report.shared[2].num_test == 9
    assert [one.test for one in report.shared[2].examples] == [f"test-{n}" for n in range(5)]


def test_each_clip_is_read_once_and_progress_reaches_the_last(compare, tmp_path):
    make_tone(tmp_path / "train" / "a.wav")
    make_tone(tmp_path / "test" / "b.wav", hertz=700)
    calls = []
    compare(
        [{"audios": ["a.wav"], "seconds": 1.0}] * 3,
        [{"audios": ["b.wav"], "seconds": 1.0}],
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(1, 2), (2, 2)]


def test_audio_that_cannot_be_read_is_an_error_that_names_it(compare):
    with pytest.raises(AudioError, match="the file is missing"):
        compare([{"audios": ["a.wav"], "seconds": 1.0}], [{}])


def test_a_split_without_utterances_is_named(tmp_path):
    manifest = read_manifest(write_manifest([utterance(0, "train")], tmp_path))
    with pytest.raises(ManifestError, match="no utterance to compare in split 'tset'"):
        side(manifest, "tset")
