"""Three corpora to one pool, a training and its scores, as docs/data.md walks it."""

import json
import re
import shlex
from pathlib import Path

import pytest

from maqam.data.manifest import read_manifest
from tests.corpora.cards.corpora import write
from tests.factories import make_tone

from .calls import Result, maqam
from .conftest import World

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
SMALL = (
    "train.num_steps=3",
    "train.batch_size=4",
    "train.lora_rank=2",
    "score.max_new_tokens=3",
    "score.num_resamples=20",
)


def write_mgb_2(root: Path) -> None:
    for programme in range(3):
        segments = "".join(
            f'<segment id="P{programme}_X_utt_{at}" who="P{programme}_speaker{at}_align" '
            f'starttime="{at}.0" endtime="{at + 1}.0" WMER="10.0"><element>نعم</element></segment>'
            for at in range(3)
        )
        text = f"<transcript><segments>{segments}</segments></transcript>"
        write(root / f"train/xml/utf8/P{programme}.xml", text)
        make_tone(root / f"train/wav/P{programme}-X.wav", seconds=3.0, hertz=200 + 9 * programme)
    for part, hertz in (("dev", 300), ("test", 330)):
        make_tone(root / part / f"wav/{part}1.wav", seconds=2.0, hertz=hertz)
        write(root / part / "wav.scp", f"{part}1 wav/{part}1.wav\n")
        write(root / part / "segments.non_overlap_speech", f"{part}1_a {part}1 0.50 1.50\n")
        write(root / part / "text.non_overlap_speech", f"{part}1_a mrHbA bkm\n")


def write_adi_17(root: Path) -> None:
    for part, count in (("train", 3), ("dev", 1), ("test", 1)):
        folder, scp, languages = root / "data" / part, "", ""
        for at in range(count):
            for code in ("EGY", "KSA"):
                video = f"{part}{at}{code}"
                hertz = 400 + 7 * at + 50 * len(part) + 3 * (code == "EGY")
                wav = make_tone(root / f"wav/{video}.wav", hertz=hertz).absolute()
                scp += f"{video} {wav}\n"
                languages += f"{video} {code}\n"
        write(folder / "wav.scp", scp)
        write(folder / "utt2lang", languages)


def write_ksuemotions(root: Path) -> None:
    for speaker in range(1, 7):
        for code in ("00", "01", "02"):
            name = f"data/SPEECH/Phase_1/D{speaker:02}/D{speaker:02}E{code}P1S02.flac"
            make_tone(root / name, seconds=0.5, hertz=600 + 11 * speaker + int(code))


@pytest.fixture(scope="module")
def walked(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Result]]:
    """Return the folder in which the section was done, and what each command said."""
    place = tmp_path_factory.mktemp("three")
    write_mgb_2(place / "MGB-2")
    write_adi_17(place / "ADI-17")
    write_ksuemotions(place / "KSUEmotions")
    section = PAGE.partition("## One pool of several corpora\n")[2].partition("\n## ")[0]
    (recipe,) = re.findall(r"^```yaml\n(.*?)^```", section, flags=re.M | re.S)
    (place / "pool.yaml").write_text(recipe, encoding="utf-8")
    said = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for block in re.findall(r"^```sh\n(.*?)^```", section, flags=re.M | re.S):
            for line in block.splitlines():
                _, *words = shlex.split(line)
                if words[0] in ("plan", "train"):
                    words += [*SMALL, f"model.path={world.pocket}", "model.kind=qwen2_5_omni"]
                said[line] = maqam(*words)
                assert said[line].code == 0, (line, said[line].err)
    return place, said


def test_every_corpus_and_task_is_trained_on_and_scored(walked):
    place, _ = walked
    pool = read_manifest(place / "data" / "pool")
    found = set(zip(pool.column("source"), pool.column("task"), pool.column("split"), strict=True))
    corpora = {("mgb-2", "asr"), ("adi-17", "did"), ("ksuemotions", "ser")}
    splits = ("train", "dev", "test")
    assert found == {(*one, split) for one in corpora for split in splits}
    scores = json.loads((place / "runs/pool/eval/test/scores.json").read_text(encoding="utf-8"))
    assert scores["tasks"].keys() == {"asr", "did", "ser"}


def test_test_sets_stay_and_the_corpus_of_one_split_is_dealt_with_all_its_labels(walked):
    place, said = walked
    pool, one = read_manifest(place / "data" / "split"), read_manifest(place / "data" / "adi-17")
    is_dialect = pool.column("source") == "adi-17"
    assert pool.column("split")[is_dialect].tolist() == one.column("split").tolist()
    emotions = pool.column("source") == "ksuemotions"
    labels = [
        sorted(pool.column("label")[emotions & (pool.column("split") == split)])
        for split in ("train", "dev", "test")
    ]
    assert labels[1] == labels[2] == ["happy", "neutral", "sad"]
    assert len(labels[0]) == 12
    (error,) = [result.err for line, result in said.items() if " split " in line]
    assert "ksuemotions: 18 rows name no speaker, so splits may share speakers" in error


def test_only_the_corpus_of_one_split_says_how_to_split_it(walked):
    _, said = walked
    imports = {line: result.err for line, result in said.items() if " import " in line}
    told = [line for line, error in imports.items() if "maqam data split" in error]
    assert told == ["maqam data import ksuemotions KSUEmotions -o data/ksuemotions"]
    assert (
        "maqam data split data/ksuemotions -o data/ksuemotions-split --by document"
        in (imports[told[0]])
    )


def test_the_audio_of_the_pool_is_found_from_anywhere(walked, monkeypatch):
    place, _ = walked
    monkeypatch.chdir("/")
    pool = read_manifest(place / "data" / "pool")
    assert all(pool.audio_path(row).is_file() for row in range(pool.num_utterances))
