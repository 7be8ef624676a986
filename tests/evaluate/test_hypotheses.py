import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from maqam.errors import RunError
from maqam.evaluate.hypotheses import (
    SCHEMA,
    Origin,
    read_hypotheses,
    rescore,
    write_hypotheses,
)
from maqam.evaluate.run import Evaluation, evaluate_rows
from maqam.score.settings import ScoreSettings
from maqam.tasks import default_tasks

SETTINGS = ScoreSettings(max_new_tokens=6, max_label_tokens=4, num_resamples=20)


@pytest.fixture(scope="module")
def evaluated(backbone, manifest, audio_states, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    rows = np.arange(manifest.num_utterances)
    evaluate_rows(backbone, manifest, rows, folder, Evaluation(SETTINGS, audio_states, seed=3))
    return folder


def test_rescoring_writes_the_same_bytes(evaluated, tmp_path):
    shutil.copy(evaluated / "hypotheses.parquet", tmp_path)
    rescore(tmp_path, tmp_path / "scores.json", tasks=default_tasks(), settings=SETTINGS, seed=3)
    assert (tmp_path / "scores.json").read_bytes() == (evaluated / "scores.json").read_bytes()


def test_rescoring_keeps_what_the_speech_is(tmp_path):
    row = dict.fromkeys(SCHEMA.names)
    row |= {"id": "a", "task": "asr", "reference": "كلام", "hypothesis": "كلام"}
    write_hypotheses(tmp_path, [row], Origin("dev", synthetic=False))
    scores = rescore(
        tmp_path, tmp_path / "scores.json", tasks=default_tasks(), settings=SETTINGS, seed=0
    )
    assert (scores["split"], scores["synthetic"]) == ("dev", False)


def test_hypotheses_that_do_not_name_their_split_are_not_rescored(evaluated, tmp_path):
    table = pq.read_table(evaluated / "hypotheses.parquet").replace_schema_metadata(None)
    pq.write_table(table, tmp_path / "hypotheses.parquet")
    with pytest.raises(RunError, match="do not name their split"):
        rescore(
            tmp_path, tmp_path / "scores.json", tasks=default_tasks(), settings=SETTINGS, seed=3
        )


def test_hypotheses_of_an_earlier_version_are_rescored_where_their_split_is_told(
    evaluated, tmp_path
):
    table = pq.read_table(evaluated / "hypotheses.parquet").replace_schema_metadata(None)
    pq.write_table(
        table.drop_columns(["seconds", "snr_db", "document"]), tmp_path / "hypotheses.parquet"
    )
    scores = rescore(
        tmp_path,
        tmp_path / "scores.json",
        tasks=default_tasks(),
        settings=SETTINGS,
        seed=3,
        origin=Origin("dev", synthetic=True),
    )
    assert (scores["split"], scores["synthetic"]) == ("dev", True)
    groups = {row["group"] for row in scores["scores"]}
    assert not [name for name in groups if name.startswith(("seconds", "snr_db"))]
    columns = read_hypotheses(tmp_path)
    assert columns["seconds"] == [None] * len(columns["id"])
