import pytest

from maqam.data.schema import PROMPT_LANGUAGE
from maqam.errors import ConfigError, ManifestError
from maqam.pooling.merge import merge
from maqam.pooling.retask import as_task

from .manifests import column, corpus

COUNTRY = """
country: {prompts: {en: Which?}, input: audio, labels: [EG, SA], target: dialect, level: 2}
"""


def test_a_country_becomes_the_region_or_the_country_that_the_task_has(tmp_path):
    rows = [{"dialect": name} for name in ("EG", "SA", "EG-CAI", "gulf", None, "elsewhere")]
    found = corpus(tmp_path, "mgb-3", *rows, tasks=COUNTRY)
    regions, report = as_task(found, "did")
    assert column(regions, "target") == ["egyptian", "gulf", "egyptian", "gulf"]
    assert column(regions, "label") == column(regions, "target")
    assert column(regions, "dialect") == ["EG", "SA", "EG-CAI", "gulf"]
    assert report.lines() == ["2 of 6 rows have no answer to did in dialect or label"]
    assert column(as_task(found, "country")[0], "target") == ["EG", "SA", "EG"]


def test_rows_are_asked_in_the_words_of_the_new_task_and_language(tmp_path):
    found = corpus(tmp_path, "mgb-3", {"dialect": "EG", PROMPT_LANGUAGE: "en"}, {"dialect": "SA"})
    made, _ = as_task(found, "did")
    asked = [row["messages"][0]["content"] for row in made.rows([0, 1])]
    assert asked[0] == "<audio>Which dialect is spoken?"
    assert asked[1].startswith("<audio>")
    assert column(made, "label")[0] == made.rows([0])[0]["messages"][1]["content"] == "egyptian"


def test_an_answer_that_a_column_keeps_is_asked_for(tmp_path):
    rows = [
        {"task": "did", "label": "gulf", "target": "gulf", "text": "نعم"},
        {"task": "did", "label": "gulf", "target": "gulf", "text": " "},
    ]
    made, report = as_task(corpus(tmp_path, "a", *rows), "asr")
    assert (column(made, "target"), column(made, "label")) == (["نعم"], [None])
    assert report.num_left == 1


def test_ids_are_those_of_a_merge_whether_merged_before_or_after(tmp_path):
    found = corpus(tmp_path, "a", {"dialect": "EG", "id": "1"})
    both = merge([found, as_task(found, "did")[0]])[0]
    assert column(both, "id") == ["a/asr/1", "a/did/1"]
    merged, _ = merge([found])
    assert column(merge([merged, as_task(merged, "did")[0]])[0], "id") == ["a/asr/1", "a/did/1"]


def test_a_text_that_nobody_can_tell_from_its_question_is_not_asked_and_counted(tmp_path):
    topic = "topic: {prompts: {en: Which?}, input: text, labels: [war, art], level: 2}"
    rows = [
        {"task": "tsum", "topic": "war", "messages": [
            {"role": "user", "content": asked}, {"role": "assistant", "content": "نعم"},
        ], "target": "نعم", "label": None}
        for asked in ("لخّص النص:\nخبر", "Sum up: خبر")
    ]  # fmt: skip
    tasks = topic.replace("level: 2", "level: 2, target: topic")
    made, report = as_task(corpus(tmp_path / "both", "news", *rows, tasks=tasks), "topic")
    assert [row["messages"][0]["content"] for row in made.rows([0])] == ["Which?\nخبر"]
    assert report.lines()[0].startswith("1 of 2 rows ask in words of their own")
    with pytest.raises(ManifestError, match="1 of 1 rows ask in words of their own"):
        as_task(corpus(tmp_path / "one", "news", rows[1], tasks=tasks), "topic")


def test_what_cannot_be_asked_is_refused(tmp_path):
    found = corpus(tmp_path, "a", {"dialect": "EG"})
    with pytest.raises(ConfigError, match="there is no task 'dod'") as caught:
        as_task(found, "dod")
    assert "did" in caught.value.hint
    with pytest.raises(ManifestError, match="to task 'ssum' in column summary"):
        as_task(found, "ssum")
    with pytest.raises(ManifestError, match="no row has an answer to task 'tsum'"):
        as_task(found, "tsum")
