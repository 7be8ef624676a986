import pytest

from maqam.errors import ConfigError
from maqam.score.settings import ScoreSettings


@pytest.mark.parametrize(
    "name", ["max_new_tokens", "max_label_tokens", "batch_tokens", "num_resamples"]
)
def test_limits_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        ScoreSettings(**{name: 0})


def test_an_unknown_profile_is_refused():
    with pytest.raises(ConfigError, match="no normalizer profile 'plain'"):
        ScoreSettings(profile="plain")
