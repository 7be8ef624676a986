import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maqam.export.layout import file_order


@st.composite
def batches(draw):
    world_size, num_micro_batches, size = (draw(st.integers(1, 4)) for _ in range(3))
    num_rows = world_size * num_micro_batches * size
    has_audio = np.array(draw(st.lists(st.booleans(), min_size=num_rows, max_size=num_rows)))
    lengths = np.array(
        draw(st.lists(st.floats(0, 30), min_size=num_rows, max_size=num_rows)), dtype=float
    )
    return lengths, has_audio, world_size, num_micro_batches


def micro_batches(order, world_size, num_micro_batches, sharding):
    """Return each process' micro-batches as the trainers deal them."""
    parts = []
    for window in np.split(order, num_micro_batches):
        if sharding == "stride":
            parts += [window[rank::world_size] for rank in range(world_size)]
        else:
            parts += np.split(window, world_size)
    return parts


@pytest.mark.parametrize("sharding", ["stride", "block"])
@given(batch=batches())
def test_every_row_of_the_batch_stands_once(sharding, batch):
    lengths, has_audio, world_size, num = batch
    order = file_order(
        lengths, has_audio, world_size=world_size, num_micro_batches=num, sharding=sharding
    )
    assert sorted(order.tolist()) == list(range(len(lengths)))


@pytest.mark.parametrize("sharding", ["stride", "block"])
@given(batch=batches())
def test_micro_batches_hold_audio_alike(sharding, batch):
    lengths, has_audio, world_size, num = batch
    order = file_order(
        lengths, has_audio, world_size=world_size, num_micro_batches=num, sharding=sharding
    )
    counts = [has_audio[part].sum() for part in micro_batches(order, world_size, num, sharding)]
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("sharding", ["stride", "block"])
@given(batch=batches())
def test_audio_comes_first(sharding, batch):
    lengths, has_audio, world_size, num = batch
    order = file_order(
        lengths, has_audio, world_size=world_size, num_micro_batches=num, sharding=sharding
    )
    assert has_audio[order[0]] == has_audio.any()


def test_a_batch_that_does_not_split_is_an_error():
    with pytest.raises(ValueError, match="5 rows do not split into 2 equal parts"):
        file_order(
            np.ones(5), np.ones(5, bool), world_size=2, num_micro_batches=1, sharding="block"
        )
