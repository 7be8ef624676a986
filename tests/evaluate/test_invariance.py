import numpy as np

from maqam.evaluate.invariance import check_batches
from maqam.models.qwen_omni.model import QwenOmni
from maqam.score.settings import ScoreSettings

SETTINGS = ScoreSettings(max_new_tokens=6, max_label_tokens=4)


def test_answers_do_not_depend_on_what_is_decoded_beside_them(backbone, manifest, audio_states):
    rows = np.arange(manifest.num_utterances)
    found = check_batches(backbone, manifest, rows, settings=SETTINGS, audio_states=audio_states)
    assert (found.num_utterances, found.differences, found.num_choices) == (len(rows), (), 0)
    assert found.largest_gap is not None
    assert 0 < found.largest_gap < 1e-3  # rounded otherwise, and that is all


class Leaking(QwenOmni):
    """A model whose inputs depend on how many stand side by side."""

    def embeddings(self, batch):
        return super().embeddings(batch) + (len(batch.lengths) - 1)


def test_a_model_that_hears_its_neighbours_is_found_out(backbone, manifest, audio_states):
    leaking = Leaking(backbone.model, backbone.dialogue, backbone.family)
    rows = np.arange(manifest.num_utterances)
    found = check_batches(leaking, manifest, rows, settings=SETTINGS, audio_states=audio_states)
    assert found.largest_gap > 0.01
    assert found.differences
    assert all(one.alone != one.together for one in found.differences)
    plain = found.as_dict()
    assert plain["differences"][0]["id"] == found.differences[0].id
    assert plain["num_utterances"] == len(rows)
