"""What front ends say of audio without hearing it, for every family."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.models.checkpoint import family_limits
from maqam.models.families import FAMILIES
from maqam.models.front_end import FrontEnd, LogMel, OwnExtractor

EVERY = pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))


def num_tokens(front_end, num_samples):
    return front_end.num_audio_tokens(front_end.num_frames(num_samples))


@EVERY
def test_the_shortest_and_the_longest_audio_that_are_taken_fit(family):
    limits, front_end = family_limits(family), family.front_end
    longest = int(limits.max_seconds * limits.sample_rate)
    assert num_tokens(front_end, limits.min_samples) >= 1
    assert num_tokens(front_end, longest) <= family.max_tokens
    assert not front_end.exceeds(front_end.num_frames(longest))
    ends = np.array([limits.min_samples, longest]) / limits.sample_rate
    assert limits.min_samples < limits.sample_rate
    assert not (limits.is_too_short(ends) | limits.is_too_long(ends)).any()


@EVERY
def test_longer_audio_than_is_taken_gives_too_much(family):
    limits, front_end = family_limits(family), family.front_end
    later = int((limits.max_seconds + 31) * limits.sample_rate)
    is_too_much = num_tokens(front_end, later) > family.max_tokens
    assert is_too_much or front_end.exceeds(front_end.num_frames(later))


@EVERY
@settings(max_examples=20, deadline=None)
@given(seconds=st.floats(0.001, 4000))
def test_audio_tokens_are_at_most_what_a_check_without_a_tokenizer_takes(family, seconds):
    front_end = family.front_end
    num_samples = round(seconds * front_end.sample_rate)
    most = front_end.most_audio_tokens(np.array([0.0, num_samples / front_end.sample_rate]))
    assert most[0] == 0
    assert num_tokens(front_end, num_samples) <= most[1]


def test_the_name_of_a_front_end_tells_what_decides_its_numbers():
    kinds = (
        LogMel(),
        LogMel(3),
        LogMel(3, window_frames=3000),
        LogMel(3, window_frames=3000, is_cut=True),
        LogMel(is_alone=True),
        LogMel(is_alone=True, min_samples=8000),
        OwnExtractor("WhisperFeatureExtractor", int),
        OwnExtractor("WhisperFeatureExtractor", int, call={"padding": "longest"}),
        OwnExtractor("OmniASRFeatureExtractor", int),
    )
    names = {FrontEnd(int, kind, num_bins=bins).name for kind in kinds for bins in (80, 128)}
    own = FrontEnd(int, kinds[-1])
    names |= {own.of_checkpoint(None, {"do_normalize": flag}).name for flag in (True, False)}
    assert len(names) == 2 * 6 + 3 + 2


def test_a_front_end_of_its_own_is_set_up_as_the_checkpoint_says():
    extractor = OwnExtractor(
        "WhisperFeatureExtractor",
        lambda num_samples: num_samples // 160,
        bins_first=True,
        call={"return_tensors": "np", "padding": "longest"},
    )
    narrow = FrontEnd(int, extractor).of_checkpoint(None, {"feature_size": 80})
    samples = np.random.default_rng(0).normal(size=1600).astype(np.float32)
    frames = narrow.frames(samples)
    assert frames.shape == (narrow.num_frames(1600), 80)
    same = FrontEnd(int, LogMel(is_alone=True), num_bins=80).frames(samples)
    np.testing.assert_allclose(frames, same, atol=1e-4)
