import numpy as np
import pytest

from maqam.errors import ModelError
from maqam.models.dialogue import Encoded
from maqam.train.rows import check_width, prepare_rows

from .corpus import make_manifest


def test_a_prepared_row_expands_to_the_ids_of_its_dialogue(backbone, manifest):
    prepared = prepare_rows(backbone.dialogue, manifest, np.arange(8))
    for position, row in enumerate(manifest.rows(np.arange(8))):
        width = 17 if row["audios"] else 0
        expected = backbone.dialogue.encode(row["messages"], width)
        found = prepared.encoded(position, width, backbone.dialogue.audio_id)
        assert found.input_ids.tolist() == expected.input_ids.tolist()
        assert found.target_start == expected.target_start


def test_lengths_and_target_counts_are_known_before_training(backbone, manifest):
    prepared = prepare_rows(backbone.dialogue, manifest, np.array([3, 0, 3]))
    assert prepared.rows.tolist() == [0, 3]
    for position, row in enumerate(manifest.rows([0, 3])):
        width = backbone.dialogue.num_audio_tokens(round(row["seconds"] * 100))
        full = backbone.dialogue.encode(row["messages"], width)
        assert prepared.num_tokens[position] == len(full.input_ids)
        assert prepared.num_target_tokens[position] == full.num_target_tokens
    assert prepared.task_names == ("asr",)


def test_all_rows_that_exceed_the_context_are_counted_before_training(backbone, manifest):
    backbone.dialogue.max_tokens = 60
    with pytest.raises(ModelError, match=r"rows do not fit the model: utterance-\d+: .*exceed"):
        prepare_rows(backbone.dialogue, manifest, np.arange(24))


def test_audio_too_short_for_one_token_is_refused(backbone, manifest):
    table = manifest.table.to_pylist()
    table[0]["seconds"] = 0.01
    short = type(manifest)(manifest.path, manifest.table.from_pylist(table))
    with pytest.raises(ModelError, match=r"utterance-0: 0.01 s of audio give no audio token"):
        prepare_rows(backbone.dialogue, short, np.arange(4))


def test_two_audios_in_one_dialogue_are_refused(backbone, manifest):
    table = manifest.table.to_pylist()
    table[0]["audios"] *= 2
    double = type(manifest)(manifest.path, manifest.table.from_pylist(table))
    with pytest.raises(ModelError, match="utterance-0: 2 audios in one dialogue"):
        prepare_rows(backbone.dialogue, double, np.arange(4))


def test_progress_reaches_the_number_of_rows(backbone, tmp_path):
    seen = []
    manifest = make_manifest(tmp_path, 4)
    prepare_rows(backbone.dialogue, manifest, np.arange(4), lambda *done: seen.append(done))
    assert seen == [(4, 4)]


def test_audio_longer_than_its_row_says_is_refused_not_cut(backbone):
    dialogue = Encoded(np.zeros(2000, dtype=np.int64), 1900, 1990)
    with pytest.raises(ModelError, match=r"manifest row 7: 2000 tokens .* exceed the context"):
        check_width(backbone.dialogue, dialogue, "manifest row 7")


def test_audio_that_gave_no_token_is_refused(backbone):
    dialogue = Encoded(np.array([backbone.dialogue.audio_id]), 0, 1)
    with pytest.raises(ModelError, match="no audio tokens came from it"):
        check_width(backbone.dialogue, dialogue, "manifest row 7")
