import numpy as np
import pytest
import soundfile

from maqam.data.audio import audio_seconds, read_audio
from maqam.errors import AudioError
from tests.factories import make_tone


def kind_of(path):
    with pytest.raises(AudioError) as caught:
        read_audio(path)
    return caught.value.kind


def test_each_fault_of_a_file_has_a_kind_of_its_own(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "page.wav").write_text("<!DOCTYPE html><html>404</html>")
    (tmp_path / "zeros.flac").write_bytes(bytes(5000))
    (tmp_path / "noise.mp3").write_bytes(np.random.default_rng(0).bytes(500))
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    (tmp_path / "a.flac").write_bytes(b"fLaC" + bytes(100))
    soundfile.write(tmp_path / "nan.wav", np.full(99, np.nan), 16_000, subtype="FLOAT")
    kinds = {
        "none.wav": "missing audio",
        "empty.wav": "empty audio file",
        "page.wav": "not audio",
        "zeros.flac": "not audio",
        "noise.mp3": "not audio",
        "a.m4a": "unsupported format",
        "a.flac": "damaged audio",
        "nan.wav": "samples not finite",
    }
    assert {name: kind_of(tmp_path / name) for name in kinds} == kinds


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<html><p>gone", "an HTML page"),
        ("قال".encode(), "text, 'قال'"),
        (bytes(50), "its first bytes are zeros"),
        (b"\x01\x02\xff", "no header of a known format"),
        (b"a\x01b", "no header of a known format"),
        (b"\x1a\x45\xdf\xa3", "WebM"),
    ],
)
def test_what_is_no_audio_is_described(tmp_path, data, words):
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(AudioError, match=words):
        audio_seconds(tmp_path / "a.wav")


@pytest.mark.parametrize("share", [0.3, 0.9, 0.97])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3"])
def test_a_file_that_ends_too_early_is_told_without_decoding_it(tmp_path, suffix, share):
    path = tmp_path / f"a{suffix}"
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000 * 20)
    kind = {"format": "OGG", "subtype": "OPUS"} if suffix == ".opus" else {}
    soundfile.write(path, noise, 16_000, **kind)
    assert audio_seconds(path) == pytest.approx(20, abs=0.1)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(AudioError, match="cut short") as caught:
        audio_seconds(path)
    assert caught.value.kind == "audio cut short"


def test_a_flac_whose_middle_is_broken_is_damaged_and_not_cut_short(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(160_000), 16_000)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20_000] = bytes(20_000)
    path.write_bytes(data)
    assert audio_seconds(path) == 10
    assert kind_of(path) in ("damaged audio", "audio cut short")


def test_a_channel_can_be_chosen(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.tile([0.5, -0.25], (99, 1)), 16_000, subtype="FLOAT")
    assert read_audio(tmp_path / "a.wav", channel=1).tolist() == [-0.25] * 99
    with pytest.raises(AudioError, match="channel 2 of 2, counted from 0"):
        read_audio(tmp_path / "a.wav", channel=2)


def test_a_tone_has_no_fault(tmp_path):
    assert len(read_audio(make_tone(tmp_path / "a.wav"))) == 16_000
