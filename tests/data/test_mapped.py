import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maqam.data import manifest as manifest_module
from maqam.data import mapped
from maqam.data.manifest import SCHEMA, read_manifest, write_manifest
from maqam.errors import ManifestError
from tests.factories import make_row


@pytest.fixture(autouse=True)
def _every_manifest_is_large(monkeypatch):
    monkeypatch.setattr(manifest_module, "MAPPED_ROWS", 0)


def make_rows(count):
    return [make_row(index) for index in range(count)]


def test_a_large_manifest_equals_the_one_read_to_memory(tmp_path, monkeypatch):
    file = write_manifest([{"snr_db": 1.0, **row} for row in make_rows(30)], tmp_path)
    found = read_manifest(file)
    monkeypatch.setattr(manifest_module, "MAPPED_ROWS", 10**9)
    in_memory = read_manifest(file)
    assert found.table.equals(in_memory.table)
    assert found.fingerprint == in_memory.fingerprint


def test_a_large_manifest_takes_no_arrow_memory(tmp_path):
    file = write_manifest(make_rows(2000), tmp_path)
    read_manifest(file)
    before = pa.total_allocated_bytes()
    found = read_manifest(file)
    assert found.table.nbytes > 200_000
    assert pa.total_allocated_bytes() - before < 20_000


def test_rows_are_checked_once(tmp_path, monkeypatch):
    file = write_manifest(make_rows(5), tmp_path)
    read_manifest(file)
    monkeypatch.setattr(manifest_module, "row_faults", lambda _: pytest.fail("checked twice"))
    assert read_manifest(file).num_utterances == 5


def test_a_changed_manifest_gets_a_new_copy(tmp_path):
    file = write_manifest(make_rows(5), tmp_path)
    read_manifest(file)
    write_manifest(make_rows(6), tmp_path)
    assert read_manifest(file).num_utterances == 6


def test_a_broken_copy_is_made_again(tmp_path):
    file = write_manifest(make_rows(5), tmp_path)
    read_manifest(file)
    copy = tmp_path / ".manifest.arrow"
    copy.write_bytes(copy.read_bytes()[:100])
    assert read_manifest(file).num_utterances == 5


def test_unsound_rows_leave_no_copy(tmp_path):
    rows = [make_row(0, split="x")]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), tmp_path / "manifest.parquet")
    with pytest.raises(ManifestError, match="unknown split"):
        read_manifest(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["manifest.parquet"]


def test_a_copy_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    file = write_manifest(make_rows(5), tmp_path)

    def refuse(*_):
        raise OSError("read-only file system")

    monkeypatch.setattr(mapped, "_write", refuse)
    assert read_manifest(file).num_utterances == 5
    assert [one.name for one in tmp_path.iterdir()] == ["manifest.parquet"]
