"""Settings of what a run measures of itself."""

import pytest

from maqam.diagnose.settings import DiagnoseSettings


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("every", -1, "every must be at least 0"), ("rows", 1, "rows must be at least 2")],
)
def test_a_setting_out_of_range_is_named(key, value, words):
    with pytest.raises(ValueError, match=words):
        DiagnoseSettings(**{key: value})
