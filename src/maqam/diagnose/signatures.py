"""Named rules over what was measured of a run; each that holds is a sentence with its evidence.

A rule names a pattern, not its cause: whether it comes from the schedule is for the seed null.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from maqam.diagnose.record import ADAM
from maqam.diagnose.volatility import NORM

DECAY = 1.15  # times its lowest loss on fixed rows, from which a task decays
LASTING = 0.25  # share of a run's steps from which a conflict lasts

Table = Mapping[str, Any]


def signatures(diagnosis: Table, text_tasks: Sequence[str]) -> list[dict[str, str]]:
    """Return the signatures that a run shows.

    Args:
        diagnosis: What was found of it, as `diagnosis.json` has it.
        text_tasks: Tasks that are answered with text, whose generation can decay.

    Returns:
        Rule, subject and sentence of each.
    """
    rules = (_switch_spikes, _lasting_conflict, _negative_transfer, _forgetting, _memorised)
    found = [one for rule in rules for one in rule(diagnosis)]
    return found + _decay(diagnosis, text_tasks)


def _signature(rule: str, subject: str, sentence: str) -> dict[str, str]:
    return {"rule": rule, "subject": subject, "sentence": sentence}


def _switch_spikes(diagnosis: Table) -> list[dict[str, str]]:
    """Find spikes of the gradient norm after a switch that did not come back."""
    return [
        _signature(
            "unrecovered switch spike",
            NORM,
            f"the gradient norm rises {one['size']:.1f} times above the usual at step "
            f"{one['onset']:,}, {one['after_switch']} steps after a switch, and does not come back",
        )
        for one in diagnosis["volatility"]["spikes"]
        if one["series"] == NORM and one["after_switch"] is not None and one["recovery"] is None
    ]


def _lasting_conflict(diagnosis: Table) -> list[dict[str, str]]:
    """Find conflicts of two tasks that last, or are there at the end of the run."""
    found = []
    steps = max(1, diagnosis["volatility"]["steps"])
    for one in _episodes(diagnosis):
        is_single = one["onset"] == one["last"]  # one measure may be chance
        if one["kind"] != "task" or is_single or one["length"] < LASTING * steps:
            continue
        end = "and ends" if one["is_over"] else "and is there at the last measure"
        found.append(
            _signature(
                "lasting conflict",
                f"{one['first']} and {one['second']}",
                f"{one['first']} and {one['second']} conflict from step {one['onset']:,} for "
                f"{one['length']:,} steps {end}, down to a cosine of {one['depth']:.2f} at step "
                f"{one['at']:,} ({one['metric']} metric)",
            )
        )
    return found


def _negative_transfer(diagnosis: Table) -> list[dict[str, str]]:
    """Find tasks that are worse than where they are trained alone."""
    found = []
    for one in diagnosis.get("transfer") or ():
        if one["verdict"] != "negative transfer":
            continue
        begins = [
            episode["onset"]
            for episode in _episodes(diagnosis)
            if episode["kind"] == "task" and one["task"] in (episode["first"], episode["second"])
        ]
        since = f"; it conflicts with another task from step {min(begins):,}" if begins else ""
        found.append(_loss("negative transfer", one, f"below training it alone{since}"))
    return found


def _forgetting(diagnosis: Table) -> list[dict[str, str]]:
    """Find tasks that are worse than before the run."""
    return [
        _loss("forgetting", one, "below the model that the run began with")
        for one in diagnosis.get("forgetting") or ()
        if one["verdict"] == "forgotten"
    ]


def _loss(rule: str, row: Table, words: str) -> dict[str, str]:
    low, high = 100 * row["loss_low"], 100 * row["loss_high"]
    sentence = f"{row['task']} is {100 * row['loss']:.0f} points [{low:.0f}, {high:.0f}] {words}"
    return _signature(rule, row["task"], sentence)


def _decay(diagnosis: Table, text_tasks: Sequence[str]) -> list[dict[str, str]]:
    """Find text tasks whose loss on fixed rows rises again after its lowest."""
    found = []
    losses = diagnosis.get("losses") or ()
    for task in text_tasks:
        points = [
            (one["step"], one["losses"]["task"][task])
            for one in losses
            if task in one["losses"]["task"]
        ]
        if len(points) < 3:
            continue
        (at, lowest), (last, end) = min(points, key=lambda one: one[1]), points[-1]
        if last == at or end < DECAY * lowest:
            continue
        found.append(
            _signature(
                "generative decay",
                task,
                f"the loss of {task} on fixed rows that are not trained on rises from "
                f"{lowest:.2f} at step {at:,} to {end:.2f} at step {last:,}",
            )
        )
    return found


def _memorised(diagnosis: Table) -> list[dict[str, str]]:
    """Find labels that are known on training rows and not on others, rarer ones first."""
    return [
        _signature(
            "memorised rare label",
            one["label"],
            f"{one['label']}, {100 * one['share']:.0f} % of its task's training rows, has a loss "
            f"of {one['trained']:.2f} on them and of {one['held_out']:.2f} on others; the gap of "
            f"the other labels is {one['usual_gap']:.2f}",
        )
        for one in diagnosis.get("memorised") or ()
    ]


def _episodes(diagnosis: Table) -> Sequence[Table]:
    """Return the episodes in the optimiser's metric, in the Euclidean where there are none."""
    found: Sequence[Table] = diagnosis.get("episodes") or ()
    own = [one for one in found if one["metric"] == ADAM]
    return own or found


def memorised_labels(
    trained: Mapping[str, float],
    held_out: Mapping[str, float],
    shares: Mapping[str, float],
    *,
    least_gap: float = 0.7,
) -> list[dict[str, Any]]:
    """Find rare labels whose loss is far lower on training rows than on others.

    Args:
        trained: Loss of each label on rows that were trained on.
        held_out: The same on rows that were not.
        shares: Share of each label of its task's training rows.
        least_gap: Smallest gap in nats; that of the commoner labels must be half of it at most.

    Examples:
        >>> trained = {"did: msa": 0.2, "did: gulf": 0.1}
        >>> held_out = {"did: msa": 0.4, "did: gulf": 2.1}
        >>> (one,) = memorised_labels(trained, held_out, {"did: msa": 0.9, "did: gulf": 0.1})
        >>> one["label"], one["usual_gap"]
        ('did: gulf', 0.2)
    """
    found = []
    gaps = {name: held_out[name] - trained[name] for name in trained if name in held_out}
    for name, gap in gaps.items():
        task = name.partition(":")[0]
        others = [one for one in gaps if one != name and one.partition(":")[0] == task]
        number = len(others) + 1
        if not others or shares.get(name, 1.0) >= 0.5 / number:
            continue
        usual = sorted(gaps[one] for one in others)[len(others) // 2]
        if gap >= least_gap and usual <= gap / 2:
            found.append(
                {
                    "label": name,
                    "share": shares[name],
                    "trained": trained[name],
                    "held_out": held_out[name],
                    "usual_gap": round(usual, 6),
                }
            )
    return sorted(found, key=lambda one: float(one["share"]))
