import pytest

from maqam.inspection.checks import check_manifest
from maqam.text.profiles import PROFILES, normalize
from tests.factories import make_row
from tests.inspection.test_checks import manifest_of

SEEN = [
    ("\0", "NUL character", True),
    ("\x1b", "control character", False),
    ("\u0085", "control character", False),
    ("\u202e", "bidi control", False),
    ("\u2066", "bidi control", False),
    ("\u200f", "bidi control", False),
    ("\u200b", "zero-width character", False),
    ("\ufeff", "zero-width character", False),
    ("\ufffd", "replacement character", False),
    ("\ue000", "private-use character", False),
    ("\U00100000", "private-use character", False),
]


def found(folder, **changes):
    """Check two rows, the second of which is changed."""
    rows = [make_row(4, target="نعم يا صديقي"), make_row(9, **{"task": "tsum", **changes})]
    report = check_manifest(manifest_of(folder, rows), read=False)
    return [(one.row, one.kind, one.text, one.is_fatal) for one in report.findings]


@pytest.mark.parametrize(("character", "kind", "is_fatal"), SEEN)
@pytest.mark.parametrize("name", ["id", "target", "speaker", "dialect", "source"])
def test_what_no_one_sees_is_a_finding_with_its_column_and_code(
    tmp_path, name, character, kind, is_fatal
):
    wanted = (1, kind, f"{name} holds U+{ord(character):04X}", is_fatal)
    assert found(tmp_path, **{name: f"ا{character}ب{character}"}) == [wanted]


def test_a_question_and_an_audio_path_are_looked_at(tmp_path):
    asked = [{"role": "user", "content": "لخّص\0"}, {"role": "assistant", "content": "نعم"}]
    assert found(tmp_path, target="نعم", messages=asked) == [
        (1, "NUL character", "messages holds U+0000", True)
    ]
    row = make_row(0, task="asr", audios=["audio/\u202e.wav"])
    report = check_manifest(manifest_of(tmp_path / "path", [row]), read=False)
    assert [one.text for one in report.findings] == ["audios holds U+202E"]


@pytest.mark.parametrize("character", ["\t", "\n", "\r"])
def test_lines_and_tabs_belong_in_texts_but_not_in_names(tmp_path, character):
    word = f"ا{character}ب"
    assert found(tmp_path / "text", target=word) == []
    kinds = [kind for _, kind, *_ in found(tmp_path / "name", id=word)]
    assert kinds == ["control character"]


@pytest.mark.parametrize("text", ["می\u200cخواهم", "ع\u200dع", "كتابٌ ۴ 😀", "e\u0301"])
def test_letters_of_every_script_and_joiners_are_no_finding(tmp_path, text):
    assert found(tmp_path, target=text, id=text) == []


def test_rows_with_missing_values_do_not_end_the_check(tmp_path):
    (tmp_path / "broken").mkdir()
    changes = {"target": None, "id": None, "messages": None, "audios": []}
    assert [kind for _, kind, *_ in found(tmp_path / "broken", **changes)] == ["missing value"]


@pytest.mark.parametrize("profile", PROFILES)
def test_three_profiles_delete_bidi_controls_and_the_others_keep_them(profile):
    deleted = normalize("\u202bنعم\u202c", profile) == normalize("نعم", profile)
    assert deleted == (profile in ("mgb2", "iwslt22", "lenient-v1"))
