import gzip
import json

import pytest

from maqam.errors import ManifestError
from tests.corpora.formats.archives import clip, write_tar
from tests.corpora.formats.importing import imported
from tests.factories import make_tone


def recording(path="a.wav", kind="file", channels=(0,), **changes):
    source = {"type": kind, "channels": list(channels), "source": path}
    return {"id": "rec", "sources": [source], "sampling_rate": 16000, "duration": 2.0, **changes}


def supervision(text="نعم", **changes):
    return {
        "id": "sup",
        "recording_id": "rec",
        "start": 0.0,
        "duration": 1.0,
        "text": text,
        **changes,
    }


def cut(name="one", **changes):
    return {
        "id": name,
        "start": 0.5,
        "duration": 1.0,
        "channel": 0,
        "supervisions": [supervision()],
        "recording": recording(),
        "type": "MonoCut",
        **changes,
    }


def write_cuts(file, *cuts):
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in cuts)
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text)
    return file


@pytest.fixture
def cuts(tmp_path):
    make_tone(tmp_path / "a.wav", seconds=2.0)

    def run(*given, **settings):
        source = write_cuts(tmp_path / "cuts.jsonl.gz", *given)
        return imported(source, "lhotse", media_dir=tmp_path, **settings)

    return run


def test_a_cut_is_a_segment_of_its_recording(cuts, tmp_path):
    custom = {"dialect": "gulf", "emotion": "happy"}
    (row,) = cuts(cut(supervisions=[supervision(speaker="s", custom=custom)])).rows
    assert (row["id"], row["start"], row["seconds"], row["target"]) == ("one", 0.5, 1.0, "نعم")
    assert (row["speaker"], row["dialect"]) == ("s", "gulf")
    assert row["audios"] == [str(tmp_path / "a.wav")]


def test_each_supervision_is_a_row(cuts):
    many = [
        supervision("واحد", id="s1", start=0.0, duration=0.25),
        supervision("اثنان", id="s2", start=0.25, duration=9.0),
        supervision("ثلاثة", id="s3", start=-0.25, duration=0.5),
    ]
    rows = cuts(cut(supervisions=many)).rows
    assert [(row["id"], row["start"], row["seconds"]) for row in rows] == [
        ("s1", 0.5, 0.25),
        ("s2", 0.75, 0.75),
        ("s3", 0.5, 0.5),
    ]


def test_emotions_are_labels(cuts):
    (row,) = cuts(cut(supervisions=[supervision(custom={"emotion": "happy"})]), task="ser").rows
    assert row["label"] == "happy"


def test_a_command_is_not_run(cuts, tmp_path):
    touched = tmp_path / "touched"
    found = cuts(cut(), cut("two", recording=recording(f"touch {touched}; cat a.wav", "command")))
    assert (found.ids, found.reasons) == (["one"], ["shell command"])
    assert not touched.exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "MixedCut"}, "no simple cut"),
        ({"recording": None}, "no simple cut"),
        ({"recording": {"sources": []}}, "several sources"),
        ({"recording": recording(kind="url", path="http://x/a.wav")}, "no audio file"),
        ({"recording": recording(kind="memory")}, "no audio file"),
        ({"recording": recording(kind="shar", path="")}, "no audio"),
        ({"recording": recording(channels=(0, 1))}, "one of several channels"),
        ({"recording": recording(transforms=[{"name": "Speed"}])}, "changed audio"),
        ({"recording": recording(transforms=3)}, "changed audio"),
        ({"supervisions": []}, "no text"),
        ({"supervisions": ["x"]}, "no supervision"),
        ({"supervisions": "x"}, "no supervisions"),
        ({"start": "x"}, "no number"),
        ({"duration": 9}, "segment outside the file"),
        ({"id": []}, "no text"),
    ],
)
def test_a_cut_that_cannot_be_a_row_is_rejected(cuts, changes, reason):
    if "duration" in changes:
        changes = {**changes, "supervisions": [supervision(duration=9)]}
    found = cuts(cut(), cut("two") | changes)
    assert (found.ids, found.reasons) == (["one"], [reason])


def test_resampling_is_no_change(cuts):
    assert len(cuts(cut(recording=recording(transforms=[{"name": "Resample"}]))).rows) == 1


def shar_cut(name):
    return cut(name, start=0.0, recording=recording("", "shar"))


def test_shar_is_read_shard_by_shard(tmp_path):
    for shard, names in enumerate((["a", "b"], ["c.d"])):
        write_cuts(tmp_path / "shar" / f"cuts.{shard:06d}.jsonl.gz", *map(shar_cut, names))
        parts = []
        for name in names:
            parts += [(f"{name}.flac", clip(tmp_path, 1.0, ".flac")), (f"{name}.json", "{}")]
        write_tar(tmp_path / "shar" / f"recording.{shard:06d}.tar", parts)
    found = imported(tmp_path / "shar", "lhotse", tmp_path / "out")
    assert [(row["id"], row["seconds"]) for row in found.rows] == [("a", 1), ("b", 1), ("c.d", 1)]
    assert found.rejects == []


def test_audio_of_another_cut_is_not_taken(tmp_path):
    flac = clip(tmp_path, 1.0, ".flac")
    write_cuts(tmp_path / "shar" / "cuts.000000.jsonl", *map(shar_cut, "abcd"), "{")
    parts = [("a.flac", flac), ("a.json", "{}"), ("x.flac", flac), ("x.json", "{}")]
    parts += [("c.nodata", ""), ("c.nometa", "")]
    write_tar(tmp_path / "shar" / "recording.000000.tar", parts)
    found = imported(tmp_path / "shar", "lhotse", tmp_path / "out")
    assert found.ids == ["a"]
    assert found.reasons == ["audio of another cut", "no audio", "no audio", "not JSON"]


def test_audio_without_a_cut_is_rejected(tmp_path):
    write_cuts(tmp_path / "shar" / "cuts.000000.jsonl", shar_cut("a"))
    flac = clip(tmp_path, 1.0, ".flac")
    parts = [("a.flac", flac), ("a.json", "{}"), ("b.flac", flac), ("b.json", "{}")]
    write_tar(tmp_path / "shar" / "recording.000000.tar", parts)
    found = imported(tmp_path / "shar", "lhotse", tmp_path / "out")
    assert (found.ids, found.reasons) == (["a"], ["no cut"])


def test_a_folder_without_shards_is_an_error(tmp_path):
    with pytest.raises(ManifestError, match=r"there are no cuts\.\*\.jsonl"):
        imported(tmp_path, "lhotse", tmp_path / "out")
