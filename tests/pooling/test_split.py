import shlex
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from maqam.data.manifest import read_manifest
from maqam.errors import ConfigError, ManifestError
from maqam.pooling.split import Shortage, one_split_advice, split
from tests.cli.calls import maqam

from .manifests import column, corpus, spoken

EMOTIONS = ("neutral", "angry", "happy", "sad")


def emotional(folder, speakers=20, *, source="ksu", each=3):
    """Return a corpus in which every speaker says every emotion."""
    rows = [
        spoken(label, f"s{speaker}", id=f"{speaker}-{label}-{take}")
        for speaker in range(speakers)
        for label in EMOTIONS
        for take in range(each)
    ]
    return corpus(folder, source, *rows)


def held(manifest, by):
    """Return the splits of each group."""
    found = defaultdict(set)
    for group, name in zip(column(manifest, by), column(manifest, "split"), strict=True):
        found[group].add(name)
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("speakers", [3, 7, 20, 23])
def test_groups_stay_whole_and_every_split_has_every_label(tmp_path, speakers, seed):
    found = emotional(tmp_path, speakers)
    made, report = split(found, "speaker", seed=seed)
    groups = held(made, "speaker")
    assert all(len(splits) == 1 for splits in groups.values())
    sizes = {name: sum(splits == {name} for splits in groups.values()) for name in report.num_rows}
    expected = max(1, round(speakers / 10))
    assert (sizes["dev"], sizes["test"]) == (expected, expected)
    assert report.shortages == ()


def test_shares_of_labels_come_out_as_asked_where_speakers_differ(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        spoken(EMOTIONS[label], f"s{speaker}")
        for speaker in range(80)
        for label in rng.choice(4, size=int(rng.integers(1, 12)), p=[0.6, 0.2, 0.15, 0.05])
    ]
    made, _ = split(corpus(tmp_path, "ksu", *rows), "speaker", dev=0.1, test=0.2)
    labels, splits = np.array(column(made, "label")), np.array(column(made, "split"))
    for label in EMOTIONS:
        own = splits[labels == label]
        assert (own == "dev").mean() == pytest.approx(0.1, abs=0.04)
        assert (own == "test").mean() == pytest.approx(0.2, abs=0.04)


def test_a_split_is_the_same_whatever_the_order_of_rows_and_another_with_another_seed(tmp_path):
    found = emotional(tmp_path, 12)
    shuffled = np.random.default_rng(0).permutation(found.num_utterances)
    other = type(found)(found.path, found.table.take(shuffled), found.tasks)

    def by_id(manifest, seed):
        made, _ = split(manifest, "speaker", seed=seed)
        return dict(zip(column(made, "id"), column(made, "split"), strict=True))

    assert by_id(found, 0) == by_id(other, 0)
    assert len({tuple(sorted(by_id(found, seed).items())) for seed in range(5)}) > 1


def test_a_label_with_too_few_speakers_stays_in_train_first_and_is_said(tmp_path):
    rows = [spoken("neutral", f"s{index}") for index in range(10)]
    rows += [spoken("sad", "s0"), spoken("happy", "s1"), spoken("happy", "s2")]
    made, report = split(corpus(tmp_path, "ksu", *rows), "speaker")
    assert Shortage("ksu", "ser", "sad", 1, ("dev", "test")) in report.shortages
    assert Shortage("ksu", "ser", "happy", 2, ("dev",)) in report.shortages
    assert len(report.shortages) == 2
    assert "ksu, ser: label sad has 1 of speaker, so none in dev and test" in report.lines()
    assert held(made, "label")["sad"] == {"train"}


def test_a_corpus_keeps_what_it_holds_out_unless_all_is_dealt_anew(tmp_path):
    rows = [{"speaker": f"s{index}", "split": "train"} for index in range(20)]
    rows += [{"speaker": "t", "split": "test"}, {"speaker": "s0", "split": "test"}]
    found = corpus(tmp_path, "mgb-2", *rows)
    made, report = split(found, "speaker")
    assert column(made, "split")[-2:] == ["test", "test"]
    assert column(made, "split").count("test") == 2
    assert 1 <= column(made, "split").count("dev") <= 3
    assert report.kept == {"mgb-2": ("test",)}
    assert report.crossing == 1
    assert report.lines()[0].startswith("mgb-2: ")
    again, report = split(found, "speaker", redo=True)
    assert report.kept == {}
    assert report.crossing == 0
    assert all(len(splits) == 1 for splits in held(again, "speaker").values())


def test_a_corpus_with_all_splits_is_left_as_it_is_beside_one_that_has_none(tmp_path):
    rows = [{"speaker": f"s{index}", "split": ("train", "dev", "test")[index % 3]}
            for index in range(9)]  # fmt: skip
    whole = corpus(tmp_path / "a", "mgb-2", *rows)
    with pytest.raises(ManifestError, match="every corpus has the splits asked for already"):
        split(whole, "speaker")
    other = emotional(tmp_path / "b", 10)
    both = type(whole)(whole.path, pa.concat_tables([whole.table, other.table]), whole.tasks)
    made, report = split(both, "speaker")
    assert column(made, "split")[:9] == column(whole, "split")
    assert report.num_groups == 10
    assert report.kept == {"mgb-2": ("dev", "test")}


def test_rows_without_a_speaker_stay_in_train_and_are_counted(tmp_path):
    rows = [spoken("sad", f"s{index}") for index in range(10)] + [spoken("sad", None)] * 3
    made, report = split(corpus(tmp_path, "ksu", *rows), "speaker")
    assert column(made, "split")[-3:] == ["train"] * 3
    assert report.ungrouped == {("ksu", "ser"): 3}
    assert "ksu, ser: 3 rows without speaker stay in train" in report.lines()[0]
    with pytest.raises(ManifestError, match="no row to split has a speaker"):
        split(corpus(tmp_path / "none", "ksu", spoken("sad", None)), "speaker")


def test_speakers_of_two_corpora_that_have_one_name_are_two(tmp_path):
    one, other = emotional(tmp_path / "a", 5), emotional(tmp_path / "b", 5, source="eaed")
    table = pa.concat_tables([one.table, other.table])
    assert split(type(one)(one.path, table, one.tasks), "speaker")[1].num_groups == 10


def test_a_document_is_the_recording_of_speech_and_the_text_of_a_summary(tmp_path):
    rows = [{"audios": [f"{index // 2}.wav"], "start": float(index)} for index in range(20)]
    rows += [
        {"task": "tsum", "target": f"{index}", "messages": [
            {"role": "user", "content": f"{prompt}\nنص {index // 2}"},
            {"role": "assistant", "content": f"{index}"},
        ]}
        for index, prompt in enumerate(["لخّص النص:", "Summarize the text:"] * 10)
    ]  # fmt: skip
    made, report = split(corpus(tmp_path, "news", *rows), "document")
    assert report.num_groups == 20
    audios = [str(paths) for paths in column(made, "audios")]
    texts = [asked[0]["content"].partition("\n")[2] for asked in column(made, "messages")]
    places = defaultdict(set)
    for audio, text, name in zip(audios, texts, column(made, "split"), strict=True):
        places[audio, text].add(name)
    assert all(len(names) == 1 for names in places.values())
    assert report.num_rows["test"] == 4


def test_what_a_system_turn_says_is_no_document(tmp_path):
    rows = [
        {"task": "tsum", "target": "x", "messages": [
            {"role": "system", "content": "You are brief."},
            {"role": "user", "content": f"Sum up: {index}"},
            {"role": "assistant", "content": "x"},
        ]}
        for index in range(10)
    ]  # fmt: skip
    assert split(corpus(tmp_path, "news", *rows), "document")[1].num_groups == 10


def test_a_column_of_documents_is_used_where_there_is_one_and_any_other_column_too(tmp_path):
    rows = [{"document": f"d{index % 10}", "series": index % 5} for index in range(50)]
    found = corpus(tmp_path, "films", *rows)
    assert split(found, "document")[1].num_groups == 10
    made, report = split(found, "series", dev=0.2, test=0.2)
    assert report.num_groups == 5
    assert sorted(len(splits) for splits in held(made, "series").values()) == [1] * 5


def test_a_share_of_nothing_makes_no_split(tmp_path):
    made, report = split(emotional(tmp_path, 10), "speaker", dev=0.0, test=0.2)
    assert report.num_rows["dev"] == 0
    assert report.shortages == ()
    assert column(made, "split").count("test") == 24


@pytest.mark.parametrize(("dev", "test"), [(0.5, 0.5), (0.0, 0.0), (-0.1, 0.2), (1.0, 0.0)])
def test_shares_that_leave_nothing_are_refused(tmp_path, dev, test):
    with pytest.raises(ConfigError, match="their sum between 0 and 1"):
        split(emotional(tmp_path, 3), "speaker", dev=dev, test=test)


def test_a_column_that_makes_no_groups_is_refused(tmp_path):
    found = emotional(tmp_path, 3)
    with pytest.raises(ConfigError, match="there is no column 'speakr'") as caught:
        split(found, "speakr")
    assert "speaker" in caught.value.hint
    with pytest.raises(ConfigError, match=r"column 'audios' is list<.*>, which makes no groups"):
        split(found, "audios")


@pytest.mark.parametrize(
    ("speakers", "by"), [(["a", "b", "c"], "speaker"), (["a", "b", None], "document")]
)
def test_a_manifest_of_training_rows_only_is_told_the_command_that_splits(tmp_path, speakers, by):
    folder = tmp_path / "one corpus"
    corpus(folder, "ksu", *[spoken("sad", speaker) for speaker in speakers])
    advice = one_split_advice(folder / "manifest.parquet")
    words = shlex.split(advice.partition(": ")[2])
    assert words[:3] == ["maqam", "data", "split"]
    assert maqam(*words[1:]).code == 0
    assert words[-2:] == ["--by", by]
    assert split(read_manifest(f"{folder}-split"), by, redo=True)


def test_a_manifest_with_a_test_set_is_told_nothing(tmp_path):
    corpus(tmp_path, "ksu", spoken("sad", "a"), spoken("sad", "b", split="test"))
    assert one_split_advice(tmp_path / "manifest.parquet") is None


def test_a_split_by_documents_says_which_speakers_it_shares(tmp_path):
    rows = [spoken("sad", f"s{index % 2}") for index in range(20)] + [spoken("sad", None)] * 5
    _, report = split(corpus(tmp_path, "ksu", *rows), "document")
    assert report.shared_speakers == 2
    assert report.unnamed == {"ksu": 5}
    assert report.lines() == [
        "2 speakers have rows in more than one split",
        "ksu: 5 rows name no speaker, so splits may share speakers",
    ]
