import pytest
import torch

from maqam.features.pooling import mean_over_frames


@pytest.mark.parametrize("padding", [0.0, 1e9, float("nan")])
def test_padding_does_not_count(padding):
    frames = torch.full((2, 3, 2), padding)
    frames[0, :2] = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    frames[1] = 5.0
    pooled = mean_over_frames(frames, torch.tensor([2, 3]))
    assert pooled.tolist() == [[2.0, 20.0], [5.0, 5.0]]


def test_half_precision_is_summed_in_single():
    frames = torch.full((1, 4000, 1), 100.0, dtype=torch.float16)  # the sum exceeds 65504
    pooled = mean_over_frames(frames, torch.tensor([4000]))
    assert pooled.dtype == torch.float32
    assert pooled.item() == 100.0
