"""Decide every utterance of the corpus before a sample is made: words, speaker, label, noise.

Labels are imbalanced in train as they are in collected corpora (the rarest has 2 % of its task)
and balanced in dev and test, where they are measured. No sentence occurs in two utterances, so
no sentence crosses splits, and every split has speakers of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from maqam.errors import ConfigError
from maqam.seeding import generator
from maqam.synth.acoustics import NOISES
from maqam.synth.grammar import Sentence, Story, make_sentence, make_story
from maqam.synth.prosody import MORE_VARIANTS, VARIANTS, deliver, script
from maqam.synth.render import Job
from maqam.synth.settings import EMOTIONS, SPLITS, VARIETIES, SynthSettings

_DIALECT_SHARES = {
    "asr": (0.60, 0.18, 0.11, 0.08, 0.03),
    "did": (0.45, 0.27, 0.16, 0.10, 0.02),
    "ser": (0.60, 0.18, 0.11, 0.08, 0.03),
    "ssum": (0.60, 0.18, 0.11, 0.08, 0.03),
    "tsum": (0.60, 0.18, 0.11, 0.08, 0.03),
}
_EMOTION_SHARES = (0.60, 0.24, 0.14, 0.02)
_MAX_STORY_WORDS = 17
_ATTEMPTS = 500


@dataclass(frozen=True, slots=True)
class PlannedUtterance:
    """One row of the corpus before its audio exists.

    Attributes:
        id: Its id.
        split: "train", "dev" or "test".
        task: Name of its task.
        dialect: Variety it is in.
        emotion: Emotion it is spoken with.
        text: What is said, without punctuation between words; sentences end in " . ".
        target: The right answer.
        variant: Voice variant; None for text.
        job: How its audio is made; None for text.
    """

    id: str
    split: str
    task: str
    dialect: str
    emotion: str
    text: str
    target: str
    variant: str | None
    job: Job | None


def speakers_of(settings: SynthSettings) -> Mapping[str, tuple[str, ...]]:
    """Return the voice variants of every split; no variant is in two.

    A training split that asks for more than the embedded corpus has gets others beside them:
    development and test keep their speakers.

    Examples:
        >>> {split: len(names) for split, names in speakers_of(SynthSettings()).items()}
        {'train': 20, 'dev': 5, 'test': 7}
    """
    order = generator(0, "synth speakers").permutation(len(VARIANTS))
    names = [VARIANTS[int(at)] for at in order]
    num_train, num_dev, num_test = settings.num_speakers
    shared = min(num_train, len(VARIANTS) - num_dev - num_test)
    return {
        "train": (*names[:shared], *MORE_VARIANTS[: num_train - shared]),
        "dev": tuple(names[shared : shared + num_dev]),
        "test": tuple(names[shared + num_dev : shared + num_dev + num_test]),
    }


def plan_corpus(settings: SynthSettings) -> Iterator[PlannedUtterance]:
    """Decide all utterances, test first: a larger train split leaves dev and test as they are.

    Raises:
        ConfigError: If more distinct sentences are asked for than the patterns give.
    """
    used: set[str] = set()
    speakers = speakers_of(settings)
    for split in reversed(SPLITS):
        for task, count in getattr(settings, split).items():
            rng = generator(settings.seed, "synth labels", split, task)
            dialects = _labels(VARIETIES, _DIALECT_SHARES[task], count, split, rng)
            emotions = _labels(EMOTIONS, _EMOTION_SHARES, count, split, rng)
            for index in range(count):
                draw = generator(settings.seed, "synth utterance", split, task, index)
                emotion = emotions[index]
                if task != "ser":
                    emotional = task != "ssum" and draw.random() < settings.emotional_share
                    emotion = EMOTIONS[int(draw.integers(1, 4))] if emotional else "neutral"
                row = _Row(f"{split}-{task}-{index:05d}", split, task, dialects[index], emotion)
                variant = speakers[split][int(draw.integers(len(speakers[split])))]
                yield _utterance(row, variant, settings, draw, used)


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    split: str
    task: str
    dialect: str
    emotion: str


def _labels(
    names: tuple[str, ...],
    shares: tuple[float, ...],
    count: int,
    split: str,
    rng: np.random.Generator,
) -> list[str]:
    """Deal labels by largest remainder, equal outside train, in random order."""
    exact = np.asarray(shares if split == "train" else [1 / len(names)] * len(names)) * count
    counts = np.floor(exact).astype(int)
    neediest = np.argsort(counts - exact, kind="stable")
    counts[neediest[: count - counts.sum()]] += 1
    return [names[int(at)] for at in rng.permutation(np.repeat(np.arange(len(names)), counts))]


def _utterance(
    row: _Row, variant: str, settings: SynthSettings, rng: np.random.Generator, used: set[str]
) -> PlannedUtterance:
    summary = None
    if row.task in ("ssum", "tsum"):
        story = _new_story(row, rng, used)
        sentences, summary = story.sentences, story.summary
    else:
        sentences = (_new_sentence(row, rng, used),)
    text = " . ".join(sentence.text for sentence in sentences)
    targets = {"asr": text, "did": row.dialect, "ser": row.emotion}
    job = None
    if row.task != "tsum":
        job = _job(row, variant, sentences, settings, rng)
    return PlannedUtterance(
        id=row.id,
        split=row.split,
        task=row.task,
        dialect=row.dialect,
        emotion=row.emotion if job else "neutral",
        text=text,
        target=summary.text if summary else targets[row.task],
        variant=variant if job else None,
        job=job,
    )


def _new_sentence(row: _Row, rng: np.random.Generator, used: set[str]) -> Sentence:
    for _ in range(_ATTEMPTS):
        sentence = make_sentence(row.dialect, rng)
        if 3 <= len(sentence.tokens) <= 7 and sentence.text not in used:
            used.add(sentence.text)
            return sentence
    raise _exhausted(row)


def _new_story(row: _Row, rng: np.random.Generator, used: set[str]) -> Story:
    for _ in range(_ATTEMPTS):
        story = make_story(row.dialect, rng)
        texts = [sentence.text for sentence in story.sentences]
        short = sum(len(sentence.tokens) for sentence in story.sentences) <= _MAX_STORY_WORDS
        if short and len(set(texts)) == len(texts) and used.isdisjoint(texts):
            used.update(texts)
            return story
    raise _exhausted(row)


def _exhausted(row: _Row) -> ConfigError:
    return ConfigError(
        f"no unused {row.dialect} sentence was found in {_ATTEMPTS} attempts",
        where=f"{row.split}.{row.task}",
        hint="ask for fewer utterances of this task",
    )


def _job(
    row: _Row,
    variant: str,
    sentences: tuple[Sentence, ...],
    settings: SynthSettings,
    rng: np.random.Generator,
) -> Job:
    delivery, cues = deliver(variant, row.dialect, row.emotion, rng)
    clauses = script(sentences, row.dialect, cues, rng)
    noisy = rng.random() < settings.noise_share
    reverberant = rng.random() < settings.reverberation_share
    noise = NOISES[int(rng.integers(len(NOISES)))]
    snr_db = round(float(rng.uniform(*settings.snr_db)), 1)
    rt60_seconds = round(float(rng.uniform(*settings.rt60_seconds)), 2)
    return Job(
        id=row.id,
        script=clauses,
        variant=delivery.variant,
        pitch=delivery.pitch,
        pitch_range=delivery.pitch_range,
        rate=delivery.rate,
        gain_db=round(cues.gain_db + float(rng.normal(0, 1.5)), 2),
        tilt_db=round(cues.tilt_db + float(rng.normal(0, 1.0)), 2),
        noise=noise if noisy else None,
        snr_db=snr_db if noisy else None,
        rt60_seconds=rt60_seconds if reverberant else None,
    )
