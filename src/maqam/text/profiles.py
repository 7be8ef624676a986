"""Named, versioned normalizer profiles. A score that does not name its profile means nothing.

The choice alone moves a perfect recogniser from 0 to 24 % WER on Casablanca's references.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from maqam.errors import ConfigError
from maqam.text import normalize as step
from maqam.text.lenient import equal_looking, numbers_as_digits
from maqam.user_functions import load_function

# what a function of the user's own is tried on: marks, digits, spaces, both scripts, nothing at all
_TRIED = ("أنا و أنتَ، ٣ أصدقاء!", "  Hello, (World) ۴٫٥%  ", "و و\tو", "«آهـ» ىً ة", "-", "")
DEFAULT_PROFILE = "leaderboard-v3"
# The expression for punctuation in v1 never matches, so v1 is v2 with punctuation left in.
_LEADERBOARD_V1 = (step.delete_diacritics, step.unify_letters, step.western_digits)
_LEADERBOARD_V2 = (step.delete_punctuation, *_LEADERBOARD_V1)

PROFILES: Mapping[str, tuple[step.Step, ...]] = MappingProxyType(
    {
        "leaderboard-v3": (*_LEADERBOARD_V2, step.join_waw, step.collapse_space),
        "leaderboard-v2": _LEADERBOARD_V2,
        "leaderboard-v1": _LEADERBOARD_V1,
        "mgb2": (
            step.mgb2_punctuation_to_spaces,
            step.western_digits,
            step.unify_mgb2_letters,
            step.delete_mgb2_marks,
            step.keep_mgb2_letters,
            step.drop_single_letters,
        ),
        "iwslt22": (step.keep_iwslt_letters, step.unify_iwslt_letters),
        "whisper-basic-nodiac": (step.whisper_basic_without_diacritics, step.collapse_space),
        "lenient-v1": (
            step.delete_diacritics,
            step.unify_letters,
            equal_looking,
            step.delete_punctuation,
            step.western_digits,
            step.join_waw,
            step.collapse_space,
            numbers_as_digits,
        ),
        "none": (),
    }
)


def normalize(text: str, profile: str = DEFAULT_PROFILE) -> str:
    """Normalise a text by a profile.

    Raises:
        ConfigError: If there is no such profile.

    Examples:
        >>> normalize("أنا و أنتَ، ٣ أصدقاء!")
        'انا وانت 3 اصدقا'
        >>> normalize("أنتَ!", "none")
        'أنتَ!'
    """
    return _at_once(profile)(text)


def steps_of(profile: str) -> tuple[step.Step, ...]:
    """Return the steps of a profile.

    Args:
        profile: A name of `PROFILES`, or where a function of the user's own is imported from:
            "package.module:name" or "path/to/file.py:name"; it takes a text and gives one.

    Raises:
        ConfigError: If there is no such profile; Whisper's default one is refused with the reason,
            and a function that fails, gives no text, or changes on a second pass what it gave.
    """
    if ":" in profile:
        return (_own(profile),)
    if profile == "whisper-basic":
        raise ConfigError(
            "Whisper's default normalizer cuts vowelled Arabic words into letters",
            where="score.profile",
            hint="use whisper-basic-nodiac or leaderboard-v3",
        )
    if profile not in PROFILES:
        raise ConfigError(
            f"no normalizer profile {profile!r}",
            where="score.profile",
            hint=f"known: {', '.join(PROFILES)}; or file.py:function of your own",
        )
    return PROFILES[profile]


@cache
def _own(named: str) -> step.Step:
    """Import a function of the user's own, and try it."""
    change: step.Step = load_function(named, ConfigError, where="score.profile")
    for text in _TRIED:
        try:
            once = change(text)
            twice = change(once) if isinstance(once, str) else once
        except Exception as error:
            raise ConfigError(
                f"{named} fails on {text!r}: {type(error).__name__}: {error}",
                where="score.profile",
                hint="it is called with one text and gives one",
            ) from error
        if not isinstance(once, str):
            raise ConfigError(
                f"{named} gives {type(once).__name__} for {text!r}",
                where="score.profile",
                hint="it is called with one text and gives one",
            )
        if twice != once:
            raise ConfigError(
                f"{named} writes {once!r} for {text!r}, and {twice!r} for that",
                where="score.profile",
                hint="a normalizer must leave alone what it gave",
            )
    return change


@cache
def _at_once(profile: str) -> step.Step:
    return step.in_one(steps_of(profile))
