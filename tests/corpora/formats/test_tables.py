import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.corpora.cells import quoted
from maqam.corpora.formats.tables import unusual_form
from maqam.corpora.lines import Lines
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import UnfitRowError
from maqam.errors import ConfigError, ManifestError
from tests.corpora.formats.importing import imported, write
from tests.factories import make_tone

COMMON_VOICE = "client_id\tpath\tsentence_id\tsentence\tup_votes"


@pytest.fixture
def folder(tmp_path):
    make_tone(tmp_path / "a.wav", seconds=2.0)
    make_tone(tmp_path / "clips" / "a.mp3", seconds=2.0)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("t.csv", ["id,audio,text,speaker", 'x,a.wav,"نعم, لا",s']),
        ("t.tsv", ["id\tpath\tsentence\tclient_id", "x\ta.wav\tنعم, لا\ts"]),
        ("t.jsonl", ['{"id": "x", "file": "a.wav", "transcript": "نعم, لا", "speaker_id": "s"}']),
    ],
)
def test_known_columns_are_found(folder, name, lines):
    (row,) = imported(write(folder / name, *lines), "table").rows
    assert (row["id"], row["target"], row["speaker"]) == ("x", "نعم, لا", "s")
    assert row["audios"] == [str(folder / "a.wav")]


def test_gzip_is_read(folder):
    with gzip.open(folder / "t.csv.gz", "wt") as stream:
        stream.write("audio,text\na.wav,x\n")
    assert len(imported(folder / "t.csv.gz", "table").rows) == 1


@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    [("windows-1256", "\t"), ("utf-16", "\t"), ("utf-8", ";"), ("windows-1256", ",")],
)
def test_common_voice_is_read_as_it_was_saved(folder, encoding, delimiter):
    lines = [COMMON_VOICE, *(f"s\ta.mp3\t{n}\tقال نعم يا سيدي\t2" for n in range(3))]
    text = "".join(f"{line}\n" for line in lines).replace("\t", delimiter)
    (folder / "train.tsv").write_text(text, encoding=encoding)
    for words in ({}, {"encoding": encoding, "delimiter": delimiter}):
        out = folder / f"out{len(words)}"
        rows = imported(folder, "common-voice", out, **words).rows
        assert {row["target"] for row in rows} == {"قال نعم يا سيدي"}


def test_given_columns_win(folder):
    source = write(folder / "t.csv", "audio,text,words", "a.wav,no,yes")
    (row,) = imported(source, "table", columns={"text": "words"}).rows
    assert row["target"] == "yes"


@pytest.mark.parametrize(
    ("header", "cells", "columns", "times"),
    [
        ("start,end", "0.5,1.5", {}, (0.5, 1.0)),
        ("start,duration", "0.5,1", {}, (0.5, 1.0)),
        ("duration", "1", {}, (0.0, 2.0)),
        ("duration", "1", {"seconds": "duration"}, (0.0, 1.0)),
        ("end", "1", {}, (0.0, 1.0)),
        ("start", "1", {}, (1.0, 1.0)),
    ],
)
def test_times_are_a_segment(folder, header, cells, columns, times):
    source = write(folder / "t.csv", f"audio,text,{header}", f"a.wav,x,{cells}")
    (row,) = imported(source, "table", columns=columns).rows
    assert (row["start"], row["seconds"]) == times


def test_a_rows_own_split_and_task_are_read(folder):
    source = write(
        folder / "t.csv",
        "audio,text,label,split,task",
        "a.wav,x,,validation,asr",
        "a.wav,,EGY,test,did",
        "a.wav,,happy,,ser",
        "a.wav,x,,weird,asr",
    )
    found = imported(source, "table", task=None, labels={"EGY": "egyptian"})
    assert [(row["task"], row["label"], row["split"]) for row in found.rows] == [
        ("asr", None, "dev"),
        ("did", "egyptian", "test"),
        ("ser", "happy", "train"),
    ]
    assert found.reasons == ["unknown split"]


def test_a_given_split_is_that_of_all_rows(folder):
    source = write(folder / "t.csv", "audio,text,split", "a.wav,x,train")
    assert imported(source, "table", split="test").rows[0]["split"] == "test"


def test_text_summaries_need_no_audio(folder):
    source = write(folder / "t.jsonl", '{"id": "1", "text": "مقال طويل", "summary": "مقال"}')
    (row,) = imported(source, "table", task="tsum").rows
    assert (row["audios"], row["seconds"], row["target"]) == ([], 0.0, "مقال")
    assert row["messages"][0]["content"] == "لخّص النص:\nمقال طويل"


def test_a_quoted_cell_may_hold_lines(folder):
    source = write(folder / "t.csv", "audio,text", 'a.wav,"نعم', 'لا"', "a.wav,x")
    assert [row["target"] for row in imported(source, "table").rows] == ["نعم\nلا", "x"]


def test_a_lone_quotation_mark_in_tsv_is_text(folder):
    source = write(folder / "t.tsv", "audio\ttext", 'a.wav\t"نعم', "a.wav\tx")
    assert [row["target"] for row in imported(source, "table").rows] == ['"نعم', "x"]


ROWS = [f"a.wav,0.1,1.2,كلام رقم {number}" for number in range(40)]


def csv_of(folder: Path, changed: dict[int, str]) -> Path:
    lines = [changed.get(number, row) for number, row in enumerate(ROWS)]
    return write(folder / "t.csv", "path,start,end,sentence", *lines)


@pytest.mark.parametrize("first", [0, 2, 17, 39])
def test_a_quotation_mark_without_its_end_costs_its_own_line_only(folder, first):
    source = csv_of(folder, {first: f'a.wav,0.1,1.2,"كلام رقم {first}'})
    found = imported(source, "table")
    assert (len(found.rows), found.reasons) == (39, ["lone quotation mark"])
    assert found.rejects[0]["line"] == first + 2


@pytest.mark.parametrize("last", [3, 5, 30])
def test_two_lone_quotation_marks_swallow_no_row_between_them(folder, last):
    ends = {2: 'a.wav,0.1,1.2,"كلام رقم 2', last: f'a.wav,0.1,1.2,كلام رقم {last}"'}
    found = imported(csv_of(folder, ends), "table")
    assert (len(found.rows), found.reasons) == (39, ["lone quotation mark"])
    assert not [row for row in found.rows if "\n" in row["target"]]


def test_a_quoted_cell_of_several_lines_may_hold_blank_lines_and_commas(folder):
    text = "نعم\n\nلا, أبدا, لا\nشكرا"
    source = csv_of(folder, {4: f'a.wav,0.1,1.2,"{text}"'})
    rows = imported(source, "table").rows
    assert len(rows) == 40
    assert rows[4]["target"] == text


@given(
    text=st.text(st.sampled_from('ab,;"\n\t |'), max_size=120),
)
@settings(max_examples=60, deadline=None)
def test_every_line_of_a_table_is_in_one_record(text, tmp_path_factory):
    file = tmp_path_factory.mktemp("cells") / "t.csv"
    file.write_text(text, encoding="utf-8", newline="")
    with Lines(file) as lines:
        records = list(quoted(lines))
    begins = [line for line, _ in records]
    held = {
        line: 1 if isinstance(cells, UnfitRowError) else "".join(cells).count("\n") + 1
        for line, cells in records
    }
    covered = [at for line in begins for at in range(line, line + held[line])]
    assert len(covered) == len(set(covered))
    written = text.split("\n")
    assert all(not written[at - 1].strip() for at in range(1, len(written)) if at not in covered)


TABLE = [("audio", "text"), ("a.wav", "قال نعم سيدي"), ("a.wav", "لا, شكرا")]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_delimiters_are_seen_in_the_first_line(folder, mark):
    source = write(folder / "t.csv", *(mark.join(cells) for cells in TABLE))
    assert [row["target"] for row in imported(source, "table").rows] == ["قال نعم سيدي", "لا, شكرا"]
    assert unusual_form(source, ImportSettings(kind="table")) == f"cells parted by {mark!r}"


def test_a_delimiter_that_is_named_is_used(folder):
    source = write(folder / "t.tsv", "audio,x;text", 'a.wav;"نعم; لا"')
    (row,) = imported(source, "table", delimiter=";", columns={"audio": "audio,x"}).rows
    assert row["target"] == "نعم; لا"


@pytest.mark.parametrize(
    "encoding", ["windows-1256", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"]
)
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz"])
def test_encodings_of_spreadsheets_are_seen(folder, name, encoding):
    mark = "\t" if "tsv" in name else ";"
    data = "\r\n".join(mark.join(cells) for cells in TABLE).encode(encoding)
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert [row["target"] for row in imported(folder / name, "table").rows] == [
        "قال نعم سيدي",
        "لا, شكرا",
    ]
    said = unusual_form(folder / name, ImportSettings(kind="table"))
    assert encoding in said or encoding == "utf-8-sig"


def test_an_encoding_that_is_named_is_used_and_its_bad_bytes_are_rejects(folder):
    lines = ["audio,text", "a.wav,café", "a.wav,naïve"]
    (folder / "t.csv").write_bytes("\n".join(lines).encode("latin-1"))
    found = imported(folder / "t.csv", "table", encoding="latin-1")
    assert [row["target"] for row in found.rows] == ["café", "naïve"]
    (folder / "u.csv").write_bytes(b"audio,text\na.wav,x\na.wav,\xa0\xf3\n")
    again = imported(folder / "u.csv", "table", folder / "out2", encoding="iso-8859-6")
    assert (len(again.rows), again.reasons) == (1, ["not iso-8859-6"])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"delimiter": ";;"}, "no delimiter ';;'"),
        ({"delimiter": '"'}, "no delimiter"),
        ({"encoding": "windows-9"}, "unknown encoding: windows-9"),
        ({"encoding": "rot13"}, "not a text encoding"),
        ({"kind": "nemo", "delimiter": ";"}, "nemo has no delimiter to name"),
        ({"kind": "sada22", "encoding": "utf-16"}, "sada22 has no encoding to name"),
    ],
)
def test_a_delimiter_or_an_encoding_that_no_table_has_is_refused(asked, words):
    with pytest.raises(ConfigError, match=words):
        ImportSettings(**{"kind": "table", **asked})


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("t.csv", b"a.wav,x,y", "other columns"),
        ("t.csv", b"a.wav", "other columns"),
        ("t.csv", b'a.wav,"x"y', "not CSV"),
        ("t.csv", b"a.wav,\xff", "not UTF-8"),
        ("t.csv", b"a.wav," + b"x" * 200_000, "not CSV"),
        ("t.csv", b",x", "no audio"),
        ("t.csv", b"a.wav,", "no text"),
        ("t.tsv", b"a.wav\t\xff", "not UTF-8"),
        ("t.jsonl", b'{"audio": 3, "text": "x"}', "no audio path"),
        ("t.jsonl", b'{"audio": "a.wav", "text": {}}', "no text"),
        ("t.jsonl", b'{"audio": "a.wav", "text": "x", "start": []}', "no number"),
        ("t.jsonl", b'{"audio": "a.wav", "text": "x", "id": ' + b"9" * 5000 + b"}", "not JSON"),
        ("t.jsonl", b"[" * 100_000, "not JSON"),
        ("t.jsonl", b"null", "no row"),
    ],
)
def test_a_bad_row_is_rejected_and_the_next_is_read(folder, name, line, reason):
    head, good = {
        "t.csv": (b"audio,text\n", b"a.wav,x\n"),
        "t.tsv": (b"audio\ttext\n", b"a.wav\tx\n"),
        "t.jsonl": (b"", b'{"audio": "a.wav", "text": "x"}\n'),
    }[name]
    (folder / name).write_bytes(head + line + b"\n" + good)
    found = imported(folder / name, "table")
    assert (len(found.rows), found.reasons) == (1, [reason])


@pytest.mark.parametrize(
    ("content", "settings", "words"),
    [
        ("", {}, "it is empty"),
        ("a,b\n", {}, "no column is known to hold audio paths"),
        ("audio,text\n", {"columns": {"text": "words"}}, "it has no column 'words'"),
        ("audio,text,text\n", {}, "several columns are named 'text'"),
    ],
)
def test_a_header_that_will_not_do_is_an_error(folder, content, settings, words):
    (folder / "t.csv").write_text(content)
    with pytest.raises(ManifestError, match=words):
        imported(folder / "t.csv", "table", **settings)


def test_a_header_that_is_not_utf_8_is_an_error(folder):
    (folder / "t.csv").write_bytes(b"caf\xe9,text\n")
    with pytest.raises(ManifestError, match="its first line is not UTF-8"):
        imported(folder / "t.csv", "table")


def test_a_suffix_that_tells_nothing_is_an_error(folder):
    with pytest.raises(ManifestError, match="its name tells no format"):
        imported(write(folder / "t.xls", "x"), "table")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"columns": {"words": "x"}}, "no column 'words'"),
        ({"labels": {"EGY": "nile"}}, "no label 'nile'"),
        ({"language": "fr"}, "no language 'fr'"),
    ],
)
def test_settings_that_name_nothing_are_refused(folder, settings, words):
    with pytest.raises(ConfigError, match=words):
        imported(folder / "t.csv", "table", **settings)


def test_common_voice_is_read_split_by_split(folder):
    for split in ("train", "dev", "test", "validated"):
        make_tone(folder / "clips" / f"{split}.mp3")
        write(folder / f"{split}.tsv", COMMON_VOICE, f"s\t{split}.mp3\t1\tقول {split}\t2")
    found = imported(folder, "common-voice", folder / "out")
    assert [(row["id"], row["split"]) for row in found.rows] == [
        ("train", "train"),
        ("dev", "dev"),
        ("test", "test"),
    ]
    assert {row["source"] for row in found.rows} == {"common-voice"}


def test_one_tsv_of_common_voice_may_be_read(folder):
    source = write(folder / "validated.tsv", COMMON_VOICE, 's\ta.mp3\t1\tقال "نعم\t2')
    (row,) = imported(source, "common-voice", corpus="cv-25").rows
    assert (row["id"], row["split"], row["source"]) == ("a", "train", "cv-25")
    assert (row["target"], row["speaker"]) == ('قال "نعم', "s")


def test_rows_of_common_voice_that_cannot_be_utterances_are_rejected(folder):
    source = write(
        folder / "train.tsv",
        COMMON_VOICE,
        "s\ta.mp3\t1\tx\t2",
        "s\tnone.mp3\t1\tx\t2",
        "s\t\t1\tx\t2",
        "s\ta.mp3\t1\t\t2",
        "s\ta.mp3",
        "s\ta.mp3\t1\tx\t2",
    )
    assert imported(source, "common-voice").reasons == [
        "missing audio",
        "no audio",
        "no text",
        "other columns",
        "duplicate row",
    ]


def test_what_is_no_common_voice_is_an_error(folder):
    with pytest.raises(ManifestError, match="it has no column path, sentence"):
        imported(write(folder / "train.tsv", "a\tb"), "common-voice")
    with pytest.raises(ManifestError, match=r"there is no train\.tsv, dev\.tsv, test\.tsv"):
        imported(folder / "clips", "common-voice", folder / "out")
