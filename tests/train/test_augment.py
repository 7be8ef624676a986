"""Varied log-mels: what changes, what must not, and that a resumed run hears the same."""

import numpy as np
import pytest

from maqam.errors import ConfigError
from maqam.models.families import FAMILIES
from maqam.models.log_mel import log_mel
from maqam.train.augment import Augmentation, augment, check_frames, warp_frequencies
from maqam.train.batches import PlanBatches
from maqam.train.log_mels import LogMels
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective, TrainSettings
from tests.train.corpus import load_step, make_backbone, make_manifest, make_plan

OTHER_FRAMES = (  # than Whisper's
    "fun_asr_nano",
    "gemma4",
    "granite_speech",
    "granite_speech_plus",
    "omniasr",
    "vibevoice_asr",
)


def tone(hertz: float) -> np.ndarray:
    times = np.arange(8000) / 16_000
    return log_mel((0.5 * np.sin(2 * np.pi * hertz * times)).astype(np.float32))


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_a_warped_tone_is_the_tone_of_the_warped_frequency(factor: float) -> None:
    warped = warp_frequencies(tone(1500), factor)[25].argmax()
    assert abs(int(warped) - int(tone(1500 * factor)[25].argmax())) <= 1


def test_masks_cover_at_most_their_share_and_hold_the_mean() -> None:
    frames = np.random.default_rng(0).normal(size=(200, 128)).astype(np.float32)
    settings = Augmentation(frequency_masks=1, time_masks=1)
    for seed in range(50):
        varied = augment(frames, settings, np.random.default_rng(seed))
        changed = varied != frames
        assert changed.all(axis=0).sum() <= round(0.15 * 128)
        assert changed.all(axis=1).sum() <= round(0.05 * 200)
        assert np.unique(varied[changed]).size <= 1


def test_without_settings_nothing_changes() -> None:
    frames = tone(440)
    assert np.array_equal(augment(frames, Augmentation(), np.random.default_rng(0)), frames)


def test_a_step_hears_the_same_whenever_it_is_asked_for(tmp_path) -> None:
    manifest, backbone = make_manifest(tmp_path), make_backbone()
    plan = make_plan(np.arange(24), num_steps=2, batch_size=8)
    prepared = prepare_rows(backbone.dialogue, manifest, plan.rows)

    def heard(order: list[int], seed: int = 0) -> dict[int, list[np.ndarray]]:
        batches = PlanBatches(
            backbone,
            plan,
            prepared,
            Objective(),
            audio_states=None,
            log_mels=LogMels(backbone, manifest, prepared.rows),
            augmentation=Augmentation(warp=0.1, time_masks=1),
            seed=seed,
        )
        return {step: load_step(batches, step).micro_batches[0].log_mels for step in order}

    forth, back, other = heard([0, 1]), heard([1, 0]), heard([0, 1], seed=1)
    for step in (0, 1):
        same = zip(forth[step], back[step], strict=True)
        assert all(np.array_equal(one, two) for one, two in same)
    pairs = zip(forth[0], other[0], strict=True)
    assert not all(np.array_equal(one, two) for one, two in pairs)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"warp": 0.6}, "warp must lie in"),
        ({"time_share": -0.1}, "time_share must lie in"),
        ({"frequency_masks": -1}, "frequency_masks must be at least 0"),
    ],
)
def test_impossible_settings_are_refused(values: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Augmentation(**values)


def test_a_phase_without_a_training_encoder_refuses_augmentation() -> None:
    with pytest.raises(ValueError, match="trains no encoder"):
        TrainSettings(phase="tune", augment=Augmentation(warp=0.1))


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_frequencies_are_varied_of_plain_log_mels_only(kind: str) -> None:
    front_end = FAMILIES[kind].front_end
    check_frames(Augmentation(time_masks=2), front_end)
    if kind not in OTHER_FRAMES:
        check_frames(Augmentation(warp=0.1, frequency_masks=2), front_end)
        return
    for settings in (Augmentation(warp=0.1), Augmentation(frequency_masks=1)):
        with pytest.raises(ConfigError, match="warp and frequency_masks vary plain log-mels"):
            check_frames(settings, front_end)
