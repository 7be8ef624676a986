from collections import Counter

import pytest

from maqam.errors import ConfigError
from maqam.pooling.select import select

from .manifests import column, corpus, spoken


def test_each_condition_tells_the_rows_it_took_and_the_nulls_among_them(tmp_path):
    rows = [
        {"seconds": seconds, "wmer": wmer} for seconds in (0.1, 1.0, 50.0) for wmer in (5, None)
    ]
    found = corpus(tmp_path, "one", *rows)
    left, report = select(found, "seconds >= 0.3 and seconds <= 30 and wmer <= 40")
    assert column(left, "seconds") == [1.0]
    assert report.lines() == [
        "seconds >= 0.3: 2 rows taken away",
        "seconds <= 30: 2 rows taken away",
        "wmer <= 40: 1 rows taken away (1 rows have null among them)",
        "1 of 6 rows are left",
    ]


def test_the_losses_and_what_is_left_add_up(tmp_path):
    rows = [spoken("angry" if index % 3 else "sad", f"s{index % 5}") for index in range(30)]
    found = corpus(tmp_path, "one", *rows)
    left, report = select(found, "speaker != 's1'", {"label": 4, "speaker": 2})
    assert report.num_left == left.num_utterances
    assert report.num_rows - sum(one.num_rows for one in report.losses) == report.num_left
    assert max(Counter(column(left, "label")).values()) <= 4
    assert max(Counter(column(left, "speaker")).values()) <= 2


def test_a_cap_draws_by_ids_so_that_other_rows_and_larger_caps_change_nothing(tmp_path):
    rows = [{"id": f"u{index}", "dialect": "EG" if index % 2 else "SA"} for index in range(40)]
    whole = corpus(tmp_path / "whole", "one", *rows)
    egyptian = corpus(tmp_path / "part", "one", *[row for row in rows if row["dialect"] == "EG"])

    def kept(manifest, most, seed=0):
        left, _ = select(manifest, caps={"dialect": most}, seed=seed)
        return {
            one
            for one, dialect in zip(column(left, "id"), column(left, "dialect"), strict=True)
            if dialect == "EG"
        }

    assert kept(whole, 5) == kept(egyptian, 5)
    assert kept(whole, 5) < kept(whole, 9)
    assert kept(whole, 5) != kept(whole, 5, seed=1)
    assert len(kept(whole, 100)) == 20


def test_rows_without_a_value_are_not_capped_and_are_counted(tmp_path):
    rows = [{"dialect": "EG" if index < 4 else None} for index in range(7)]
    found = corpus(tmp_path, "one", *rows)
    left, report = select(found, caps={"dialect": 2})
    assert left.num_utterances == 5
    assert report.lines()[0] == (
        "at most 2 rows of each dialect: 2 rows taken away (3 rows have null and are not capped)"
    )


def test_only_the_split_that_is_named_is_selected_from(tmp_path):
    rows = [{"seconds": 0.1, "split": split} for split in ("train", "test", "train")]
    left, report = select(corpus(tmp_path, "one", *rows), "seconds > 1", split="train")
    assert column(left, "split") == ["test"]
    assert report.num_left == 1


@pytest.mark.parametrize(
    ("caps", "words"),
    [
        ({"dialekt": 5}, "--cap dialekt=5: there is no column 'dialekt'"),
        ({"audios": 5}, "column 'audios' is list<.*>, which has no values to cap"),
        ({"dialect": 0}, "a cap of 0 leaves no row"),
    ],
)
def test_a_cap_that_cannot_be_is_refused(tmp_path, caps, words):
    with pytest.raises(ConfigError, match=words):
        select(corpus(tmp_path, "one", {}), caps=caps)
