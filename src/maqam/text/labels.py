"""From a generated answer to a label."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from maqam.text.profiles import normalize

ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "msa": ("فصحى", "الفصحى", "العربية الفصحى", "modern standard arabic"),
        "egyptian": ("مصري", "مصرية", "المصرية", "egypt"),
        "levantine": ("شامي", "شامية", "الشامية", "levant"),
        "gulf": ("خليجي", "خليجية", "الخليجية", "khaliji"),
        "maghrebi": ("مغاربي", "مغربية", "مغاربية", "المغاربية", "maghribi", "darija"),
        "neutral": ("محايد", "عادي", "calm"),
        "angry": ("غاضب", "غضب", "الغضب", "anger"),
        "happy": ("سعيد", "فرح", "سعادة", "الفرح", "happiness", "joy"),
        "sad": ("حزين", "حزن", "الحزن", "sadness"),
    }
)


def parse_label(answer: str, labels: Sequence[str], *, lenient: bool = True) -> str | None:
    """Read a label out of a generated answer.

    Args:
        answer: What the model wrote.
        labels: Allowed labels.
        lenient: Whether a label may stand inside a sentence or under another name; strictly the
            whole answer must be the label.

    Returns:
        The label, or None when the answer names none, or more than one.

    Examples:
        >>> parse_label("Gulf.", ["gulf", "msa"]), parse_label("اللهجة مصرية", ["egyptian", "msa"])
        ('gulf', 'egyptian')
        >>> parse_label("gulf or msa", ["gulf", "msa"]) is None
        True
    """
    text = normalize(answer).lower()
    exact = [label for label in labels if normalize(label).lower() == text]
    if exact or not lenient:
        return exact[0] if exact else None
    words = f" {text} "
    named = [
        label
        for label in labels
        if any(f" {normalize(name).lower()} " in words for name in (label, *ALIASES.get(label, ())))
    ]
    return named[0] if len(named) == 1 else None
