import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maqam.errors import ConfigError
from maqam.pooling.expression import read_condition

NAN = float("nan")
TABLE = pa.table(
    {
        "seconds": [0.1, 5.0, 40.0],
        "wmer": pa.array([1, None, 50]),
        "task": ["asr", "did", None],
        "synthetic": [True, False, None],
        "snr db": [NAN, 2.0, None],
        "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
        "money": pa.array([1, 2, 3], pa.decimal128(5, 2)),
        "audios": [["x"], [], ["y"]],
    }
)


def met(text: str) -> list[bool | None]:
    return read_condition(text).mask(TABLE).to_pylist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seconds >= 0.3 and seconds <= 30 and wmer <= 40", [False, None, False]),
        ("0.3 <= seconds <= 30", [False, True, False]),
        ("seconds < 1e400", [True, True, True]),
        ("wmer < 99999999999999999999", [True, None, True]),
        ("wmer == -1", [False, None, False]),
        ("wmer in (1, 2.5)", [True, None, False]),
        ("seconds > wmer", [False, None, False]),
        ("task in ('asr')", [True, False, None]),
        ('task not in ["asr", "x"]', [False, True, None]),
        ("task in ()", [False, False, None]),
        ("task < 'b'", [True, False, None]),
        ("synthetic", [True, False, None]),
        ("not synthetic", [False, True, None]),
        ("synthetic != true", [False, True, None]),
        ("wmer is null or seconds > 30", [False, True, True]),
        ("task is not null", [True, True, False]),
        ("column('snr db') is null", [True, False, True]),
        ("not (column('snr db') > 2)", [None, True, None]),
        ("kind == 'a'", [True, False, True]),
        ("money >= 2.5", [False, False, True]),
        ("audios is not null", [True, True, True]),
        ("wmer < 40 or task == 'did'\n  or synthetic", [True, True, None]),
    ],
)
def test_a_condition_means_what_it_says_and_a_null_leaves_it_open(text, expected):
    assert met(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("seconds = 1", "is no condition: invalid syntax"),
        ("seconds > 1 AND wmer > 1", "invalid syntax"),
        ("(seconds > 1", "never closed"),
        ("1 < 2", "names no column"),
        ("true", "neither a comparison nor a column"),
        ("__import__('os').system('x')", "neither a comparison nor a column"),
        ("seconds.real > 1", "is no column, number or quoted text"),
        ("seconds + wmer > wmer", "is no column, number or quoted text"),
        ("task == b'asr'", "is no column, number or quoted text"),
        ("task == f'{wmer}'", "is no column, number or quoted text"),
        ("task == null", "nothing equals null"),
        ("task in ('asr', null)", "nothing equals null"),
        ("task in ('asr', kind)", "a list holds numbers or quoted texts, not kind"),
        ("task is 'asr'", "`is` asks whether a column is null"),
        ("[one for one in task]", "neither a comparison nor a column"),
        ("(lambda: task)() == 'asr'", "is no column, number or quoted text"),
        ("task == 'a\0b'", "null bytes"),
        ("task == '\\ud800'", "half a character"),
        ("wmer < 0x" + "F" * 5000, "a number in it is too large"),
        ("not " * 101 + "synthetic", "nested too deeply"),
        ("not " * 9000 + "synthetic", "nested too deeply"),
        ("(" * 5000 + "synthetic" + ")" * 5000, "is no condition"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_reason(text, words):
    with pytest.raises(ConfigError, match="is no condition") as caught:
        read_condition(text, "--where")
    assert words in str(caught.value)
    assert str(caught.value).startswith("--where: ")
    assert len(str(caught.value)) < 250
    assert "seconds >= 0.3" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seconds > '1'", "column seconds holds numbers and '1' is a text"),
        ("task == 3", "column task holds text and 3 is a number"),
        ("synthetic == 'yes'", "column synthetic holds true or false and 'yes' is a text"),
        ("wmer in ('1', 2)", "column wmer holds numbers and '1' is a text"),
        ("task == seconds", "column task holds text and column seconds holds numbers"),
        ("audios == 'x'", "column audios is list<.*>, of which only `is null` can be asked"),
        ("seconds and synthetic", "column seconds holds numbers, which is no condition by itself"),
        ("synthetic > false", "synthetic is true or false, which has no order"),
    ],
)
def test_types_that_do_not_fit_are_told_in_one_line(text, words):
    with pytest.raises(ConfigError, match=words):
        met(text)


def test_an_unknown_column_gets_the_nearest_and_all_columns():
    with pytest.raises(ConfigError, match="there is no column 'secnds'") as caught:
        met("secnds > 1")
    assert caught.value.hint.startswith("did you mean 'seconds'? known: seconds, wmer")
    with pytest.raises(ConfigError) as caught:
        met("مهمة == 'x'")
    assert caught.value.hint == f"known: {', '.join(TABLE.column_names)}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count > 0.5", [True, None, True]),
        ("count == half", [False, None, False]),
        ("count in (9007199254740993, 2)", [True, None, False]),
        ("count in (0.5, 3)", [False, None, True]),
        ("huge > 3", [True, False, False]),
        ("money > 3", [True, False, False]),
    ],
)
def test_whole_numbers_beyond_those_of_fractions_are_compared(text, expected):
    huge = pa.array([2**63 + 5, 1, 2], pa.uint64())
    money = pa.array([10**20 + 1, 1, 2], pa.decimal128(30, 2))
    columns = {"count": [2**53 + 1, None, 3], "half": [0.5] * 3, "huge": huge, "money": money}
    assert read_condition(text).mask(pa.table(columns)).to_pylist() == expected


NUMBERS = st.none() | st.integers(-3, 3)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1), st.integers(-3, 3))
def test_conditions_agree_with_pythons_own_where_nothing_is_null(pairs, bound):
    table = pa.table(
        {name: pa.array([one[at] for one in pairs], pa.int64()) for at, name in enumerate("ab")}
    )
    text = f"a < {bound} and not b == {bound} or a in ({bound}, 1) and b >= a"
    for (a, b), found in zip(pairs, read_condition(text).mask(table).to_pylist(), strict=True):
        if a is not None and b is not None:
            assert found == eval(text, {"a": a, "b": b})
        if found is not None:  # whatever the nulls are, it stays
            values = [[one] if one is not None else range(-4, 5) for one in (a, b)]
            assert {eval(text, {"a": x, "b": y}) for x in values[0] for y in values[1]} == {found}
