"""The model card of exported weights: data, schedule, scores, and the licences of the corpora."""

from collections.abc import Mapping
from typing import Any

from maqam.corpora.cards.catalog import is_card, read_card
from maqam.models.checkpoint import Checkpoint
from maqam.models.weights.card import front_matter, is_hub_id, table
from maqam.run_layout import RunLayout


def model_card(checkpoint: Checkpoint, record: Mapping[str, Any], run: RunLayout) -> str:
    """Return the README of exported weights.

    Args:
        checkpoint: What the run began with.
        record: The run's description of itself.
        run: Its files.
    """
    about = dict(record.get("about") or {})
    base, family = checkpoint.source, checkpoint.family
    named = f"`{base}`" if is_hub_id(base) else f"a checkpoint of {family.title}"
    corpora = about.get("corpora")
    lines = [
        *front_matter({"library_name": "transformers", "base_model": base}),
        f"# {record.get('name', run.folder.name)}: {family.title}, trained by Maqam",
        "",
        f"Begun with {named}. The weights are those of the run, its adapter merged.",
        "",
        "## Training",
        "",
        *(table(about) or ["The run tells nothing of its data: it is of an earlier Maqam.", ""]),
        "## Scores",
        "",
        *_scores(run),
        "## Licences of the training data",
        "",
        *_licences(list(corpora) if isinstance(corpora, Mapping) else []),
        "The licence of the weights that the training began with holds, too.",
        "",
    ]
    return "\n".join(lines)


def _scores(run: RunLayout) -> list[str]:
    """Return the main scores of every split, 95 % intervals beside them."""
    lines = []
    for split, files in run.evaluations().items():
        scores = files.read_scores()
        main = {task: one["metrics"][0] for task, one in scores["tasks"].items() if one["metrics"]}
        for row in scores["scores"]:
            if row["group"] == "all" and main.get(row["task"]) == row["metric"]:
                value = "-" if row["value"] is None else f"{100 * row['value']:.1f}"
                ends = [row["low"], row["high"]]
                spread = "" if None in ends else f" [{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]"
                lines.append(
                    f"| {split} | {row['task']} | {row['metric']} | {row['profile'] or '-'} "
                    f"| {value}{spread} | {row['num_utterances']} |"
                )
    if not lines:
        return ["The run was not scored: `maqam eval RUN`.", ""]
    head = ["| split | task | metric | profile | % | utterances |", "|---|---|---|---|---|---|"]
    return [*head, *lines, ""]


def _licences(corpora: list[str]) -> list[str]:
    """Return what is known of the licence of every corpus, by its card."""
    if not corpora:
        return ["Not known: the run names no corpora.", ""]
    lines = ["| corpus | licence | known | note |", "|---|---|---|---|"]
    for name in corpora:
        if not is_card(name) or name.endswith(".yaml"):
            lines.append(f"| {name} | not known: the corpus has no card | - | |")
            continue
        licence = read_card(name).licence
        lines.append(f"| {name} | {licence.name} | {licence.basis} | {licence.note} |")
    return [*lines, ""]
