import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from maqam.errors import StoreError
from maqam.features.store import FeatureStore, StoreWriter, fingerprint_of

from .interrupted_fill import ROWS
from .states import DIM, INPUTS, fill, pooled_of, states_of

MODULE = f"{__package__}.interrupted_fill"
ROOT = Path(__file__).parents[MODULE.count(".")]
FILES = ("states.npy", "offsets.npy", "rows.npy", "pooled.npy")


def same_files(first: Path, second: Path) -> bool:
    return all((first / name).read_bytes() == (second / name).read_bytes() for name in FILES)


def test_rows_come_back_in_the_order_asked_for(tmp_path):
    store = fill(tmp_path, np.array([17, 3, 20, 5]))
    asked = [3, 20, 17, 3]
    for row, states in zip(asked, store(asked), strict=True):
        assert states.dtype == torch.float32
        assert np.array_equal(states.numpy(), states_of(row))


def test_counts_means_and_rows_are_there_without_reading_states(tmp_path):
    store = fill(tmp_path, np.array([17, 3, 20]))
    assert store.rows.tolist() == [3, 17, 20]
    assert store.num_frames([20, 17]).tolist() == [0, 7]
    assert np.array_equal(store.pooled([3, 20]), pooled_of(np.array([3, 20])))
    assert store.dim == DIM


def test_states_in_half_precision_come_back_as_single_and_means_stay_single(tmp_path):
    store = fill(tmp_path, np.array([17, 3]), dtype="float16")
    assert np.load(tmp_path / "states.npy", mmap_mode="r").dtype == np.float16
    assert store([17])[0].dtype == torch.float32
    assert np.allclose(store([17])[0].numpy(), states_of(17), rtol=1e-3)
    assert store.pooled([17]).dtype == np.float32


def test_a_store_of_text_rows_only_holds_no_frames(tmp_path):
    (states,) = fill(tmp_path, np.array([10, 20]))([20])
    assert states.shape == (0, DIM)


def test_a_row_that_is_not_in_the_store_is_named(tmp_path):
    store = fill(tmp_path, np.array([1, 3]))
    with pytest.raises(StoreError, match="2 manifest rows are not in the store: 2, 99"):
        store([1, 2, 99])


def test_a_store_of_other_inputs_is_refused_with_what_differs(tmp_path):
    fill(tmp_path, np.array([1]))
    assert FeatureStore(tmp_path, INPUTS).fingerprint == fingerprint_of(INPUTS)
    with pytest.raises(StoreError, match="made with other audio, weights"):
        FeatureStore(tmp_path, {**INPUTS, "weights": "x", "audio": "y"})


def test_an_absent_and_a_half_written_store_are_told_apart(tmp_path):
    with pytest.raises(StoreError, match="there is no feature store here"):
        FeatureStore(tmp_path)
    writer = StoreWriter(tmp_path, INPUTS, np.array([1, 2]), DIM, "float32")
    writer.append([states_of(1)], pooled_of(np.array([1])))
    writer.close()
    with pytest.raises(StoreError, match="half written") as caught:
        FeatureStore(tmp_path)
    assert "goes on where it was stopped" in caught.value.hint


@pytest.mark.parametrize("text", ["no json", "[]", '{"format_version": 99}'])
def test_a_description_of_another_format_is_refused(tmp_path, text):
    fill(tmp_path, np.array([1]))
    (tmp_path / "store.json").write_text(text)
    with pytest.raises(StoreError, match="not the description of a feature store"):
        FeatureStore(tmp_path)


def test_missing_and_cut_files_are_refused(tmp_path):
    fill(tmp_path, np.array([11, 12, 13]))
    states = (tmp_path / "states.npy").read_bytes()
    (tmp_path / "states.npy").write_bytes(states[:-8])
    with pytest.raises(StoreError, match="broken"):
        FeatureStore(tmp_path)
    (tmp_path / "states.npy").unlink()
    with pytest.raises(StoreError, match=r"broken.*No such file"):
        FeatureStore(tmp_path)


def test_files_of_unlike_sizes_are_refused(tmp_path):
    fill(tmp_path, np.array([11, 12, 13]))
    np.save(tmp_path / "rows.npy", np.array([11]))
    with pytest.raises(StoreError, match=r"broken: shape \(1,\), its description says \(3,\)"):
        FeatureStore(tmp_path)


def test_a_fill_goes_on_where_it_was_stopped(tmp_path):
    rows = np.array([17, 3, 20, 5, 8])
    writer = StoreWriter(tmp_path / "broken", INPUTS, rows, DIM, "float32")
    writer.append([states_of(17), states_of(3)], pooled_of(rows[:2]))
    writer._states.append(states_of(20)[:0])
    writer._states.append(np.full((2, DIM), 99.0))  # written, but not noted as done
    writer.close()
    again = StoreWriter(tmp_path / "broken", INPUTS, rows, DIM, "float32")
    assert again.num_done == 2
    again.close()
    fill(tmp_path / "broken", rows)
    fill(tmp_path / "whole", rows)
    assert same_files(tmp_path / "broken", tmp_path / "whole")
    assert not (tmp_path / "broken" / "filling.json").exists()


@pytest.mark.parametrize("change", ["inputs", "order", "note", "files"])
def test_a_fill_that_cannot_be_gone_on_with_begins_anew(tmp_path, change):
    rows, inputs = np.array([17, 3, 8]), INPUTS
    writer = StoreWriter(tmp_path / "broken", inputs, rows, DIM, "float32")
    writer.append([states_of(17), states_of(3)], pooled_of(rows[:2]))
    writer.close()
    if change == "inputs":
        inputs = {**INPUTS, "weights": "others"}
    elif change == "order":
        rows = rows[::-1].copy()
    elif change == "note":
        (tmp_path / "broken" / "filling.json").write_text("{")
    else:
        (tmp_path / "broken" / "pooled.npy").write_bytes(b"")
    again = StoreWriter(tmp_path / "broken", inputs, rows, DIM, "float32")
    assert again.num_done == 0
    again.close()
    fill(tmp_path / "broken", rows, inputs=inputs)
    fill(tmp_path / "whole", rows, inputs=inputs)
    assert same_files(tmp_path / "broken", tmp_path / "whole")


def test_a_process_killed_while_it_fills_leaves_what_the_next_one_goes_on_from(tmp_path):
    command = [sys.executable, "-m", MODULE, str(tmp_path / "broken")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while process.stdout.readline().strip() not in ("30", ""):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with pytest.raises(StoreError, match="half written"):
        FeatureStore(tmp_path / "broken")
    done = json.loads((tmp_path / "broken" / "filling.json").read_text())["num_rows"]
    assert 30 <= done < len(ROWS)
    fill(tmp_path / "broken", ROWS)
    fill(tmp_path / "whole", ROWS)
    assert same_files(tmp_path / "broken", tmp_path / "whole")


def test_a_full_disk_gives_one_sentence_and_keeps_what_was_written(tmp_path):
    command = [sys.executable, "-m", MODULE, str(tmp_path / "broken"), "2500"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    sentence, hint = done.stderr.splitlines()
    assert sentence.startswith(f"{tmp_path / 'broken'}: the feature store cannot be written:")
    assert "make room" in hint
    assert json.loads((tmp_path / "broken" / "filling.json").read_text())["num_rows"] > 0
    fill(tmp_path / "broken", ROWS)
    fill(tmp_path / "whole", ROWS)
    assert same_files(tmp_path / "broken", tmp_path / "whole")


@pytest.mark.parametrize("value", [1e6, float("nan"), float("inf")])
def test_what_does_not_fit_the_number_format_is_refused(tmp_path, value):
    writer = StoreWriter(tmp_path, INPUTS, np.array([1]), DIM, "float16")
    with pytest.raises(StoreError, match="does not fit a store of numbers up to 65504"):
        writer.append([np.full((1, DIM), value, dtype=np.float32)], np.zeros((1, DIM)))
    writer.close()
