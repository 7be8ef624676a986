"""Small corpora in the layouts of the real ones, with real audio, written by the test."""

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.factories import make_tone


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def encoded(folder: Path, seconds: float = 0.5) -> bytes:
    """Return the bytes of a WAV, as tables and tars hold them."""
    file = make_tone(folder.parent / "tone.wav", seconds=seconds)
    data = file.read_bytes()
    file.unlink()
    return data


def write_parquet(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), file)


def mgb_2(root: Path) -> None:
    segments = (
        ("0001", "0.0", "1.0", "20.0", "<element>نعم</element><element>سيدي</element>"),
        ("0002", "1.0", "2.0", "95.5", "<element>لا</element>"),
    )
    text = "".join(
        f'<segment id="AAAA_BBBB_utt_{name}" who="AAAA_speaker7_align" starttime="{start}" '
        f'endtime="{end}" WMER="{wmer}">{words}</segment>'
        for name, start, end, wmer, words in segments
    )
    write(root / "train/xml/utf8/AAAA.xml", f"<transcript><segments>{text}</segments></transcript>")
    make_tone(root / "train/wav/AAAA-BBBB.wav", seconds=2.0)
    for part in ("dev", "test"):
        folder = root / part
        make_tone(folder / f"wav/{part}1.wav", seconds=2.0)
        write(folder / "wav.scp", f"{part}1 wav/{part}1.wav\n")
        write(folder / "segments.non_overlap_speech", f"{part}1_a {part}1 0.50 1.50\n")
        write(folder / "text.non_overlap_speech", f"{part}1_a mrHbA bkm\n")


def masc(root: Path) -> None:
    header = "video_id,category,video_duration,channel_id,country,dialect,gender"
    header += ",transcript_duration"
    videos = {"clean_train": "-aB_1", "noisy_train": "cD2", "clean_dev_meta": "eF3"}
    videos["noisy_test_meta"] = "gH4"
    first = "00:00:00.500 --> 00:00:01.500\nنعم\n\n"
    second = "00:00:01.500 --> 00:00:02.750\n<c>لا</c> شكرا\n"
    for name, video in videos.items():
        row = f"{video},news,3.0,UC1,country1,dialect1,male,2.0"
        write(root / f"subsets/{name}.csv", f"{header}\n{row}\n")
        make_tone(root / f"audios/{video}.wav", seconds=3.0)
        write(root / f"subtitles/{video}.ar.vtt", f"WEBVTT\nKind: captions\n\n{first}{second}")


def sada22(root: Path) -> None:
    header = (
        "FileName,ShowName,FullFileLength,SegmentID,SegmentLength,SegmentStart,SegmentEnd,SpeakerAge,"
        "SpeakerGender,SpeakerDialect,Speaker,Environment,GroundTruthText,ProcessedText\n"
    )
    for part, batch in (("train", 1), ("valid", 2), ("test", 3)):
        name = f"6k_SBA_{batch}_0"
        times = f"2.0,{name}-seg_0_500-1_500,1.0,0.5,1.5"
        rest = 'Adult,Male,Najdi,Speaker1متحدث,Clean,"نعم، سيدي",نعم سيدي'
        write(root / f"{part}.csv", f"{header}{name}.wav,show,{times},{rest}\n")
        make_tone(root / f"batch_{batch}/{name}.wav", seconds=2.0)


def casablanca(root: Path) -> None:
    for country in ("Egypt", "UAE"):
        for part in ("validation", "test"):
            row = {
                "audio": {"bytes": encoded(root), "path": None},
                "seg_id": f"{part}_1",
                "transcription": "نعم سيدي",
                "gender": "female",
                "duration": 0.5,
            }
            write_parquet(root / country / f"{part}-00000-of-00001.parquet", [row])


def fleurs(root: Path) -> None:
    folder = root / "data/ar_eg"
    for number, part in enumerate(("train", "dev", "test")):
        names = [f"1{number}{index}.wav" for index in range(2)]
        rows = [f'7\t{name}\tنعم "سيدي\tنعم سيدي\tن ع م |\t8000\tFEMALE\n' for name in names]
        write(folder / f"{part}.tsv", "".join(rows))
        (folder / "audio").mkdir(exist_ok=True)
        with tarfile.open(folder / f"audio/{part}.tar.gz", "w:gz") as tar:
            for name in reversed(names):
                data = encoded(root)
                info = tarfile.TarInfo(f"{part}/{name}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def adi_17(root: Path) -> None:
    for part, video in (("train", "abc"), ("dev", "-a_b"), ("test", "U7Z_v")):
        folder = root / "data" / part
        wav = make_tone(root / f"wav/{video}.wav", seconds=2.0).absolute()
        write(folder / "wav.scp", f"{video} {wav}\n")
        write(folder / "utt2lang", f"{video} KSA\n")
        if part != "train":
            write(folder / "segments", f"{video}_000050-000150 {video} 0.50 1.50\n")


def adi_20(root: Path) -> None:
    wav = make_tone(root / "wav/abc.wav", seconds=2.0).absolute()
    for part in ("adi20", "adi20_dev", "adi20_test"):
        rows = [f"{part}_{code},{wav},{code},1.0,8000,24000\n" for code in ("BAH", "MSA", "TUN")]
        write(root / f"manifests/{part}.csv", "ID,wav,dialect,duration,start,end\n" + "".join(rows))


def nadi_2025(root: Path) -> None:
    audio = {"bytes": encoded(root), "path": "a.wav"}
    for part in ("train", "validation", "test"):
        names = ("Egypt", "Yemen")
        rows = [{"ID": f"{part}-{at}", "audio": audio, "country": at} for at in names]
        write_parquet(root / f"data/{part}-00000-of-00001.parquet", rows)


def madar(root: Path) -> None:
    for part in ("train", "dev", "test"):
        write(root / f"corpus_26_{part}.tsv", "\tar\tdialect\n0\tنعم سيدي\tCAI\n1\tلا\tMSA\n")


def ksuemotions(root: Path) -> None:
    for code in ("00", "01", "03", "04", "05"):
        make_tone(root / f"data/SPEECH/Phase_1/D01/D01E{code}P1S02.flac", seconds=0.5)


def eaed(root: Path) -> None:
    make_tone(root / "Series1/NellyKarim/NellyKarim_happy_ 01.wav", sample_rate=44_100)
    make_tone(root / "Series1/NellyKarim/NellyKarim_fearful_ 01.wav", sample_rate=44_100)
    make_tone(root / "Series2/Other/Other_sad_ 01.wav", sample_rate=44_100)


def baved(root: Path) -> None:
    make_tone(root / "2/55-m-16-2-0-778.wav")
    make_tone(root / "6/56-f-20-6-2-779.wav")


def ravdess(root: Path) -> None:
    for emotion in ("01", "03", "05", "08"):
        make_tone(root / f"Actor_12/03-01-{emotion}-01-02-01-12.wav", sample_rate=48_000)


def iemocap(root: Path) -> None:
    dialog = "Ses01F_impro01"
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    for turn, emotion in (("F000", "neu"), ("M001", "exc"), ("F001", "xxx"), ("F002", "fru")):
        name = f"{dialog}_{turn}"
        lines.append(f"[0.0000 - 1.0000]\t{name}\t{emotion}\t[2.5000, 2.5000, 2.5000]")
        lines.append("C-E2:\tNeutral;\t()")
        make_tone(root / f"Session1/sentences/wav/{dialog}/{name}.wav")
    write(root / f"Session1/dialog/EmoEvaluation/{dialog}.txt", "\n".join(lines))


def xl_sum_ar(root: Path) -> None:
    for part in ("train", "val", "test"):
        row = '{"id": "%s1", "url": "u", "title": "t", "summary": "ملخص", "text": "نص طويل"}\n'
        write(root / f"arabic_XLSum/arabic_{part}.jsonl", row % part)


def mega_ssum(root: Path) -> None:
    for part in ("core", "validation", "test", "duc2003"):
        row = {
            "id": f"{part}1",
            "audio": {"bytes": encoded(root), "path": f"{part}1.flac"},
            "transcription": "a long sentence",
            "summary": "a sentence",
        }
        write_parquet(root / f"data/{part}-00000-of-00001.parquet", [row])


def librispeech(root: Path) -> None:
    for part, speaker in (("train-clean-100", 103), ("dev-other", 116), ("test-clean", 84)):
        folder, name = root / f"{part}/{speaker}/1240", f"{speaker}-1240"
        write(folder / f"{name}.trans.txt", f"{name}-0000 GO DO YOU HEAR\n")
        make_tone(folder / f"{name}-0000.flac")


def common_voice_ar(root: Path) -> None:
    for part in ("train", "dev", "test"):
        name = f"common_voice_ar_{part}.mp3"
        rows = f'client_id\tpath\tsentence_id\tsentence\tage\ns-{part}\t{name}\t1\tقال "نعم\t\n'
        write(root / f"ar/{part}.tsv", rows)
        make_tone(root / "ar/clips" / name)


def qasr(root: Path) -> None:
    segment = (
        '<segment id="A1B2_C3D4_utt_1" who="A1B2_speaker2_align" starttime="0.5" endtime="1.5" '
        'WMER="10.0"><element>نعم</element><element>سيدي</element></segment>'
    )
    file = root / "release/train_20210109/xml/A1B2.xml"
    write(file, f"<transcript><segments>{segment}</segments></transcript>")
    make_tone(root / "wav/A1B2-C3D4.wav", seconds=2.0)
    for part in ("dev", "test"):
        folder = root / "release" / part
        make_tone(folder / f"wav/{part}-rec.wav", seconds=2.0)
        line = f"{part}-rec_spk-0003_seg-0000050:0000175 نعم سيدي\n"
        write(folder / "text.verbatim.nonoverlap", line)


def iwslt22_ta(root: Path) -> None:
    for part in ("train", "dev", "test1"):
        call = f"20170606_{part}_15950_A"
        line = f"{call}\t1\t15950\t0.50\t1.75\t<aeb>\tنعم سيدي\n"
        write(root / f"stm/asr-aeb.norm.{part}.stm", line)
        make_tone(root / f"data/audio/ta/{call}.wav", seconds=2.0, sample_rate=8_000)


MAKERS: Mapping[str, Callable[[Path], None]] = {
    "mgb-2": mgb_2,
    "masc": masc,
    "sada22": sada22,
    "casablanca": casablanca,
    "fleurs": fleurs,
    "common-voice-ar": common_voice_ar,
    "qasr": qasr,
    "iwslt22-ta": iwslt22_ta,
    "adi-17": adi_17,
    "adi-20": adi_20,
    "nadi-2025": nadi_2025,
    "madar": madar,
    "ksuemotions": ksuemotions,
    "eaed": eaed,
    "baved": baved,
    "ravdess": ravdess,
    "iemocap": iemocap,
    "xl-sum-ar": xl_sum_ar,
    "mega-ssum": mega_ssum,
    "librispeech": librispeech,
}


def make_corpus(name: str, root: Path) -> Path:
    """Write a small corpus in the layout of a card."""
    root.mkdir()
    MAKERS[name](root)
    return root
