import errno
import json

import pytest

from maqam.errors import MaqamWarning, RunError
from maqam.train.checkpoints import new_checkpoint, newest_checkpoint, weights_folder


def write(folder, step, text="weights"):
    with new_checkpoint(folder, step) as staged:
        (staged / "model").write_text(text)


def test_the_newest_whole_checkpoint_is_used(tmp_path):
    write(tmp_path, 5)
    write(tmp_path, 10)
    assert newest_checkpoint(tmp_path) == (tmp_path / "step-000010", 10)


def test_there_is_none_before_the_first(tmp_path):
    assert newest_checkpoint(tmp_path / "checkpoints") is None


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
    write(tmp_path, 5)
    (tmp_path / ".step-000010.999999999.tmp").mkdir()
    (tmp_path / ".step-000010.999999999.tmp" / "model").write_text("weig")
    assert newest_checkpoint(tmp_path) == (tmp_path / "step-000005", 5)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda file: file.write_text("weig"), "model is cut short"),
        (lambda file: file.write_text("weighty"), "model has other content than was written"),
        (lambda file: file.unlink(), "no model"),
        (lambda file: file.with_name("checkpoint.json").unlink(), "no list of its files"),
        (lambda file: file.with_name("checkpoint.json").write_text("{"), "no list of its files"),
        (lambda file: file.with_name("checkpoint.json").write_text("[1]"), "no list of its files"),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_and_told(tmp_path, damage, fault):
    write(tmp_path, 5)
    write(tmp_path, 10)
    damage(tmp_path / "step-000010" / "model")
    with pytest.warns(MaqamWarning, match=rf"step-000010 \({fault}.*goes on from step-000005"):
        assert newest_checkpoint(tmp_path) == (tmp_path / "step-000005", 5)
    damage(tmp_path / "step-000005" / "model")
    with pytest.warns(MaqamWarning, match=rf"step-000005 \({fault}.*the run begins again"):
        assert newest_checkpoint(tmp_path) is None


def test_a_checkpoint_of_an_earlier_maqam_is_known_by_its_sizes(tmp_path):
    write(tmp_path, 5)
    content = {"format_version": 1, "step": 5, "files": {"model": 7}}
    (tmp_path / "step-000005" / "checkpoint.json").write_text(json.dumps(content))
    assert newest_checkpoint(tmp_path) == (tmp_path / "step-000005", 5)


def test_only_the_newest_two_are_kept(tmp_path):
    for step in (5, 10, 15):
        write(tmp_path, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000010", "step-000015"]


def test_a_full_disk_leaves_the_last_checkpoint_and_one_clear_line(tmp_path):
    write(tmp_path, 5)

    def write_on_a_full_disk():
        with new_checkpoint(tmp_path, 10) as staged:
            (staged / "model").write_text("weig")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RunError, match=r"cannot be written: .*No space left on device"):
        write_on_a_full_disk()
    assert [path.name for path in tmp_path.iterdir()] == ["step-000005"]
    assert newest_checkpoint(tmp_path) == (tmp_path / "step-000005", 5)


def test_a_folder_is_replaced_only_when_the_new_one_is_whole(tmp_path):
    for text in ("old", "new"):
        with weights_folder(tmp_path / "adapter") as staged:
            (staged / "weights").write_text(text)
    assert (tmp_path / "adapter" / "weights").read_text() == "new"
