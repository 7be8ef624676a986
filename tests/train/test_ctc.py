from dataclasses import replace

import numpy as np

from maqam.train.ctc import Transcripts, spell
from maqam.train.rows import prepare_rows

NONE = np.array([], dtype=np.int64)


def spelled(*transcripts):
    return Transcripts([np.array(one, dtype=np.int64) for one in transcripts])


def test_every_transcript_weighs_by_its_share_of_the_batch():
    targets = spelled([11, 12], [], [20, 11, 12]).targets(np.array([0, 1, 2]), num_in_batch=5)
    assert targets.letters.tolist() == [1, 2, 3, 1, 2]
    assert targets.lengths.tolist() == [2, 0, 3]
    assert np.allclose(targets.weights, [0.2, 0.0, 0.2])


def test_a_batch_without_transcripts_has_no_letters():
    targets = spelled([], [11]).targets(np.array([0]), num_in_batch=0)
    assert targets.letters.tolist() == []
    assert targets.weights.tolist() == [0.0]


def test_equal_neighbours_need_one_more_audio_token():
    transcripts = spelled([11, 11], [11, 12])
    assert transcripts.num_unspellable(np.array([2, 2])) == 1
    assert transcripts.num_unspellable(np.array([3, 2])) == 0


def test_only_spoken_rows_of_speech_recognition_are_spelled(backbone, manifest):
    prepared = prepare_rows(backbone.dialogue, manifest, np.arange(4))
    tasks = manifest.column("task")[:4].tolist()
    assert tasks == ["asr", "did", "tsum", "asr"]
    assert (spell(prepared, ["asr"]).lengths > 0).tolist() == [True, False, False, True]
    assert (spell(prepared, ["did", "asr"]).lengths > 0).tolist() == [True, True, False, True]
    silent = replace(prepared, num_audio_tokens=np.zeros(4, dtype=np.int64))
    assert spell(silent, ["asr"]) is None


def test_letters_are_the_tokens_of_the_transcript(backbone, manifest):
    transcripts = spell(prepare_rows(backbone.dialogue, manifest, np.arange(4)), ["asr"])
    letters = transcripts.targets(np.array([3]), 1).letters
    tokenizer = backbone.dialogue.tokenizer
    text = tokenizer.decode(transcripts.alphabet[letters - 1].tolist(), skip_special_tokens=False)
    assert text == manifest.column("target")[3]
    assert "<|im_end|>" not in text
