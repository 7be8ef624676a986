"""From words that people and models write to a label: inflected, by another name, or denied.

Names are data of the taxonomies. An Arabic name is listed once: articles, the feminine ending and
the spellings of final ya are read off.
"""

import functools
from collections.abc import Mapping, Sequence

from maqam.taxonomy.tree import TAXONOMIES, Taxonomy, read_taxonomy
from maqam.text.profiles import normalize

_ARTICLES = ("وال", "بال", "فال", "كال", "ال", "لل")
_ENDINGS = ("ه", "ا", "ين", "ون", "ات")  # feminine, accusative, plurals
_SHORTEST = 3  # letters that an article leaves
_NOT = {"not", "isnt", "arent", "wasnt", "doesnt", "never", "neither", "nor", "non"}
_NOT |= {"without", "aint", "cannot", "hardly"}
_NOT |= {"غير", "ليس", "ليست", "ليسو", "مش", "مو", "موش", "مهوش", "مب", "موب", "مهو", "مهي"}
_NOT |= {"ماهو", "ماهي", "بدون", "بلا", "لست", "ماني", "مانه"}
_BETWEEN = {"a", "an", "the", "any", "really", "very", "in", "of", "or", "dialect", "accent"}
_BETWEEN |= {"او", "لهجه", "هي", "هو"}
_CODES = ("region", "emotion", "shade", "intensity")  # levels whose codes are words


def parse_label(answer: str, labels: Sequence[str], *, lenient: bool = True) -> str | None:
    """Read a label out of a generated answer.

    Args:
        answer: What the model wrote.
        labels: Allowed labels.
        lenient: Whether a label may stand inside a sentence or under another name, that of a
            country for its region included; strictly the whole answer must be the label.

    Returns:
        The label, or None when the answer names none, denies it, or names more than one.

    Examples:
        >>> parse_label("Gulf.", ["gulf", "msa"]), parse_label("اللهجة مصرية", ["egyptian", "msa"])
        ('gulf', 'egyptian')
        >>> parse_label("gulf or msa", ["gulf", "msa"]) is None
        True
        >>> parse_label("not gulf", ["gulf", "msa"]) is None
        True
    """
    text = normalize(answer).lower()
    exact = [label for label in labels if normalize(label).lower() == text]
    if exact or not lenient:
        return exact[0] if exact else None
    named = _named(_folded(answer), _names_of_labels(tuple(labels)))
    return named.pop() if len(named) == 1 else None


def code_named(word: str, taxonomy: str) -> str | None:
    """Return the node that a word names: by its code, its title or another name.

    Args:
        word: The word, or the words of one name.
        taxonomy: "dialect", "emotion" or "intensity".

    Returns:
        Its code; None where it names none.

    Examples:
        >>> code_named("Egypt", "dialect"), code_named("خليجية", "dialect")
        ('EG', 'gulf')
        >>> code_named("EGY", "dialect") is None
        True
    """
    found = read_taxonomy(taxonomy)
    if word in found.nodes:
        return word
    return _looked_up(tuple(_folded(word)), _codes_by_name(taxonomy))


def _folded(text: str) -> list[str]:
    """Return the words of a text without articles, in one spelling of final letters."""
    return [_stem(word) for word in normalize(text).lower().split()]


def _stem(word: str) -> str:
    word = word.replace("ة", "ه").replace("ى", "ي")
    for article in _ARTICLES:
        if word.startswith(article) and len(word) - len(article) >= _SHORTEST:
            return word.removeprefix(article)
    return word


def _looked_up(words: tuple[str, ...], known: Mapping[tuple[str, ...], str]) -> str | None:
    if not words:
        return None
    *first, last = words
    for ending in ("", *_ENDINGS):
        if last.endswith(ending):
            found = known.get((*first, last.removesuffix(ending)))
            if found is not None:
                return found
    return None


def _names(taxonomy: Taxonomy, code: str) -> list[tuple[str, ...]]:
    """Return all names of a node, each as its words."""
    node = taxonomy.nodes[code]
    own = (code,) if node.level in _CODES else ()
    return [tuple(_folded(name)) for name in (*own, node.title, *node.names)]


@functools.cache
def _codes_by_name(taxonomy: str) -> Mapping[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    tree = read_taxonomy(taxonomy)
    for code in tree.nodes:
        for name in _names(tree, code):
            found.setdefault(name, code)
    return found


@functools.lru_cache(maxsize=64)
def _names_of_labels(labels: tuple[str, ...]) -> Mapping[tuple[str, ...], str]:
    """Return the label of every name: its own, and those of all that lies within it."""
    found = {tuple(_folded(label)): label for label in labels}
    for tree in map(read_taxonomy, TAXONOMIES):
        for code in tree.nodes:
            if (label := tree.label_within(code, labels)) is not None:
                found.update({name: label for name in _names(tree, code) if name not in found})
    return found


def _named(words: list[str], known: Mapping[tuple[str, ...], str]) -> set[str]:
    """Return the labels that are named and not denied."""
    longest = max(map(len, known), default=0)
    found: set[str] = set()
    at = denied = 0  # `denied`: where the last denied name ends
    while at < len(words):
        sizes = range(min(longest, len(words) - at), 0, -1)
        for size in sizes:
            label = _looked_up(tuple(words[at : at + size]), known)
            if label is None:
                continue
            if _is_denied(words, at, denied):
                denied = at + size
            else:
                found.add(label)
            at += size - 1
            break
        at += 1
    return found


def _is_denied(words: list[str], at: int, denied: int) -> bool:
    """Tell whether a negation, or a name that is denied, stands before a word."""
    before = at
    while before > denied and words[before - 1] in _BETWEEN:
        before -= 1
    return (0 < denied == before) or (before > 0 and words[before - 1] in _NOT)
