import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maqam.data.hearing import heard

RATE = 16_000
NOISE = np.random.default_rng(0).standard_normal((2, RATE)).astype(np.float32) * 0.1


def kinds(*channels, channel=None):
    samples = np.stack([np.asarray(one, dtype=np.float32) for one in channels], axis=1)
    return [one.kind for one in heard(samples, RATE, channel)]


def test_sound_on_one_channel_or_two_has_no_fault():
    assert kinds(NOISE[0]) == kinds(NOISE[0], NOISE[0]) == kinds(NOISE[0], NOISE[1]) == []
    assert kinds(NOISE[0], 0 * NOISE[0]) == []


@pytest.mark.parametrize("gain", [-1.0, -0.98, -0.8])
def test_channels_that_cancel_each_other_are_found_and_one_of_them_can_be_used(gain):
    assert kinds(NOISE[0], gain * NOISE[0]) == ["opposite channels"]
    assert kinds(NOISE[0], gain * NOISE[0], channel=1) == []


def test_the_louder_of_opposite_channels_is_the_one_to_use():
    (found,) = heard(np.stack([-0.9 * NOISE[0], NOISE[0]], axis=1), RATE)
    assert (found.channel, found.is_fatal) == (1, True)


@given(level=st.floats(-1, 1), channels=st.integers(1, 3))
def test_what_never_changes_is_silent_or_constant(level, channels):
    (kind,) = kinds(*[np.full(800, level)] * channels)
    assert kind == ("silent audio" if abs(level) <= 2**-14 else "constant audio")


def test_quiet_is_not_silent():
    assert kinds(NOISE[0] * 0.005) == ["inaudible audio"]
    assert kinds(NOISE[0] * 0.1) == []


def test_an_offset_is_no_sound_and_hides_none():
    assert kinds(NOISE[0] * 0.005 + 0.5) == ["inaudible audio"]
    assert kinds(NOISE[0] + 0.3) == []


def test_speakers_who_take_turns_on_two_channels_are_told_from_stereo():
    turns = np.repeat([1.0, 0.0, 1.0, 0.0], RATE // 4)
    assert kinds(NOISE[0] * turns, NOISE[1] * (1 - turns)) == ["two speakers"]
    assert kinds(NOISE[0] * turns, NOISE[0] * turns) == []
    assert kinds(NOISE[0] * turns, NOISE[1] * (1 - turns), channel=0) == []
