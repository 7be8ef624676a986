import pytest

from maqam.errors import ManifestError
from tests.corpora.formats.importing import imported, write
from tests.factories import make_tone


@pytest.fixture
def kaldi(tmp_path):
    """Imports a data folder of the files given, beside a clip of two seconds."""
    make_tone(tmp_path / "a.wav", seconds=2.0)

    def run(settings=None, **files):
        for name, lines in files.items():
            file = "wav.scp" if name == "scp" else name
            write(tmp_path / "data" / file, *lines)
        return imported(tmp_path / "data", "kaldi", media_dir=tmp_path, **(settings or {}))

    return run


def test_segments_text_and_speakers_are_joined_by_utterance(kaldi, tmp_path):
    found = kaldi(
        scp=["rec a.wav"],
        segments=["u1 rec 0 0.5", "u2 rec 0.5 1.75", "u3 rec 1 -1"],
        text=["u3 ثلاثة", "u1 واحد", "u2 اثنان ونصف"],
        utt2spk=["u2 b", "u1 a"],
    )
    assert [(row["id"], row["target"], row["speaker"]) for row in found.rows] == [
        ("u1", "واحد", "a"),
        ("u2", "اثنان ونصف", "b"),
        ("u3", "ثلاثة", None),
    ]
    assert [(row["start"], row["seconds"]) for row in found.rows] == [(0, 0.5), (0.5, 1.25), (1, 1)]
    assert {row["audios"][0] for row in found.rows} == {str(tmp_path / "a.wav")}


def test_without_segments_a_recording_is_an_utterance(kaldi):
    found = kaldi(scp=["u1 a.wav"], text=["u1 واحد"])
    assert (found.ids, found.rows[0]["seconds"]) == (["u1"], 2.0)


def test_languages_are_labels(kaldi):
    settings = {"task": "did", "labels": {"EGY": "egyptian"}}
    found = kaldi(settings, scp=["-yt_1 a.wav", "b a.wav"], utt2lang=["-yt_1 EGY"])
    assert (found.ids, found.rows[0]["label"]) == (["-yt_1"], "egyptian")
    assert found.reasons == ["no label"]


def test_a_command_is_not_run(kaldi, tmp_path):
    touched = tmp_path / "touched"
    found = kaldi(
        scp=["u1 a.wav", f"u2 touch {touched}; cat a.wav |", f"u3 touch {touched} |  "],
        text=["u1 واحد", "u2 اثنان", "u3 ثلاثة"],
    )
    assert found.ids == ["u1"]
    assert found.reasons == ["shell command"] * 2
    assert not touched.exists()


@pytest.mark.parametrize(
    ("files", "reason", "place"),
    [
        ({"scp": ["u1 foo.ark:12"]}, "no audio file", ("wav.scp", 1)),
        ({"scp": ["u1 -"]}, "no audio file", ("wav.scp", 1)),
        ({"scp": ["u1"]}, "no audio path", ("wav.scp", 1)),
        ({"scp": ["u1 none.wav"]}, "missing audio", ("wav.scp", 1)),
        ({"scp": ["u1 a.wav"], "text": ["u1"]}, "empty target", ("wav.scp", 1)),
        ({"scp": ["u1 a.wav"], "text": []}, "no text", ("wav.scp", 1)),
        ({"scp": ["r a.wav"], "segments": ["u1 r 0"]}, "no segment", ("segments", 1)),
        ({"scp": ["r a.wav"], "segments": ["u1 q 0 1"]}, "no audio", ("segments", 1)),
        ({"scp": ["r a.wav"], "segments": ["u1 r x 1"]}, "no number", ("segments", 1)),
        ({"scp": ["r a.wav"], "segments": ["u1 r 1 1"]}, "impossible times", ("segments", 1)),
        (
            {"scp": ["r a.wav"], "segments": ["u1 r 1 9"]},
            "segment outside the file",
            ("segments", 1),
        ),
    ],
)
def test_an_utterance_that_cannot_be_one_is_rejected(kaldi, files, reason, place):
    found = kaldi(**{"text": ["u1 واحد"], **files})
    assert found.reasons == [reason]
    assert (found.rejects[0]["file"], found.rejects[0]["line"]) == place


def test_text_without_audio_is_rejected(kaldi):
    found = kaldi(scp=["u1 a.wav"], text=["u1 واحد", "u2 اثنان"])
    assert (found.ids, found.reasons) == (["u1"], ["no audio"])


def test_a_folder_without_wav_scp_is_an_error(tmp_path):
    with pytest.raises(ManifestError, match=r"there is no wav\.scp here"):
        imported(tmp_path, "kaldi", tmp_path / "out")
