"""Pseudo-speakers, emotions and the melody of each variety, as settings of the synthesizer.

The direction of every emotional cue is the one on which the literature agrees; the sizes are
ours, chosen so that the emotions can be learnt on unseen speakers but not at once:

* anger: higher mean pitch, much wider pitch range, faster, louder, more energy in the high
  frequencies, few pauses;
* joy: the highest mean pitch, wide range, faster, louder, somewhat more high-frequency energy;
* sadness: lower pitch, narrow range, slow, soft, less high-frequency energy, many pauses.

Banse & Scherer, *JPSP* 70 (1996), table 6; Scherer, *Speech Communication* 40 (2003), table 2;
Juslin & Laukka, *Psychological Bulletin* 129 (2003), table 7; Burkhardt & Sendlmeier, *ISCA
Workshop on Speech and Emotion* (2000), who tested such values on a synthesizer.

The varieties differ a little in rate and pitch range as well as in sounds and words; no study
supports these sizes, they are cues of this corpus only.
"""

from dataclasses import dataclass

import numpy as np

from maqam.synth.espeak import Delivery
from maqam.synth.grammar import Sentence
from maqam.synth.phonology import pronounce
from maqam.synth.voices import NUM_DRAWN, drawn_name


@dataclass(frozen=True, slots=True)
class Emotion:
    """What an emotion changes in a neutral delivery.

    Attributes:
        pitch: Steps added to eSpeak's pitch (0 to 99).
        pitch_range: Factor on eSpeak's pitch range.
        rate: Factor on the speaking rate.
        gain_db: Loudness.
        tilt_db: Level of the band above 1 kHz against the one below.
        pause_share: Share of word boundaries with a pause.
    """

    pitch: int = 0
    pitch_range: float = 1.0
    rate: float = 1.0
    gain_db: float = 0.0
    tilt_db: float = 0.0
    pause_share: float = 0.0


EMOTION_CUES = {
    "neutral": Emotion(),
    "angry": Emotion(12, 1.6, 1.16, 6.0, 4.0, 0.0),
    "happy": Emotion(20, 1.8, 1.07, 3.0, 1.5, 0.02),
    "sad": Emotion(-14, 0.35, 0.78, -6.0, -4.0, 0.3),
}
_RATE = {"msa": 0.93, "egyptian": 1.04, "levantine": 0.98, "gulf": 0.93, "maghrebi": 1.13}
_RANGE = {"msa": 45, "egyptian": 55, "levantine": 62, "gulf": 38, "maghrebi": 48}
_BASE_RATE = 160

VARIANTS = (
    *("m3", "Alicia", "Marco", "ian", "travis", "f4", "boris", "m8", "steph2", "edward"),
    *("Andrea", "caleb", "Jacky", "Hugo", "grandma", "david", "belinda", "linda", "paul", "f2"),
    *("pablo", "anika", "michel", "quincy", "Annie", "victor", "aunty", "benjamin", "steph"),
    *("m1", "Denis", "shelby"),
)
# more pseudo-speakers, of training splits with more of them than the embedded corpus has
MORE_VARIANTS = (
    *("Alex", "Diogo", "Gene", "Henrique", "Lee", "Mario", "Michael", "Mike", "Nguyen", "Reed"),
    *("Storm", "antonio", "announcer", "f1", "f3", "gustave", "grandpa", "iven", "john", "m2"),
    *("kaukovalta", "m4", "m6", "m7", "marcelo", "miguel", "norbert", "pedro", "robert"),
    *("steph3", "zac", "edward2"),
    *(drawn_name(index) for index in range(NUM_DRAWN)),
)
BABBLE_VARIANTS = ("m5", "f5", "rob", "sandro", "max", "adam")


def speaker_id(variant: str) -> str:
    """Return the manifest's id of a pseudo-speaker.

    Examples:
        >>> speaker_id("Alicia")
        'espeak-alicia'
    """
    return f"espeak-{variant.lower()}"


def deliver(
    variant: str, variety: str, emotion: str, rng: np.random.Generator
) -> tuple[Delivery, Emotion]:
    """Choose the settings with which a speaker says one utterance.

    Every speaker has a habitual pitch and rate; each utterance strays a little from them.

    Examples:
        >>> deliver("m3", "msa", "sad", np.random.default_rng(0))[0].rate < 140
        True
    """
    cues = EMOTION_CUES[emotion]
    index = (VARIANTS + MORE_VARIANTS).index(variant)
    own_pitch = (index * 7) % 17 - 8
    own_rate = 0.94 + 0.02 * ((index * 5) % 7)
    pitch = 48 + own_pitch + cues.pitch + rng.normal(0, 3)
    pitch_range = _RANGE[variety] * cues.pitch_range * rng.uniform(0.85, 1.15)
    rate = _BASE_RATE * own_rate * _RATE[variety] * cues.rate * rng.uniform(0.94, 1.06)
    delivery = Delivery(
        variant,
        pitch=int(np.clip(round(pitch), 0, 99)),
        pitch_range=int(np.clip(round(pitch_range), 0, 99)),
        rate=int(np.clip(round(rate), 80, 300)),
    )
    return delivery, cues


def script(
    sentences: tuple[Sentence, ...], variety: str, cues: Emotion, rng: np.random.Generator
) -> str:
    """Write sentences as phoneme clauses for the synthesizer, with the emotion's pauses."""
    clauses = []
    for sentence in sentences:
        words = pronounce([(token.spoken, token.foreign) for token in sentence.tokens], variety)
        parts = words.split()
        broken = [
            part + (" _:" if at + 1 < len(parts) and rng.random() < cues.pause_share else "")
            for at, part in enumerate(parts)
        ]
        clauses.append(f"[[{' '.join(broken)}]]{'?' if sentence.question else '.'}")
    return " ".join(clauses)
