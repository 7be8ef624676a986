"""Turn planned utterances into audio files; also the worker process that does so.

A worker is `python -m maqam.synth.render FOLDER SEED DATA`, DATA that of eSpeak NG: it reads
one JSON job a line and answers each with the number of samples. Workers are light processes of
their own (no torch, no copy of the caller's memory) because each utterance is spoken by a fork of
the worker.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from maqam import extras
from maqam.seeding import generator
from maqam.synth import acoustics, espeak
from maqam.synth.grammar import make_sentence
from maqam.synth.prosody import BABBLE_VARIANTS, Emotion, script


@dataclass(frozen=True, slots=True)
class Job:
    """One audio file to make; all that it depends on besides the corpus' seed.

    Attributes:
        id: The utterance's id, which names the file and seeds its noise.
        script: Phoneme clauses.
        variant: Voice variant.
        pitch: eSpeak's pitch.
        pitch_range: eSpeak's pitch range.
        rate: Words a minute.
        gain_db: Loudness against the corpus' mean.
        tilt_db: Level of the high band.
        noise: "white", "pink", "babble" or None.
        snr_db: Signal-to-noise ratio of the noise, None without noise.
        rt60_seconds: Reverberation time, None for a dry recording.
    """

    id: str
    script: str
    variant: str
    pitch: int
    pitch_range: int
    rate: int
    gain_db: float
    tilt_db: float
    noise: str | None
    snr_db: float | None
    rt60_seconds: float | None


def make_babble(seed: int) -> list[np.ndarray]:
    """Record the voices of the babble noise; none of them is a speaker of the corpus."""
    voices = []
    for index, variant in enumerate(BABBLE_VARIANTS):
        rng = generator(seed, "synth babble", index)
        sentences = tuple(make_sentence("msa", rng) for _ in range(3))
        clauses = script(sentences, "msa", Emotion(), rng)
        samples = espeak.speak(clauses, espeak.Delivery(variant))
        voices.append(acoustics.to_model_rate(samples))
    return voices


def render(job: Job, seed: int, babble: list[np.ndarray], data: Path | None = None) -> np.ndarray:
    """Make the samples of one utterance.

    Returns:
        (num_samples,) float32 at 16 kHz, the same whatever was rendered before.
    """
    delivery = espeak.Delivery(job.variant, job.pitch, job.pitch_range, job.rate)
    samples = acoustics.to_model_rate(espeak.speak(job.script, delivery, data))
    rng = generator(seed, "synth room", job.id)
    samples = acoustics.tilt(samples, job.tilt_db)
    if job.rt60_seconds is not None:
        samples = acoustics.reverberate(samples, job.rt60_seconds, rng)
    if job.noise is not None and job.snr_db is not None:
        if job.noise == "babble":
            noise = acoustics.mix_babble(babble, len(samples), rng)
        else:
            noise = acoustics.noise_of(job.noise, len(samples), rng)
        samples = acoustics.add_noise(samples, noise, job.snr_db)
    return acoustics.set_loudness(samples, job.gain_db)


def work(folder: Path, seed: int, data: Path) -> None:
    """Answer jobs from standard input until it ends."""
    babble = make_babble(seed)
    for line in sys.stdin:
        job = Job(**json.loads(line))
        samples = render(job, seed, babble, data)
        extras.load("soundfile").write(
            folder / f"{job.id}.flac", samples, acoustics.SAMPLE_RATE, subtype="PCM_16"
        )
        sys.stdout.write(f"{job.id}\t{len(samples)}\n")
        sys.stdout.flush()


def as_line(job: Job) -> str:
    """Write a job as the line a worker reads."""
    return json.dumps(asdict(job)) + "\n"


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
