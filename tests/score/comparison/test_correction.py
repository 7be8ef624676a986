"""P-values are corrected as Holm (1979) does."""

import pytest

from maqam.score.comparison.correction import holm


def test_holm_corrects_by_rank_keeps_the_order_and_stays_below_one():
    assert holm([0.5, 0.01, 0.04]) == pytest.approx([0.5, 0.03, 0.08])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
