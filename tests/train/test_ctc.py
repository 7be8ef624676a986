from dataclasses import replace

import numpy as np

from maqam.train.ctc import Transcripts, spell
from maqam.train.rows import prepare_rows


def test_every_transcript_weighs_by_its_share_of_the_batch():
    targets = Transcripts(["ab", "", "cab"]).targets(np.array([0, 1, 2]), num_in_batch=5)
    assert targets.characters.tolist() == [1, 2, 3, 1, 2]
    assert targets.lengths.tolist() == [2, 0, 3]
    assert np.allclose(targets.weights, [0.2, 0.0, 0.2])


def test_a_batch_without_transcripts_has_no_characters():
    targets = Transcripts(["", "a"]).targets(np.array([0]), num_in_batch=0)
    assert targets.characters.tolist() == []
    assert targets.weights.tolist() == [0.0]


def test_equal_neighbours_need_one_more_audio_token():
    transcripts = Transcripts(["aa", "ab"])
    assert transcripts.num_unspellable(np.array([2, 2])) == 1
    assert transcripts.num_unspellable(np.array([3, 2])) == 0


def test_only_spoken_rows_of_speech_recognition_are_spelled(backbone, manifest):
    prepared = prepare_rows(backbone, manifest, np.arange(4))
    tasks = manifest.column("task")[:4].tolist()
    assert tasks == ["asr", "did", "tsum", "asr"]
    assert (spell(prepared).lengths > 0).tolist() == [True, False, False, True]
    silent = replace(prepared, num_audio_tokens=np.zeros(4, dtype=np.int64))
    assert spell(silent) is None
