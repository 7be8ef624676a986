import json

from .calls import assert_refused, maqam


def test_the_taxonomy_of_dialects_shows_what_each_label_set_calls_a_country() -> None:
    result = maqam("data", "taxonomy", "dialect", "--json")
    rows = {row["code"]: row for row in json.loads(result.out)}
    assert rows["SA"]["labels"]["adi17"] == ["KSA"]
    assert rows["SA"]["within"] == "gulf"
    assert rows["SA"]["did"] == "gulf"


def test_labels_of_one_set_are_named_in_another() -> None:
    words = ("data", "taxonomy", "dialect", "EGY", "KSA", "--scheme", "adi17", "--to", "madar26")
    result = maqam(*words)
    assert result.code == 0
    assert "ALX ASW CAI" in result.out
    assert "JED RIY" in result.out


def test_the_taxonomy_of_emotions_is_a_table() -> None:
    result = maqam("data", "taxonomy", "emotion")
    assert result.code == 0
    assert "frustrated" in result.out


def test_labels_that_a_set_lacks_are_all_listed() -> None:
    result = maqam("data", "taxonomy", "dialect", "EGY", "ABC", "DEF", "--scheme", "adi17")
    assert_refused(result, "2 labels", "'ABC'", "'DEF'")


def test_labels_without_their_set_are_refused() -> None:
    assert_refused(maqam("data", "taxonomy", "dialect", "EGY"), "no scheme")
