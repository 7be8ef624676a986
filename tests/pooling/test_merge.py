import itertools
from pathlib import Path

import pyarrow as pa
import pytest

from maqam.data.manifest import Manifest, read_manifest, write_manifest
from maqam.data.schema import PROMPT_LANGUAGE
from maqam.errors import ManifestError
from maqam.pooling.merge import merge, of_corpus
from maqam.pooling.place import write_pool
from tests.factories import make_manifest, make_row

from .manifests import column, corpus, spoken

COUNTRY = "country: {prompts: {en: Which country?}, input: audio, labels: [EG, SA], level: 2}\n"


def three(folder: Path) -> list[Manifest]:
    return [
        corpus(folder / "a", "mgb-2", {"id": "1", "speaker": "s1"}, {"id": "2", "speaker": None}),
        corpus(folder / "b", "ksu", spoken("sad", "s1", id="1"), spoken("angry", "s2", id="2")),
        corpus(
            folder / "c", "mgb-2", {"id": "1", "task": "did", "label": "gulf", "target": "gulf"}
        ),
    ]


def pairs(manifest: Manifest) -> set[tuple[str, str]]:
    """Return what makes a row itself: its id and its speaker."""
    return set(zip(column(manifest, "id"), column(manifest, "speaker"), strict=True))


def test_ids_and_speakers_are_told_apart_by_corpus_and_task(tmp_path):
    pool, _ = merge(three(tmp_path))
    assert column(pool, "id") == [
        "mgb-2/asr/1", "mgb-2/asr/2", "ksu/ser/1", "ksu/ser/2", "mgb-2/did/1",
    ]  # fmt: skip
    assert column(pool, "speaker")[:4] == ["mgb-2/s1", None, "ksu/s1", "ksu/s2"]


def test_ids_depend_neither_on_order_nor_on_what_was_merged_before(tmp_path):
    parts = three(tmp_path)
    whole = pairs(merge(parts)[0])
    for order in itertools.permutations(parts):
        assert pairs(merge(order)[0]) == whole
        first, _ = merge(order[:2])
        assert pairs(merge([first, order[2]])[0]) == whole
        assert pairs(merge([order[2], first, order[0]])[0]) == whole
    assert pairs(merge([merge(parts)[0]])[0]) == whole


def test_a_row_of_two_manifests_is_there_once_and_said(tmp_path):
    one, other, _ = three(tmp_path)
    first, second = merge([one, other])[0], merge([other])[0]
    pool, report = merge([first, second])
    assert pool.num_utterances == 4
    assert report.lines() == ["2 rows were in two manifests: each is there once"]


def test_a_row_of_two_manifests_keeps_the_columns_of_the_first_and_that_is_said(tmp_path):
    rows = [{"id": "1", "wmer": wmer, "audios": ["/a.wav"]} for wmer in (5.0, float("nan"))]
    one, other = (corpus(tmp_path / str(place), "a", row) for place, row in enumerate(rows))
    pool, report = merge([one, other])
    assert column(pool, "wmer") == [5.0]
    assert report.lines()[1].startswith("1 of them differ in columns of the corpus's own")
    assert merge([other, other])[1].num_unlike == 0


def test_one_row_with_two_channels_is_two_rows_with_one_id(tmp_path):
    rows = [{"id": "1", "channel": channel, "audios": ["/a.wav"]} for channel in (0, 1)]
    with pytest.raises(ManifestError, match="1 ids stand for two different rows"):
        merge([corpus(tmp_path / str(row["channel"]), "a", row) for row in rows])


def test_one_id_for_two_rows_of_a_corpus_is_refused_and_another_name_helps(tmp_path):
    parts = [corpus(tmp_path / name, "own", {"id": "1", "target": name}) for name in "ab"]
    with pytest.raises(ManifestError, match=r"1 ids stand for two different rows.*own/asr/1"):
        merge(parts)
    pool, _ = merge([of_corpus(parts[0], "first"), parts[1]])
    assert column(pool, "id") == ["first/asr/1", "own/asr/1"]


@pytest.mark.parametrize("place", ["pool", ".", "a/pool", "elsewhere/deep"])
def test_audio_is_found_wherever_the_pool_is(tmp_path, monkeypatch, place):
    make_manifest(tmp_path / "a", 10)
    monkeypatch.chdir(tmp_path)
    folder = Path(place)
    written = write_pool(merge([read_manifest("a")], folder)[0], folder)
    monkeypatch.chdir("/")
    found = read_manifest(tmp_path / written)
    paths = [path for paths in column(found, "audios") for path in paths]
    assert len(paths) == 8
    assert all((found.folder / path).is_file() for path in paths)
    assert {Path(path).is_absolute() for path in paths} == {place != "."}


def test_paths_that_lead_up_or_through_links_are_followed(tmp_path):
    make_manifest(tmp_path / "real" / "a", 1)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "a")
    rows = [make_row(0, audios=["../link/audio/0.wav"])]
    found = read_manifest(write_manifest(rows, tmp_path / "b"))
    pool, _ = merge([found, read_manifest(tmp_path / "link")], tmp_path / "real")
    assert column(pool, "audios") == [["a/audio/0.wav"]]  # the same row, found by both ways


def test_columns_are_united_and_types_that_go_together_are_joined(tmp_path):
    parts = [
        corpus(tmp_path / "a", "a", {"wmer": 5, "gender": "f"}),
        corpus(tmp_path / "b", "b", {"wmer": 2.5}),
        corpus(tmp_path / "c", "c", {"wmer": None}),
    ]
    pool, _ = merge(parts)
    assert column(pool, "wmer") == [5.0, 2.5, None]
    assert column(pool, "gender") == ["f", None, None]
    assert read_manifest(write_pool(pool, tmp_path / "pool")).num_utterances == 3


def test_a_column_of_two_types_is_refused_with_both(tmp_path):
    parts = [corpus(tmp_path / "a", "a", {"wmer": 5}), corpus(tmp_path / "b", "b", {"wmer": "x"})]
    with pytest.raises(
        ManifestError, match=r"b/man.*column 'wmer' is string here and int64 in .*a/"
    ):
        merge(parts)


def test_whole_numbers_that_no_fraction_holds_are_refused(tmp_path):
    parts = [
        corpus(tmp_path / "a", "a", {"ticket": 2**53 + 1}),
        corpus(tmp_path / "b", "b", {"ticket": 0.5}),
    ]
    with pytest.raises(ManifestError, match=r"a/man.*column 'ticket' does not fit double"):
        merge(parts)


def test_dictionaries_and_large_strings_become_text(tmp_path):
    one = corpus(tmp_path / "a", "a", {"gender": "f"})
    table = one.table.set_column(
        one.table.column_names.index("gender"), "gender", pa.array(["f"]).dictionary_encode()
    )
    large = table.set_column(
        one.table.column_names.index("gender"), "gender", pa.array(["f"], pa.large_string())
    )
    parts = [Manifest(one.path, table), of_corpus(Manifest(one.path, large), "b")]
    assert merge(parts)[0].table.schema.field("gender").type == pa.string()


def test_tasks_are_united_and_a_task_of_two_meanings_is_refused(tmp_path):
    row = {"task": "country", "label": "EG", "target": "EG"}
    parts = [
        corpus(tmp_path / "a", "a", row, tasks=COUNTRY),
        corpus(tmp_path / "b", "b", {}),
        corpus(tmp_path / "c", "c", row, tasks=COUNTRY.replace("SA", "IQ")),
    ]
    pool, _ = merge(parts[:2])
    assert pool.tasks["country"].labels == ("EG", "SA")
    written = read_manifest(write_pool(pool, tmp_path / "pool"))
    assert list(written.tasks) == ["asr", "did", "ser", "ssum", "tsum", "country"]
    with pytest.raises(
        ManifestError, match=r"task 'country' is defined otherwise in .*a/man.*labels"
    ):
        merge(parts)


def test_a_changed_task_of_the_paper_counts_where_the_other_has_no_row_of_it(tmp_path):
    changed = corpus(tmp_path / "a", "a", {}, tasks="asr: {title: dictation}\n")
    labelled = corpus(tmp_path / "b", "b", spoken("sad", "s"))
    assert merge([labelled, changed])[0].tasks["asr"].title == "dictation"
    with pytest.raises(ManifestError, match="task 'asr' is defined otherwise"):
        merge([changed, corpus(tmp_path / "c", "c", {})])


def test_a_question_of_a_tasks_prompt_stays_one_beside_manifests_that_note_it(tmp_path):
    own = corpus(tmp_path / "a", "a", {}, {"messages": [
        {"role": "user", "content": "<audio>What is said?"},
        {"role": "assistant", "content": "كلام رقم 1"},
    ]})  # fmt: skip
    noted = corpus(tmp_path / "b", "b", {PROMPT_LANGUAGE: "en"})
    assert column(merge([own, noted])[0], PROMPT_LANGUAGE) == ["ar", None, "en"]


def test_audio_that_is_there_twice_under_one_task_is_said_and_can_be_left_out(tmp_path):
    one = corpus(tmp_path, "one", {"id": "1"}, {"id": "2", "audios": ["audio/5.wav"]})
    again = {"audios": ["audio/0.wav"]}
    rows = {"id": "0", **again}, {"id": "9", **again, "start": 9.0}, spoken("sad", "s", **again)
    other = corpus(tmp_path / "b" / "..", "two", *rows)
    pool, report = merge([one, other])
    assert pool.num_utterances == 5
    assert report.repeated == ("two/asr/0",)
    assert "leave them out with --once" in report.lines()[0]
    for order in ([one, other], [other, one]):
        left, report = merge(order, once=True)
        assert "two/asr/0" not in column(left, "id")
        assert (left.num_utterances, report.num_left_out) == (4, 1)


def test_nothing_to_merge_is_refused():
    with pytest.raises(ManifestError, match="there is nothing to merge"):
        merge([])


def test_the_report_counts_each_corpus(tmp_path):
    _, report = merge(three(tmp_path))
    ksu, mgb = report.corpora
    assert (ksu.name, ksu.num_rows, ksu.tasks, ksu.num_labels) == ("ksu", 2, {"ser": 2}, 2)
    assert (mgb.num_rows, mgb.tasks, mgb.splits) == (3, {"asr": 2, "did": 1}, {"train": 3})
    assert mgb.hours == pytest.approx(1.5 / 3600)


def test_a_column_channel_of_other_things_tells_no_rows_apart(tmp_path):
    rows = [{"id": name, "audios": ["a.wav"], "channel": [name]} for name in "ab"]
    pool, report = merge([corpus(tmp_path, "tv", *rows)])
    assert report.repeated == ("tv/asr/b",)
    assert column(pool, "channel") == [["a"], ["b"]]


def test_two_channels_of_one_segment_are_two_utterances(tmp_path):
    rows = [{"audios": ["a.wav"], "channel": channel} for channel in (0, 1, None)]
    pool, report = merge([corpus(tmp_path / "a", "a", *rows), corpus(tmp_path / "b", "b", {})])
    assert report.repeated == ()
    assert column(pool, "channel") == [0, 1, None, None]
