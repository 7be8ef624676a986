"""The prompt is made when a row is read: a task that asks in other words asks all its rows so."""

from pathlib import Path

import numpy as np

from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings
from maqam.data.manifest import Manifest, read_manifest
from maqam.tasks import Tasks, default_tasks, tasks_from_table
from tests.factories import make_tone

SUMMARY = '{"id": "b", "task": "tsum", "text": "سافر الرجل\\nإلى مصر", "summary": "سافر"}\n'
SPEECH = '{"id": "a", "task": "asr", "audio": "a.wav", "text": "نعم"}\n'


def changed(**prompts: str) -> Tasks:
    return tasks_from_table({"asr": {"prompts": prompts}}, default_tasks(), where="x")


def imported(folder: Path, kind: str, rows: str, **settings: object) -> Path:
    make_tone(folder / "a.wav")
    source = folder / "rows.jsonl"
    source.write_text(rows, encoding="utf-8")
    options = ImportSettings(kind=kind, **settings)
    return import_corpus(source, folder / "corpus", options, num_workers=1).manifest


def questions(manifest: Manifest) -> list[str]:
    return [row["messages"][0]["content"] for row in manifest.rows(range(manifest.num_utterances))]


def test_a_changed_prompt_is_asked_of_rows_that_were_imported_before(tmp_path: Path) -> None:
    file = imported(tmp_path, "table", SPEECH + SUMMARY)
    before = questions(read_manifest(file))
    assert before == ["<audio>فرّغ الكلام.", "لخّص النص:\nسافر الرجل\nإلى مصر"]
    assert before == [one[0]["content"] for one in read_manifest(file).column("messages")]
    after = questions(read_manifest(file, tasks=changed(ar="اكتب ما تسمع.")))
    assert after == ["<audio>اكتب ما تسمع.", before[1]]
    again = questions(read_manifest(file, tasks=changed(ar="غيرها")))
    assert again[0] == "<audio>غيرها"


def test_the_language_of_prompts_is_a_setting_and_that_of_the_import_by_default(
    tmp_path: Path,
) -> None:
    file = imported(tmp_path, "table", SPEECH + SUMMARY, language="en")
    assert questions(read_manifest(file))[0] == "<audio>Transcribe the speech."
    assert questions(read_manifest(file, language="ar"))[1].startswith("لخّص النص:\nسافر")


def test_words_of_a_rows_own_are_asked_as_they_stand_and_counted(tmp_path: Path) -> None:
    own = (
        '{"id": "c", "task": "asr", "messages": [{"role": "user", "content": "<audio>Write it."},'
        ' {"role": "assistant", "content": "نعم"}], "audios": ["a.wav"]}\n'
    )
    asked = own.replace('"c"', '"d"').replace("Write it.", "فرّغ الكلام.")
    file = imported(tmp_path, "ms-swift", own + asked)
    manifest = read_manifest(file, tasks=changed(ar="غيرها"))
    assert questions(manifest) == ["<audio>Write it.", "<audio>فرّغ الكلام."]
    assert manifest.num_own_words(np.arange(2)) == 2


def test_an_audio_tag_in_a_transcript_or_a_document_is_text(tmp_path: Path) -> None:
    speech = SPEECH.replace("نعم", "قال <audio> نعم")
    summary = SUMMARY.replace("سافر الرجل", "وسم <audio> هنا <audio>").replace(
        '"سافر"', '"<audio>"'
    )
    manifest = read_manifest(imported(tmp_path, "table", speech + summary))
    assert manifest.num_utterances == 2
    assert manifest.column("target").tolist() == ["قال <audio> نعم", "<audio>"]
    assert questions(manifest)[1] == "لخّص النص:\nوسم <audio> هنا <audio>\nإلى مصر"


def test_a_task_may_speak_of_an_audio_tag_in_its_prompt(tmp_path: Path) -> None:
    tasks = changed(ar="اكتب <audio> كما تسمع")
    file = imported(tmp_path, "table", SPEECH, tasks=tasks)
    assert questions(read_manifest(file, tasks=tasks)) == ["<audio>اكتب <audio> كما تسمع"]


def test_a_manifest_that_notes_no_language_is_held_against_known_prompts(tmp_path: Path) -> None:
    file = imported(tmp_path, "table", SPEECH + SUMMARY)
    plain = read_manifest(file)
    table = plain.table.drop_columns(["prompt_language"])
    manifest = Manifest(file, table, changed(ar="غيرها"))
    assert questions(manifest)[0] == "<audio>غيرها"
    assert manifest.num_own_words(np.arange(2)) == 0
