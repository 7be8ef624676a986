import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.data.audio import OUTSIDE, audio_seconds, read_audio
from maqam.data.containers import CUT_SHORT
from maqam.errors import AudioError
from tests.factories import make_tone

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")


def loudest_hertz(samples, sample_rate=16_000):
    return np.abs(np.fft.rfft(samples)).argmax() * sample_rate / len(samples)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("num_channels", [1, 2])
@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 48_000])
def test_any_format_becomes_16_khz_mono(tmp_path, suffix, num_channels, sample_rate):
    path = make_tone(
        tmp_path / f"a{suffix}", sample_rate=sample_rate, num_channels=num_channels, seconds=2.0
    )
    samples = read_audio(path)
    assert (samples.dtype, samples.ndim) == (np.float32, 1)
    assert len(samples) == pytest.approx(32_000, abs=400)
    assert loudest_hertz(samples) == pytest.approx(440, abs=1)
    assert np.sqrt(2) * samples[2000:-2000].std() == pytest.approx(0.3, abs=0.02)


def test_samples_at_the_wanted_rate_are_not_touched(tmp_path):
    written = np.random.default_rng(0).uniform(-1, 1, 999).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", written, 16_000, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav"), written)


def test_channels_are_averaged(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.tile([0.5, -0.25], (100, 1)), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav"), 0.125)


def test_resampling_is_soxr_of_the_whole_clip(tmp_path):
    written = np.random.default_rng(0).uniform(-1, 1, 4410).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", written, 44_100, subtype="FLOAT")
    expected = soxr.resample(written, 44_100, 16_000)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav"), expected)


@settings(max_examples=40, deadline=None)
@given(first=st.integers(0, 3999), length=st.integers(1, 4000), is_flac=st.booleans())
def test_a_segment_is_a_slice_of_the_clip(tmp_path_factory, first, length, is_flac):
    path = tmp_path_factory.getbasetemp() / f"segment.{'flac' if is_flac else 'wav'}"
    if not path.is_file():
        make_tone(path, seconds=0.25)
    length = min(length, 4000 - first)
    segment = read_audio(path, start=first / 16_000, seconds=length / 16_000)
    np.testing.assert_array_equal(segment, read_audio(path)[first : first + length])


def test_a_segment_of_a_lossy_file_lies_where_it_should(tmp_path):
    low, high = (0.3 * np.sin(2 * np.pi * f * np.arange(16_000) / 16_000) for f in (300, 900))
    for name in ("a.mp3", "a.ogg"):
        soundfile.write(tmp_path / name, np.concatenate([low, high]), 16_000)
        segment = read_audio(tmp_path / name, start=1.1, seconds=0.8)
        assert len(segment) == 12_800
        assert loudest_hertz(segment) == pytest.approx(900, abs=2)


def test_a_segment_without_seconds_runs_to_the_end(tmp_path):
    assert len(read_audio(make_tone(tmp_path / "a.wav"), start=0.75)) == 4000


def test_a_segment_is_read_without_the_rest_of_the_file(tmp_path, monkeypatch):
    path = make_tone(tmp_path / "a.wav", seconds=10.0)
    asked = []
    real = soundfile.SoundFile.read

    def read(self, frames=-1, *args, **kwargs):
        asked.append(frames)
        return real(self, frames, *args, **kwargs)

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    read_audio(path, start=9.0, seconds=0.5)
    assert asked == [8000]


def test_rounding_may_reach_50_ms_past_the_end(tmp_path):
    path = make_tone(tmp_path / "a.wav")
    assert len(read_audio(path, seconds=1.04)) == 16_000
    with pytest.raises(AudioError, match=r"the segment ends at 1\.06 s, the file at 1\.00 s"):
        read_audio(path, seconds=1.06)


def test_a_segment_after_the_end_is_an_error(tmp_path):
    with pytest.raises(AudioError, match=r"the segment ends at 2\.50 s"):
        read_audio(make_tone(tmp_path / "a.wav"), start=2.0, seconds=0.5)


@pytest.mark.parametrize(
    ("start", "seconds"),
    [(-0.1, None), (0.0, 0.0), (0.0, -1.0), (float("nan"), None), (0.0, float("inf"))],
)
def test_impossible_times_are_an_error(tmp_path, start, seconds):
    with pytest.raises(AudioError, match="are no segment"):
        read_audio(make_tone(tmp_path / "a.wav"), start=start, seconds=seconds)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AudioError, match=r"gone\.wav: the file is missing"):
        read_audio(tmp_path / "gone.wav")


def test_a_file_that_may_not_be_opened_is_an_error(tmp_path, monkeypatch):
    path = make_tone(tmp_path / "a.wav")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(AudioError, match="cannot be opened: Permission denied"):
        read_audio(path)


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioError, match=r"the file is empty \(0 bytes\)"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_not_audio_is_an_error(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text("<html>404 Not Found</html>" * 50)
    with pytest.raises(AudioError, match="not readable as audio"):
        read_audio(path)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_file_is_never_taken_for_the_whole(tmp_path, suffix, share):
    path = make_tone(tmp_path / f"a{suffix}", seconds=3.0)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    try:
        samples = read_audio(path, seconds=3.0)
    except AudioError:
        return
    # An MP3 may lose its last frame: 72 ms at most.
    assert suffix == ".mp3"
    assert len(samples) >= 48_000 - 1152


@pytest.mark.parametrize("seconds", [0.01, 0.02, 0.04])
def test_a_segment_at_the_lost_end_of_an_mp3_is_cut_short_and_never_empty(tmp_path, seconds):
    path = make_tone(tmp_path / "a.mp3", seconds=3.0)
    whole = path.read_bytes()
    kinds = set()
    for lost in range(0, 1400, 100):
        path.write_bytes(whole[: len(whole) - lost])
        try:
            assert len(read_audio(path, start=3.0 - seconds, seconds=seconds))
        except AudioError as error:
            kinds.add(error.kind)
    assert kinds <= {CUT_SHORT, OUTSIDE}
    assert CUT_SHORT in kinds


def test_a_truncated_wav_is_told_by_its_header(tmp_path):
    path = make_tone(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:-100])
    assert soundfile.info(path).frames == 15_950, "libsndfile says nothing"
    with pytest.raises(AudioError, match="cut short: the header declares 32044 bytes, the file"):
        read_audio(path)
    with pytest.raises(AudioError, match="cut short"):
        audio_seconds(path)


def test_an_mp3_that_ends_before_its_length_is_cut_short(tmp_path):
    path = make_tone(tmp_path / "a.mp3", seconds=3.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match=r"cut short: the header declares \d+ bytes"):
        read_audio(path)


def test_an_mp3_without_a_whole_frame_is_told(tmp_path):
    path = make_tone(tmp_path / "a.mp3", seconds=3.0)
    path.write_bytes(path.read_bytes().replace(b"Info", bytes(4)).replace(b"Xing", bytes(4))[:100])
    with pytest.raises(AudioError, match="not readable as audio: no whole frame"):
        read_audio(path)


def test_a_wav_written_to_a_pipe_has_no_length_and_is_read(tmp_path):
    path = make_tone(tmp_path / "a.wav")
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff" * 4
    path.write_bytes(data)
    assert len(read_audio(path)) == 16_000


def test_zero_samples_are_an_error(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16_000)
    with pytest.raises(AudioError, match="zero samples"):
        read_audio(tmp_path / "a.wav")


def test_too_few_samples_to_resample_are_an_error(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(1), 48_000)
    with pytest.raises(AudioError, match="zero samples at 16000 Hz"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_counted(tmp_path, value):
    written = np.zeros((100, 2), dtype=np.float32)
    written[10:13, 0] = value
    soundfile.write(tmp_path / "a.wav", written, 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="3 samples are not finite numbers"):
        read_audio(tmp_path / "a.wav")


def test_the_length_of_a_file_comes_from_its_header(tmp_path):
    assert audio_seconds(make_tone(tmp_path / "a.flac", sample_rate=8_000, seconds=1.5)) == 1.5


def test_the_length_of_what_is_not_audio_is_an_error(tmp_path):
    (tmp_path / "a.flac").write_text("text")
    with pytest.raises(AudioError, match="not readable as audio"):
        audio_seconds(tmp_path / "a.flac")


def test_gsm_in_wav_which_cannot_be_sought_in_is_read_as_libsndfile_decodes_it(tmp_path):
    file = tmp_path / "call.wav"
    times = np.arange(24_000) / 8_000
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * 300 * times), 8_000, subtype="GSM610")
    whole, rate = soundfile.read(file, dtype="float32")
    assert audio_seconds(file) == len(whole) / rate
    assert np.array_equal(read_audio(file, sample_rate=8_000), whole)
    part = read_audio(file, start=1.0, seconds=0.5, sample_rate=8_000)
    assert np.array_equal(part, whole[8_000:12_000])
