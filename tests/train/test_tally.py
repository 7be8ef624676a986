import numpy as np
import pytest
import torch
from accelerate import DistributedType

from maqam.errors import RunError
from maqam.train.tally import Tally, check_copies


def test_the_sums_of_processes_add_up():
    one, other = (Tally.zeros(2, torch.device("cpu")) for _ in range(2))
    one.losses += torch.tensor([1.0, 2.0])
    one.input_tokens, one.rows_checksum, one.forward_passes = 10, 2**40 + 1, 3
    other.losses += torch.tensor([0.5, 0.0])
    other.ctc_loss += 0.25
    other.interrupts = 1
    parts = []
    other.over_processes(lambda flat: parts.append(flat) or flat)
    both = one.over_processes(lambda flat: flat + parts[0])
    assert both.losses.tolist() == [1.5, 2.0]
    assert float(both.ctc_loss) == 0.25
    assert (both.input_tokens, both.rows_checksum) == (10, 2**40 + 1)
    assert (both.forward_passes, both.interrupts) == (3, 1)
    assert np.isclose(float(one.losses.sum()), 3.0)


@pytest.mark.parametrize("kind", [DistributedType.FSDP, DistributedType.DEEPSPEED])
def test_a_model_that_is_split_over_processes_is_refused(kind):
    check_copies(DistributedType.MULTI_GPU)
    with pytest.raises(RunError, match=f"{kind.value} splits the model over processes"):
        check_copies(kind)
