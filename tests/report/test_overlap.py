import json

import pytest

from maqam.errors import RunError
from maqam.report.overlap import NOT_CHECKED, overlap_finding
from maqam.report.page import write_report
from maqam.report.records import read_any
from tests.report.factories import write_run


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "sm-seed0")


def overlap_file(folder, num_leaking=1, test=None, **changes):
    side = {"manifest": "corpus/manifest.parquet", "split": "train", "fingerprint": "?"}
    content = {
        "format_version": 1,
        "verdict": f"{'LEAK: ' if num_leaking else ''}{num_leaking} of 2 test utterances",
        "num_leaking": num_leaking,
        "train": {**side, **changes},
        "test": {**side, "split": test},
    }
    path = folder / "overlap.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def fingerprint(study):
    return study.runs[0].facts["fingerprints"]["manifest"]


def test_a_report_prints_the_verdict_and_what_was_compared(run, tmp_path):
    path = overlap_file(tmp_path, fingerprint=fingerprint(read_any([run])))
    html = write_report([run], tmp_path / "a.html", overlap=path).read_text(encoding="utf-8")
    assert (
        "LEAK: 1 of 2 test utterances (compared: corpus/manifest.parquet, split train with "
        "corpus/manifest.parquet)."
    ) in html


def test_a_clear_finding_is_no_warning_and_is_taken_from_the_folder_of_the_study(run, tmp_path):
    own = fingerprint(read_any([run]))
    for num_leaking in (0, 1):
        overlap_file(run, num_leaking, "test", fingerprint=own)
        html = write_report([run], tmp_path / "a.html").read_text(encoding="utf-8")
        sentence = f"{num_leaking} of 2 test utterances (compared: splits train and test of corpus/"
        before = html[: html.index(sentence)]
        assert before[before.rindex("<p") :].startswith('<p class="notice">') == bool(num_leaking)


def test_a_report_says_where_nobody_looked(run, tmp_path):
    html = write_report([run], tmp_path / "a.html").read_text(encoding="utf-8")
    assert NOT_CHECKED in html


def test_the_verdict_on_other_training_data_is_refused(run, tmp_path):
    with pytest.raises(RunError, match="its training manifest is not that of the runs"):
        overlap_finding(read_any([run]), overlap_file(tmp_path))


def test_a_file_without_a_verdict_is_refused(run, tmp_path):
    path = tmp_path / "overlap.json"
    path.write_text('{"format_version": 1}', encoding="utf-8")
    with pytest.raises(RunError, match="a field is missing or of the wrong kind: 'verdict'"):
        overlap_finding(read_any([run]), path)


def test_a_file_that_is_not_there_is_named(run, tmp_path):
    with pytest.raises(RunError, match=r"there is no overlap\.json"):
        overlap_finding(read_any([run]), tmp_path / "overlap.json")
