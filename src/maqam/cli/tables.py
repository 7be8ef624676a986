"""Scores and comparisons as tables on the screen."""

from collections.abc import Mapping, Sequence
from typing import Any

from maqam.cli import screen
from maqam.score.groups import ALL, MEAN_OF_SOURCES
from maqam.tasks import tasks_of_record


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """Write a score in percent with its interval.

    Examples:
        >>> with_interval(0.1234, 0.1, 0.15), with_interval(None, None, None)
        ('12.3 [10.0, 15.0]', 'n/a')
    """
    if value is None:
        return "n/a"
    if low is None or high is None:
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def print_scores(scores: Mapping[str, Any]) -> None:
    """Print the scores of one run, a line each: of groups, the main metric of each task alone."""
    main, tasks = (None, scores["profile"]), tasks_of_record(scores)
    shown = [
        row
        for row in scores["scores"]
        if row["group"] == ALL
        or row["group"].startswith("label=")
        or (row["group"] == MEAN_OF_SOURCES and row["metric"] in tasks[row["task"]].metrics)
        or (row["metric"] == tasks[row["task"]].metrics[0] and row["profile"] in main)
    ]
    rows = [
        (
            f"{row['task']} {row['metric']}",
            row["group"],
            row["profile"],
            with_interval(row["value"], row["low"], row["high"]),
            row["num_utterances"],
        )
        for row in shown
    ]
    title = f"{scores['split']} split, 95 % intervals" + _synthetic(scores)
    screen.print_table(title, ("score", "group", "profile", "%", "utterances"), rows)
    if left := len(scores["scores"]) - len(shown):
        screen.say(f"{left} more scores, of groups, are in the file; --json prints all")


def print_comparison(comparison: Mapping[str, Any]) -> None:
    """Print methods side by side on the main metric of every task."""
    found = {
        (_score(row), row["method"]): row
        for row in comparison["rows"]
        if row["group"] in (ALL, MEAN_OF_SOURCES)
    }
    methods = list(dict.fromkeys(row["method"] for row in comparison["rows"]))
    metrics = dict.fromkeys(
        key
        for head in _headlines(comparison)
        for (key, _), row in found.items()
        if (row["task"], row["metric"]) == head
    )
    rows = [
        (
            key,
            *(_cell(found.get((key, method)), method, comparison) for method in methods),
        )
        for key in metrics
    ]
    title = "scores in %, 95 % intervals" + _synthetic(comparison)
    screen.print_table(title, ("score", *methods), rows)
    verdicts = [row for row in found.values() if row["verdict"] in ("better", "worse")]
    for row in verdicts:
        screen.stdout.print(_sentence(row, comparison["baseline"]), markup=False)
    if not verdicts:
        screen.stdout.print(_no_winner(comparison), markup=False)
    _print_convergence(comparison)
    for name, title in (
        ("negative_transfer", "points lost against training on the task alone"),
        ("forgetting", "points lost against the start"),
    ):
        if name in comparison:
            _print_losses(comparison[name], title)


def print_power(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the differences that a study would show, by number of seeds."""
    numbers = list(rows[0]["detectable"])
    shown = [
        (
            f"{row['task']} {row['metric']}",
            f"{100 * row['spread']['value']:.1f} (below {100 * row['spread']['high']:.1f})",
            *(f"{100 * row['detectable'][number]:.1f}" for number in numbers),
        )
        for row in rows
    ]
    title = "points between two methods that four studies of five would show, by number of seeds"
    screen.print_table(title, ("score", "spread", *numbers), shown)
    first = rows[0]["spread"]
    seen = "paired runs" if first["is_paired"] else "seeds of one method, unpaired"
    screen.say(
        f"The spread of the difference is of {seen}, {first['freedom']} degrees of freedom; in "
        "brackets what it lies below in four cases of five. P-values are corrected over "
        f"{rows[0]['num_comparisons']} comparisons."
    )


def _print_convergence(comparison: Mapping[str, Any]) -> None:
    names = {
        "steps_to_50_percent": "no fall to measure",
        "steps_to_90_percent": "no fall to measure",
        "steps_to_baseline": "not reached",
    }
    rows = [
        (row["task"], row["method"], *(_median(row[name], absent=names[name]) for name in names))
        for row in comparison.get("convergence", ())
    ]
    title = "steps until a share of the fall of the training loss, medians over seeds"
    final = f"to the final loss of {comparison['baseline']}"
    screen.print_table(title, ("task", "method", "50 %", "90 %", final), rows)


def _median(steps: Sequence[int | None], *, absent: str) -> str:
    """Write the median of steps, of which some may never have come.

    Examples:
        >>> _median([30, 10, None], absent="not reached"), _median([None], absent="not reached")
        ('30', 'not reached')
    """
    known = sorted(float("inf") if one is None else one for one in steps)
    middle = known[len(known) // 2]
    return absent if middle == float("inf") else f"{middle:,}"


def _print_losses(losses: Sequence[Mapping[str, Any]], title: str) -> None:
    rows = [
        (
            f"{row['task']} {row['metric']}",
            row["method"],
            _percent(row["reference"]),
            _percent(row["mean"]),
            with_interval(row["loss"], row["loss_low"], row["loss_high"]),
            row["verdict"],
        )
        for row in losses
    ]
    header = ("score", "method", "reference", "it", "lost", "verdict")
    screen.print_table(title, header, rows)


def print_checkpoints(comparison: Mapping[str, Any]) -> None:
    """Print checkpoints against one of them, a line for each main score."""
    heads = _headlines(comparison)
    rows = [
        (
            _score(row),
            row["checkpoint"],
            _percent(row["baseline_value"]),
            _percent(row["value"]),
            with_interval(row["difference"], row["difference_low"], row["difference_high"]),
            *("n/a" if row[p] is None else f"{row[p]:.4f}" for p in ("p_swap", "p_value")),
            row["verdict"],
        )
        for row in comparison["rows"]
        if (row["task"], row["metric"]) in heads
    ]
    base = comparison["baseline"]
    header = ("score", "checkpoint", base, "it", "difference", "p", "p corrected", "verdict")
    title = "scores in %, 95 % intervals over speakers" + _synthetic(comparison)
    screen.print_table(title, header, rows)
    screen.stdout.print(f"This holds {comparison['claim']}.", markup=False)


def _headlines(comparison: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the two main metrics of each task."""
    tasks = tasks_of_record(comparison)
    return [(task.name, metric) for task in tasks.values() for metric in task.metrics[:2]]


def _score(row: Mapping[str, Any]) -> str:
    """Name the score of a row, and whether it is a mean over sources.

    Examples:
        >>> _score({"task": "asr", "metric": "wer", "group": "mean over sources"})
        'asr wer, mean over sources'
    """
    group = "" if row["group"] == ALL else f", {row['group']}"
    return f"{row['task']} {row['metric']}{group}"


def _cell(row: Mapping[str, Any] | None, method: str, comparison: Mapping[str, Any]) -> str:
    if row is None:
        return "n/a"
    mark = {"better": " +", "worse": " -"}.get(row["verdict"], "")
    is_baseline = method == comparison["baseline"]
    return with_interval(row["mean"], row["low"], row["high"]) + ("" if is_baseline else mark)


def _sentence(row: Mapping[str, Any], baseline: str) -> str:
    low, high = row["difference_low"], row["difference_high"]
    return (
        f"{row['method']} is {row['verdict']} than {baseline} on {_score(row)} by "
        f"{100 * row['difference']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] points"
    )


def _no_winner(comparison: Mapping[str, Any]) -> str:
    if any(row["verdict"].startswith("one seed") for row in comparison["rows"]):
        return "One seed: no method is called better; run a study with 5 seeds for a verdict."
    return "No difference from the baseline is shown by these seeds."


def _synthetic(record: Mapping[str, Any]) -> str:
    return " (SYNTHETIC speech)" if record.get("synthetic") else ""


def print_plan(plan: Any, rows: Sequence[Mapping[str, Any]]) -> None:  # noqa: ANN401
    """Print what each stage of a plan deals to each group, and the notes of the plan."""
    from maqam.schedule.audit import epochs_of

    table = [
        (
            f"{row['axis']} {row['group']}",
            row["first_step"],
            row["num_dealt"],
            f"{row['epochs']:.2f}",
            row["num_repeats"],
            row["num_never_seen"],
            f"{100 * row['share']:.1f}",
            *([_percent(row["loss_share"])] if plan.target_tokens else []),
            *(f"{100 * share:.1f}" for share in row["stage_shares"]),
        )
        for row in rows
    ]
    loss = ["of loss"] if plan.target_tokens else []
    stages = [f"from {step}: {name}" for step, name in plan.stages]
    counted = "" if plan.unit == "rows" else f" {plan.unit}"
    title = f"{plan.schedule['kind']}: {plan.num_steps} steps of {plan.batch_size}{counted}"
    header = ("group", "first step", "dealt", "epochs", "repeats", "never", "all", *loss, *stages)
    screen.print_table(f"{title}, shares in %", header, table)
    clusters = epochs_of(plan, "cluster")
    if clusters:
        screen.stdout.print(
            f"{clusters['groups']} clusters are dealt {clusters['least_epochs']:.2f} to "
            f"{clusters['most_epochs']:.2f} epochs (median {clusters['median_epochs']:.2f})",
            markup=False,
        )
    for note in plan.notes:
        screen.say(note)


def _by_key(name: str, value: object) -> dict[str, object]:
    """Return the plain values below a setting by their dotted keys."""
    if not isinstance(value, Mapping):
        return {name: value}
    below = [_by_key(f"{name}.{key}", inner) for key, inner in value.items()]
    return {key: one for part in below for key, one in part.items()}


def print_difference(found: Any) -> None:  # noqa: ANN401
    """Print where two plans differ."""
    for name, (one, other) in found.settings.items():
        first, second = _by_key(name, one), _by_key(name, other)
        for key in {**first, **second}:
            if first.get(key) != second.get(key):
                line = f"{key}: {first.get(key, '-')} | {second.get(key, '-')}"
                screen.stdout.print(line, markup=False)
    if found.first_step is None:
        screen.stdout.print(f"the same rows in all {found.num_steps[0]} steps", markup=False)
        return
    common = min(found.num_steps)
    screen.stdout.print(
        f"{found.num_equal} of {common} steps hold the same rows, step {found.first_step + 1} is "
        "the first that does not",
        markup=False,
    )
    overlap = ", ".join(f"{100 * part:.1f} % ({name})" for name, part in found.overlap.items())
    screen.stdout.print(f"rows in both of those in either: {overlap}", markup=False)
    rows = [
        (f"{one.axis} {one.name}", *map(_percent, one.shares), f"{one.most:+d}", one.at_step)
        for one in found.groups
        if one.axis in ("task", "label", "dialect")
    ]
    header = ("group", "first", "second", "most apart", "after step")
    screen.print_table("shares in %, utterances dealt first minus second", header, rows)


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.1f}"
