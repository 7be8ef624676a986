import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.data.fingerprint import table_fingerprint

texts = st.none() | st.text(max_size=4)
rows = st.tuples(texts, st.none() | st.lists(texts, max_size=3), st.none() | st.floats())
TYPES = (pa.string(), pa.list_(pa.string()), pa.float64())


def make_table(values):
    columns = zip(*values, strict=True)
    return pa.table(
        {str(i): pa.array(c, t) for i, (c, t) in enumerate(zip(columns, TYPES, strict=True))}
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, min_size=1, max_size=6), st.lists(rows, min_size=1, max_size=6))
def test_fingerprints_are_equal_when_the_tables_are(first, second):
    one, other = make_table(first), make_table(second)
    same = str(one.to_pylist()) == str(other.to_pylist())  # so that nan is nan and -0.0 is not 0.0
    assert (table_fingerprint(one) == table_fingerprint(other)) == same


@settings(max_examples=30, deadline=None)
@given(st.lists(rows, min_size=2, max_size=6), st.integers(1, 5))
def test_the_chunks_of_a_table_do_not_count(values, cut):
    table = make_table(values)
    chunked = pa.concat_tables([table[:cut], table[cut:]])
    assert table_fingerprint(chunked) == table_fingerprint(table)


def test_the_names_of_columns_count():
    assert table_fingerprint(pa.table({"a": [1]})) != table_fingerprint(pa.table({"b": [1]}))


def test_rows_beyond_the_first_part_count():
    values = list(range(70_000))
    before = table_fingerprint(pa.table({"a": values}))
    assert table_fingerprint(pa.table({"a": [*values[:-1], 0]})) != before
