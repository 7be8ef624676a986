import gzip

import pytest

from maqam.corpora.lines import Lines, numbered
from maqam.corpora.utterance import UnfitRowError
from maqam.errors import ManifestError


def read(file, **settings):
    """Return the lines of a file; a reason stands for one that cannot be read."""
    with Lines(file, **settings) as lines:
        return [
            (line, text.kind if isinstance(text, UnfitRowError) else text)
            for line, text in numbered(lines)
        ]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lines.txt"


def test_byte_order_mark_and_carriage_returns_are_no_text(file):
    file.write_bytes(b"\xef\xbb\xbfa\r\nb\n\r\nc")
    assert read(file) == [(1, "a"), (2, "b"), (4, "c")]


def test_a_line_that_is_not_utf_8_is_passed_over(file):
    file.write_bytes(b"a\n\xff\xfe\nb\n")
    assert read(file) == [(1, "a"), (2, "not UTF-8"), (3, "b")]


@pytest.mark.parametrize("length", [9, 10, 11, 25, 40])
def test_a_line_that_is_too_long_is_passed_over(file, length):
    file.write_bytes(b"a\n" + b"x" * length + b"\nb\n")
    assert read(file, longest=8) == [(1, "a"), (2, "line too long"), (3, "b")]


def test_the_longest_line_is_read(file):
    file.write_bytes(b"1234567\n12345678")
    assert read(file, longest=8) == [(1, "1234567"), (2, "12345678")]


def test_a_gzip_that_was_cut_short_ends_with_a_reason(tmp_path):
    file = tmp_path / "lines.gz"
    data = gzip.compress("".join(f"{n * 7919}\n" for n in range(10_000)).encode())
    file.write_bytes(data[: len(data) // 2])
    lines = read(file)
    assert [text for _, text in lines[:2]] == ["0", "7919"]
    assert lines[-1][1] == "unreadable file"


def test_what_is_no_gzip_ends_with_a_reason(tmp_path):
    file = tmp_path / "lines.gz"
    file.write_bytes(b"text\n")
    assert read(file) == [(1, "unreadable file")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("a\nنعم\n".encode("utf-16") + b"x", ["a", "نعم", "not utf-16"]),
        (
            "a\n".encode("utf-16") + b"\x00\xd8\n\0" + "b\n".encode("utf-16-le"),
            ["a", "not utf-16", "b"],
        ),
    ],
    ids=["half a letter at the end", "half a pair"],
)
def test_broken_utf_16_is_a_reason_for_its_line_alone(file, data, expected):
    file.write_bytes(data)
    assert [text for _, text in read(file, encoding="utf-16")] == expected


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ManifestError, match="there is no file here"):
        Lines(tmp_path / "none")


def test_a_line_without_end_is_left(tmp_path):
    file = tmp_path / "lines.gz"
    zeros = bytes(1 << 20)
    with gzip.open(file, "wb", compresslevel=1) as stream:
        stream.write(b"a\n")
        for _ in range(300):
            stream.write(zeros)
        stream.write(b"\nb\n")
    assert read(file) == [(1, "a"), (2, "unreadable file")]
