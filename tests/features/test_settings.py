import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from maqam.features.settings import FeatureSettings


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"num_clusters": 0}, "num_clusters must be at least 1, got 0"),
        ({"num_dimensions": 0}, "num_dimensions must be at least 1, got 0"),
        ({"batch_seconds": 0.0}, "batch_seconds must be above 0, got 0"),
    ],
)
def test_a_setting_out_of_range_is_named(setting, words):
    with pytest.raises(ValueError, match=words):
        FeatureSettings(**setting)


def test_a_recipe_with_an_unknown_key_or_format_is_refused():
    adapter = TypeAdapter(FeatureSettings)
    assert adapter.validate_python({"num_clusters": 8}).num_clusters == 8
    for wrong in ({"clusters": 8}, {"dtype": "int8"}):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


def test_settings_load_without_torch_or_numpy():
    code = (
        "import sys, maqam.features.settings; print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
