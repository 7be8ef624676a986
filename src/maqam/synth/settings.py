"""How large the embedded corpus is, how noisy, and which seed made it."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

SPLITS = ("train", "dev", "test")
VARIETIES = ("msa", "egyptian", "levantine", "gulf", "maghrebi")
EMOTIONS = ("neutral", "angry", "happy", "sad")
_TRAIN = {"asr": 4000, "did": 1000, "ser": 600, "ssum": 350, "tsum": 350}
_DEV = {"asr": 150, "did": 100, "ser": 80, "ssum": 30, "tsum": 30}
_TEST = {"asr": 250, "did": 200, "ser": 160, "ssum": 60, "tsum": 60}


def _counts(values: Mapping[str, int]) -> Mapping[str, int]:
    return dict(values)


@dataclasses.dataclass(frozen=True, slots=True)
class SynthSettings:
    """Settings of the embedded corpus; every number is ours, none is a claim on real speech.

    Attributes:
        seed: Decides every sentence, speaker, emotion and noise.
        train: Utterances of each task in the training split, imbalanced as in real life.
        dev: The same for the development split, labels balanced.
        test: The same for the test split, labels balanced.
        num_speakers: Pseudo-speakers of train, dev and test, disjoint: at most 31 in dev and
            test, and 1,000 in all; those of train beyond 64 in all have drawn voices.
        noise_share: Share of utterances with additive noise, in [0, 1].
        snr_db: Lowest and highest signal-to-noise ratio of a noisy utterance.
        reverberation_share: Share of utterances with reverberation, in [0, 1].
        rt60_seconds: Shortest and longest reverberation time of a reverberant utterance.
        emotional_share: Share of utterances outside SER that are not neutral, in [0, 1].

    Examples:
        >>> SynthSettings().scaled(0.01).train["asr"]
        40
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    seed: int = 0
    train: Mapping[str, int] = dataclasses.field(default_factory=lambda: _counts(_TRAIN))
    dev: Mapping[str, int] = dataclasses.field(default_factory=lambda: _counts(_DEV))
    test: Mapping[str, int] = dataclasses.field(default_factory=lambda: _counts(_TEST))
    num_speakers: tuple[int, int, int] = (20, 5, 7)
    noise_share: float = 0.5
    snr_db: tuple[float, float] = (8.0, 30.0)
    reverberation_share: float = 0.3
    rt60_seconds: tuple[float, float] = (0.15, 0.6)
    emotional_share: float = 0.15

    def __post_init__(self) -> None:
        for name in SPLITS:
            unknown = sorted(set(getattr(self, name)) - set(_TRAIN))
            if unknown:
                raise ValueError(f"{name} counts tasks {unknown}, the corpus has {list(_TRAIN)}")
            if min(getattr(self, name).values(), default=0) < 0:
                raise ValueError(f"{name} has a negative count: {dict(getattr(self, name))}")
        for name in ("noise_share", "reverberation_share", "emotional_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if min(self.num_speakers) < 1 or sum(self.num_speakers[1:]) > 31:
            raise ValueError(
                "num_speakers must be 1 or more each, of dev and test at most 31 together, got "
                f"{self.num_speakers}"
            )
        if sum(self.num_speakers) > 1000:
            raise ValueError(f"num_speakers must be at most 1000 in all, got {self.num_speakers}")

    def scaled(self, factor: float) -> "SynthSettings":
        """Return the same settings with every count times a factor, rounded."""
        counts = {
            name: _counts({task: round(n * factor) for task, n in getattr(self, name).items()})
            for name in SPLITS
        }
        return dataclasses.replace(self, **counts)  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, object]:
        """Return the settings as plain JSON values."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            name: dict(value)
            if isinstance(value, Mapping)
            else list(value)
            if isinstance(value, tuple)
            else value
            for name, value in values.items()
        }
