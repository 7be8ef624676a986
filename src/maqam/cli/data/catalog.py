"""What is known of labels and corpora: `maqam data taxonomy` and `data catalog`."""

from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def taxonomy(
    name: Annotated[str, typer.Argument(help="dialect, emotion or intensity.")],
    labels: Annotated[
        list[str] | None, typer.Argument(help="Labels to map; all names are shown without one.")
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Label set that the labels are of, such as adi17.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="Label set to name them in; the shared names without one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the shared names of dialects, emotions or intensities, or map labels to them."""
    from maqam.cli import screen
    from maqam.errors import ConfigError
    from maqam.taxonomy.tree import read_taxonomy

    found = read_taxonomy(name)
    schemes = [to] if to else list(found.schemes)
    for asked in filter(None, (scheme, to)):
        found.scheme(asked)
    if not labels:
        codes: list[tuple[str, str | None]] = [(code, code) for code in found.nodes]
    elif scheme is None:
        raise ConfigError(
            "no scheme is named, and labels mean nothing without their label set",
            where="--scheme",
            hint=f"name one of {', '.join(found.schemes)}",
        )
    else:
        codes = list(zip(labels, found.codes(labels, scheme), strict=True))
    rows: list[dict[str, Any]] = [
        {
            "label": label,
            "code": code,
            "title": code and found.nodes[code].title,
            "within": " > ".join(found.ancestors(code)[1:]) if code else None,
            "level": code and found.nodes[code].level,
            "labels": {one: list(found.labels(code, one)) if code else [] for one in schemes},
        }
        for label, code in codes
    ]
    if as_json:
        screen.print_json(rows)
        return
    header = ("label", "code", "level", "name", "within", *schemes)
    shown = []
    for row in rows:
        names = [" ".join(row["labels"][one]) for one in schemes]
        parts = ("label", "code", "level", "title", "within")
        shown.append([*(row[part] for part in parts), *names])
    if not labels:
        header, shown = header[1:], [row[1:] for row in shown]
    screen.print_table("", header, shown)


def catalog(
    name: Annotated[
        str | None, typer.Argument(help="A corpus, or a card of your own; all without one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the corpora that have a card, with licence and hours, and formats; or show a card."""
    from maqam.cli import screen
    from maqam.corpora.cards.catalog import all_cards, read_card
    from maqam.corpora.importing.run import KINDS

    if name is None:
        cards = all_cards()
        if as_json:
            screen.print_json([card.model_dump(mode="json") for card in cards])
            return
        header = ("card", "tasks", "hours", "splits", "licence", "known", "access")
        rows = [
            (
                card.name,
                " ".join(card.tasks) or "-",
                "unknown" if card.hours.total is None else f"{card.hours.total:g}",
                " ".join(card.splits) or "-",
                card.licence.name,
                card.licence.basis,
                card.obtain.access,
            )
            for card in cards
        ]
        screen.print_table("", header, rows)
        screen.stdout.print(
            f"\nformats, for any corpus (maqam docs import): {', '.join(KINDS)}", markup=False
        )
        return
    card = read_card(name)
    if as_json:
        screen.print_json(card.model_dump(mode="json"))
        return
    for line in _card_lines(card):
        screen.stdout.print(line, markup=False)


def _card_lines(card: Any) -> list[str]:  # noqa: ANN401  imported inside the command
    """Return the lines that show a card."""
    hours = "unknown" if card.hours.total is None else f"{card.hours.total:g}"
    known = {
        "title": f"{card.title} ({card.name}), language {card.language}",
        "about": card.about,
        "tasks": " ".join(card.tasks) or f"none: {card.no_task}",
        "licence": f"{card.licence.name} ({card.licence.basis}); {card.licence.note}",
        "hours": f"{hours}; {card.hours.note}",
        "obtain": f"{card.obtain.access}: {card.obtain.where}",
        "citation": card.citation,
        "layout seen": card.layout_seen,
    }
    lines = [f"{key}: {text}" for key, text in known.items()]
    if card.labels is not None:
        levels = ", ".join(card.labels.levels)
        by = card.labels.scheme or "own map"
        lines.append(f"labels: {card.labels.taxonomy} by {by}, level {levels}")
    lines += [f"overlap with {found.corpus}: {found.text}" for found in card.overlaps]
    lines += [f"note: {note}" for note in card.notes]
    for part in card.parts:
        files = getattr(part, "files", None) or part.folders
        lines.append(f"part {part.name} ({part.split or 'no split'}): {part.kind} {files[0]}")
    return lines
