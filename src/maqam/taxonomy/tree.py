"""Shared names of dialects, emotions and intensities, and what corpora call them.

A label set of a corpus is a scheme: it maps the corpus's labels to nodes of the taxonomy, and back.
The same three letters mean a city in one scheme and a country in another (`ALG`, `TUN`), so no
label is looked up without its scheme.
"""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

from pydantic import BaseModel, ConfigDict

from maqam.errors import ConfigError, ManifestError
from maqam.settings_file import nearest
from maqam.yaml_files import parsed

TAXONOMIES: Mapping[str, str] = {  # each is a column of a manifest, too
    "dialect": "dialects.yaml",
    "emotion": "emotions.yaml",
    "intensity": "intensities.yaml",
}


class Node(BaseModel):
    """One shared name.

    Attributes:
        title: Its name for people.
        level: "region", "country" or "city" of a dialect; "emotion" or "shade" of an emotion;
            "intensity".
        within: The node one level up; None at the top.
        names: What people and models call it beside its title.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    level: str
    within: str | None = None
    names: tuple[str, ...] = ()


class Taxonomy(BaseModel):
    """Shared names, and the labels of corpora for them.

    Attributes:
        name: "dialect", "emotion" or "intensity".
        levels: Levels whose nodes a task may have for labels, the coarsest first.
        nodes: Every shared name by its code: ISO 3166-1 alpha-2 for a country.
        schemes: By label set, the code of each of its labels; None for a label that names none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    levels: tuple[str, ...]
    nodes: Mapping[str, Node]
    schemes: Mapping[str, Mapping[str, str | None]]

    def codes(self, labels: Iterable[str], scheme: str) -> list[str | None]:
        """Return the shared code of each label of a corpus.

        Args:
            labels: Labels as the corpus writes them.
            scheme: The label set that they belong to, such as "adi17".

        Returns:
            A code for each label; None where the scheme says that a label names none.

        Raises:
            ConfigError: If there is no such scheme.
            ManifestError: If the scheme lacks labels; it lists them all, with their counts.

        Examples:
            >>> dialects = read_taxonomy("dialect")
            >>> dialects.codes(["EGY", "KSA"], "adi17"), dialects.codes(["CAI"], "madar26")
            (['EG', 'SA'], ['EG-CAI'])
        """
        known = self.scheme(scheme)
        found = list(labels)
        missing = Counter(label for label in found if label not in known)
        if missing:
            listed = ", ".join(f"{name!r} ({count})" for name, count in sorted(missing.items()))
            raise ManifestError(
                f"{len(missing)} labels have no {self.name} in {scheme}: {listed}",
                where=f"{self.name} taxonomy",
                hint=f"{scheme} maps {', '.join(known)}; add the labels to the card's `labels.map`",
            )
        return [known[label] for label in found]

    def labels(self, code: str, scheme: str) -> tuple[str, ...]:
        """Return what a label set calls a code, or all it has within it.

        Args:
            code: A node, such as "EG" or "maghrebi".
            scheme: The label set to name it in.

        Returns:
            The labels of the node itself; where the scheme has none, those of all nodes within it.

        Raises:
            ConfigError: If there is no such scheme or node.

        Examples:
            >>> dialects = read_taxonomy("dialect")
            >>> dialects.labels("EG", "adi17"), dialects.labels("EG", "madar26")
            (('EGY',), ('ALX', 'ASW', 'CAI'))
        """
        known = self.scheme(scheme)
        self._check(code)
        own = tuple(label for label, node in known.items() if node == code)
        return own or tuple(
            label
            for label, node in known.items()
            if node is not None and code in self.ancestors(node)
        )

    def ancestors(self, code: str) -> tuple[str, ...]:
        """Return a node and all it lies within, the node first.

        Raises:
            ConfigError: If there is no such node.

        Examples:
            >>> read_taxonomy("dialect").ancestors("EG-CAI")
            ('EG-CAI', 'EG', 'egyptian')
        """
        self._check(code)
        found = [code]
        while (above := self.nodes[found[-1]].within) is not None:
            found.append(above)
        return tuple(found)

    def within(self, code: str, allowed: Sequence[str]) -> str | None:
        """Return the nearest of the allowed nodes that a node is, or lies within.

        Returns:
            The node; None where none of them holds it.

        Raises:
            ConfigError: If there is no such node.

        Examples:
            >>> read_taxonomy("dialect").within("EG-CAI", ("egyptian", "gulf"))
            'egyptian'
            >>> read_taxonomy("emotion").within("surprised", ("neutral", "happy")) is None
            True
        """
        return next((node for node in self.ancestors(code) if node in allowed), None)

    def label_within(self, code: str, labels: Sequence[str]) -> str | None:
        """Return the nearest of some labels that a node is, or lies within.

        Args:
            code: A node, such as "EG-CAI".
            labels: Shared names, or labels of one label set.

        Examples:
            >>> dialects = read_taxonomy("dialect")
            >>> dialects.label_within("EG-CAI", ("EGY", "KSA"))
            'EGY'
            >>> dialects.label_within("EG-CAI", ("egyptian", "gulf"))
            'egyptian'
        """
        if (found := self.within(code, labels)) is not None:
            return found
        scheme = self.scheme_of(labels)
        named = {node: label for label, node in scheme.items() if label in labels}
        return next((named[one] for one in self.ancestors(code) if one in named), None)

    def scheme_of(self, labels: Iterable[str]) -> Mapping[str, str | None]:
        """Return the smallest label set that has all of some labels; an empty one where none has.

        Examples:
            >>> len(read_taxonomy("dialect").scheme_of(("KSA", "UAE")))
            17
        """
        asked = set(labels)
        known = [one for one in self.schemes.values() if asked and asked <= set(one)]
        return min(known, key=len, default={})

    def at(self, level: str) -> tuple[str, ...]:
        """Return the nodes of a level, and those of the top that have nothing within them.

        Examples:
            >>> read_taxonomy("dialect").at("country")[:3]
            ('msa', 'EG', 'SD')
        """
        holders = {node.within for node in self.nodes.values()}
        return tuple(
            code
            for code, node in self.nodes.items()
            if node.level == level or (node.within is None and code not in holders)
        )

    def at_level(self, code: str, level: str) -> str | None:
        """Return the node of a level that a node is, or lies within; None where there is none.

        Raises:
            ConfigError: If there is no such node.

        Examples:
            >>> dialects = read_taxonomy("dialect")
            >>> dialects.at_level("EG-CAI", "country"), dialects.at_level("msa", "country")
            ('EG', None)
        """
        return next(
            (node for node in self.ancestors(code) if self.nodes[node].level == level), None
        )

    def scheme(self, name: str) -> Mapping[str, str | None]:
        """Return a label set: the code of each of its labels.

        Raises:
            ConfigError: If there is no such scheme.

        Examples:
            >>> read_taxonomy("dialect").scheme("madar6")["BEI"]
            'LB-BEI'
        """
        if name not in self.schemes:
            raise ConfigError(
                f"no scheme {name!r} of {self.name}s",
                where="scheme",
                hint=nearest(name, self.schemes),
            )
        return self.schemes[name]

    def _check(self, code: str) -> None:
        if code not in self.nodes:
            raise ConfigError(
                f"no {self.name} {code!r}", where="code", hint=nearest(code, self.nodes)
            )


@functools.cache
def read_taxonomy(name: str) -> Taxonomy:
    """Return the taxonomy of dialects, of emotions or of intensities.

    Args:
        name: "dialect", "emotion" or "intensity".

    Raises:
        ConfigError: If there is no such taxonomy.

    Examples:
        >>> read_taxonomy("dialect").nodes["MR"].title
        'Mauritania'
    """
    if name not in TAXONOMIES:
        raise ConfigError(f"no taxonomy {name!r}", where="taxonomy", hint=nearest(name, TAXONOMIES))
    file = resources.files(__package__) / TAXONOMIES[name]
    return parsed(file.read_text(encoding="utf-8"), Taxonomy, where=TAXONOMIES[name])


def taxonomy_with(scheme: str) -> Taxonomy:
    """Return the taxonomy that a label set belongs to.

    Raises:
        ConfigError: If there is no such label set.

    Examples:
        >>> taxonomy_with("ravdess").name
        'emotion'
    """
    taxonomies = [read_taxonomy(name) for name in TAXONOMIES]
    known = {one: taxonomy for taxonomy in taxonomies for one in taxonomy.schemes}
    if scheme not in known:
        raise ConfigError(
            f"no label set {scheme!r}", where="label set", hint=nearest(scheme, known)
        )
    return known[scheme]


def label_set(name: str) -> tuple[str, ...]:
    """Return the labels of a label set in its own words, or the nodes of a level.

    Args:
        name: The label set, such as "adi17", or the level, such as "country".

    Raises:
        ValueError: If there is neither.

    Examples:
        >>> label_set("adi5"), len(label_set("adi17")), len(label_set("country"))
        (('MSA', 'EGY', 'LAV', 'GLF', 'NOR'), 17, 20)
    """
    known: dict[str, tuple[str, ...]] = {}
    for taxonomy in map(read_taxonomy, TAXONOMIES):
        known |= {level: taxonomy.at(level) for level in taxonomy.levels}
        known |= {
            scheme: tuple(label for label, code in labels.items() if code is not None)
            for scheme, labels in taxonomy.schemes.items()
        }
    if name not in known:
        raise ValueError(f"no label set or level {name!r}; {nearest(name, known)}")
    return known[name]


def taxonomy_of(labels: Iterable[str]) -> str | None:
    """Return the taxonomy that labels are all nodes of, or a whole label set of.

    Examples:
        >>> taxonomy_of(("happy", "sad")), taxonomy_of(label_set("adi17"))
        ('emotion', 'dialect')
        >>> taxonomy_of(("female", "male")) is None
        True
    """
    asked = set(labels)
    for taxonomy in map(read_taxonomy, TAXONOMIES):
        if asked <= set(taxonomy.nodes):
            return taxonomy.name
        if any(asked == set(label_set(scheme)) for scheme in taxonomy.schemes):
            return taxonomy.name
    return None
