import pytest

from maqam.errors import ManifestError
from tests.corpora.formats.importing import imported, write
from tests.factories import make_tone


@pytest.fixture
def folder(tmp_path):
    make_tone(tmp_path / "audio/call.flac", seconds=3.0)
    return tmp_path


def test_segments_of_stm_are_utterances_and_its_comments_are_none(folder):
    source = write(
        folder / "x.stm",
        ";; made by hand",
        "call\t1\tamal\t0.50\t1.75\t<aeb>\tنعم سيدي",
        "",
        "call A badr 2 2.5 لا",
    )
    found = imported(source, "stm", media_dir=folder / "audio")
    assert not found.rejects
    assert [
        (row["target"], row["start"], row["seconds"], row["speaker"]) for row in found.rows
    ] == [
        ("نعم سيدي", 0.5, 1.25, "amal"),
        ("لا", 2.0, 0.5, "badr"),
    ]
    assert found.rows[0]["audios"] == [str(folder / "audio/call.flac")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("call 1 amal 0.5", "no segment"),
        ("call 1 amal x 1.0 نعم", "no number"),
        ("call 1 inter_segment_gap 0 1", "no speech"),
        ("call 1 amal 0 1 <o,f0> IGNORE_TIME_SEGMENT_IN_SCORING", "no speech"),
        ("call B amal 0 1 نعم", "other channel"),
        ("../call 1 amal 0 1 نعم", "path outside the source"),
        ("call 1 amal 0 1", "no text"),
    ],
)
def test_a_line_of_stm_that_is_no_utterance_is_a_reject(folder, line, reason):
    source = write(folder / "x.stm", line, "call 1 amal 0 1 نعم")
    found = imported(source, "stm", media_dir=folder / "audio")
    assert (len(found.rows), found.reasons) == (1, [reason])


def test_a_folder_without_stm_is_refused(folder):
    with pytest.raises(ManifestError, match=r"it holds no \.stm"):
        imported(folder / "audio", "stm", folder / "out")
