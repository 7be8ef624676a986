"""A study as a value."""

import pytest

from maqam.errors import ConfigError
from maqam.studies.grid import make_study


def test_a_seed_named_twice_is_refused():
    values = {"baseline": "plain", "methods": {"plain": {}}, "seeds": [3, 1, 3]}
    with pytest.raises(ConfigError, match=r"my\.yaml: seeds: seed 3 is there 2 times"):
        make_study(values, where="my.yaml")
    assert make_study({**values, "seeds": [3, 1]}, where="my.yaml").seeds == (3, 1)
