"""Drawn voices: pseudo-speakers beyond those that eSpeak NG brings, as voice files of its format.

eSpeak NG speaks by formants, so a voice file that moves them is another vocal tract. What is drawn
for a voice is one scale for all its formants, as the length of the vocal tract sets it, a smaller
move of each, their heights and widths, the pitch and its range, the spectral tone, the source
(eSpeak's own or one of its Klatt sources), flutter, roughness, voicing, the consonants' level and,
for one in five, an echo. The keys are those of eSpeak NG's `docs/voices.md`; the ranges are ours
and hold most of the voices that eSpeak NG brings. No drawn voice stands for a person.
"""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from maqam.seeding import generator

PREFIX = "drawn-"
NUM_DRAWN = 936  # with the 64 that eSpeak NG brings, 1,000 speakers
_BROUGHT, _DRAWN = "voices/!v", "drawn"
_NUM_FORMANTS = 9


def drawn_name(index: int) -> str:
    """Return the name of a drawn voice.

    Examples:
        >>> drawn_name(7)
        'drawn-007'
    """
    return f"{PREFIX}{index:03d}"


def voice_file(name: str) -> str:
    """Draw a voice from its name.

    Args:
        name: A name that `drawn_name` gives.

    Returns:
        The content of its eSpeak NG voice file, the same for the same name.
    """
    rng = generator(0, "synth voice", name)
    tract = np.exp(rng.uniform(np.log(0.85), np.log(1.22)))
    scales = np.round(100 * tract * np.exp(rng.normal(0, 0.05, _NUM_FORMANTS)))
    heights = np.round(np.clip(100 * np.exp(rng.normal(0, 0.25, _NUM_FORMANTS)), 50, 180))
    widths = np.round(np.clip(100 * np.exp(rng.normal(0.1, 0.2, _NUM_FORMANTS)), 70, 180))
    base = np.clip(130 * tract * np.exp(rng.normal(0, 0.25)), 65, 240)
    top = base * rng.uniform(1.2, 1.8)
    tone = np.round(rng.uniform((100, 60, 50, 30), (255, 255, 180, 110)))
    bands = np.round(rng.uniform((150, 1000, 2200, 3600), (600, 1600, 3200, 5000)))
    lines = [
        "language variant",
        f"name {name}",
        f"gender {'female' if base > 155 else 'male'}",
        f"pitch {base:.0f} {top:.0f}",
        f"flutter {rng.integers(0, 7)}",
        f"roughness {rng.integers(0, 4)}",
        f"voicing {rng.integers(60, 121)}",
        f"consonants {rng.integers(60, 141)} {rng.integers(60, 141)}",
        "tone "
        + " ".join(f"{band:.0f} {level:.0f}" for band, level in zip(bands, tone, strict=True)),
        *(
            f"formant {at} {100 if at == 0 else scales[at]:.0f} {heights[at]:.0f} {widths[at]:.0f}"
            for at in range(_NUM_FORMANTS)
        ),
    ]
    if rng.random() < 0.3:
        lines.append(f"klatt {rng.integers(1, 7)}")
    if rng.random() < 0.2:
        lines.append(f"echo {rng.integers(10, 80)} {rng.integers(5, 40)}")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def data_with(variants: Iterable[str], data: Path) -> Iterator[Path]:
    """Lay drawn voices beside those of eSpeak NG for as long as the context lasts.

    Args:
        variants: Voices that are wanted; those of eSpeak NG are there already.
        data: Data folder of eSpeak NG, which stays as it is.

    Yields:
        A data folder of links to everything in `data`, with the drawn voices added; `data` itself
        where none is wanted.
    """
    drawn = [one for one in variants if one.startswith(PREFIX)]
    if not drawn:
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="maqam-voices-") as name:
        folder = Path(name)
        inner = [Path(_BROUGHT), *Path(_BROUGHT).parents]
        for one in reversed(inner):  # no links on the way: `..` would leave by the target
            (folder / one).mkdir(exist_ok=True)
            for path in (data / one).iterdir():
                if path.relative_to(data) not in inner:
                    (folder / one / path.name).symlink_to(path)
        (folder / _DRAWN).mkdir()
        for voice in drawn:
            variant_path(folder, voice).write_text(voice_file(voice), encoding="ascii")
        yield folder


def variant_path(data: Path, variant: str) -> Path:
    """Return the file of a voice variant in a data folder."""
    return data / (_DRAWN if variant.startswith(PREFIX) else _BROUGHT) / variant


def variant_argument(variant: str) -> str:
    """Return the name by which eSpeak NG loads a variant, a path from its own variants.

    Drawn voices lie outside of the folder that eSpeak NG lists, because its list holds only 350.
    """
    return f"../../{_DRAWN}/{variant}" if variant.startswith(PREFIX) else variant
