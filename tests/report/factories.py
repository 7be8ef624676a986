"""Made-up study folders in the format that training and evaluation write. Test data, no results."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from maqam.schedule import Ads, Plan, Pool, Schedule, Then, Tpc, Uniform, make_plan
from maqam.tasks import default_tasks

DIALECTS = default_tasks()["did"].labels
EMOTIONS = default_tasks()["ser"].labels

METHODS: dict[str, Schedule] = {
    "uniform": Uniform(),
    "tpc": Tpc(),
    "ads": Ads(),
    "hybrid": Then(first=Tpc(), second=Ads()),
}
SIZES = {"asr": 1200, "did": 260, "ser": 180, "ssum": 120, "tsum": 120}
TARGET_TOKENS = {"asr": 30, "did": 2, "ser": 2, "ssum": 60, "tsum": 60}
SENTENCES = (
    "ذهبت إلى السوق واشتريت خبزًا طازجًا",
    "الاجتماع يوم الخميس الساعة ١٠ في مكتب Google",
    "كان الجو باردًا في الجبل فعدنا قبل الغروب",
    "عايز أروح البلد بكرة الصبح",
    "شو رأيك نطلع على البحر اليوم",
)
METRICS = {
    "asr": (("wer", False, 0.31), ("cer", False, 0.12)),
    "did": (("macro_f1", True, 0.62), ("accuracy", True, 0.70), ("macro_f1_generated", True, 0.58)),
    "ser": (("macro_f1", True, 0.55), ("accuracy", True, 0.61)),
    "ssum": (("rouge_l", True, 0.28), ("rouge_1", True, 0.33), ("chrf", True, 0.35)),
    "tsum": (("rouge_l", True, 0.36), ("rouge_1", True, 0.41), ("chrf", True, 0.44)),
}
EFFECT = {"uniform": 0.0, "tpc": -0.06, "ads": 0.08, "hybrid": 0.05}


def make_pool(num_clusters: int = 24, seed: int = 0) -> Pool:
    """Make a pool with the imbalance of real life."""
    rng = np.random.default_rng(seed)
    tasks = [task for task, size in SIZES.items() for _ in range(size)]
    labels = [_label(task, rng) for task in tasks]
    weights = 1 / np.arange(1, num_clusters + 1)
    clusters = rng.choice(num_clusters, size=len(tasks), p=weights / weights.sum())
    return Pool.from_columns(
        {"task": tasks, "label": labels, "cluster": clusters},
        ids=[f"u{index}" for index in range(len(tasks))],
    )


def method_plan(
    schedule: Schedule, *, steps: int = 60, batch_size: int = 16, seed: int = 0
) -> Plan:
    """Deal a plan from the pool of the factory."""
    return make_plan(schedule, make_pool(), steps=steps, batch_size=batch_size, seed=seed)


def write_study(
    folder: Path,
    *,
    seeds: Sequence[int] = (0,),
    steps: int = 60,
    text: str = "",
    name: str = "Four schedules, made-up numbers",
    is_synthetic: bool = True,
) -> Path:
    """Write a whole study; `text` is put into transcripts, labels and settings."""
    _json(
        folder / "study.json",
        {
            "format_version": 1,
            "name": name,
            "baseline": "uniform",
            "seeds": list(seeds),
            "methods": list(METHODS),
            "synthetic": is_synthetic,
        },
    )
    for method in METHODS:
        for seed in seeds:
            run = folder / "runs" / f"{method}-seed{seed}"
            write_run(run, method, seed=seed, steps=steps, text=text)
    _json(
        folder / "comparison.json",
        {"format_version": 1, "baseline": "uniform", "rows": comparison_rows(len(seeds))},
    )
    return folder


def write_run(
    folder: Path,
    method: str = "uniform",
    *,
    seed: int = 0,
    steps: int = 60,
    steps_taken: int | None = None,
    text: str = "",
    is_scored: bool = True,
    is_synthetic: bool = True,
) -> Path:
    """Write a run folder; fewer `steps_taken` than `steps` is a run that was killed."""
    taken = steps if steps_taken is None else steps_taken
    plan = method_plan(METHODS[method], steps=steps, seed=seed)
    plan.save(folder / "plan")
    _json(
        folder / "run.json",
        {
            "format_version": 1,
            "name": folder.name,
            "schedule": plan.schedule["kind"],
            "seed": seed,
            "versions": {"maqam": "0.1.0", "torch": "2.9.1", "numpy": "2.3.0"},
            "fingerprints": {
                "manifest": "a3f0" * 8,
                "features": "77c2" * 8,
                "plan": plan.fingerprint,
                "weights": "0b1e" * 8,
            },
            "synthetic": is_synthetic,
            "trainable": [
                {"part": "encoder", "parameters": 2_000_000, "trainable": 0},
                {"part": "aligner", "parameters": 120_000, "trainable": 0},
                {"part": "llm", "parameters": 3_100_000, "trainable": 98_304},
            ],
            "state": "finished" if taken == steps else "running",
        },
    )
    recipe = (
        f"name: {folder.name}\nseed: {seed}\nschedule:\n  kind: {plan.schedule['kind']}\n"
        f"train:\n  num_steps: {steps}\n  batch_size: 16\n  learning_rate: 1e-4\n"
        f"  note: {json.dumps(text)}\n"
    )
    (folder / "recipe.yaml").write_text(recipe, encoding="utf-8")
    lines = [json.dumps(record) for record in step_records(plan, method, seed)[:taken]]
    (folder / "train.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if is_scored and taken == steps:
        _write_eval(folder / "eval" / "test", method, seed, text, is_synthetic)
    return folder


def step_records(plan: Plan, method: str, seed: int) -> list[dict[str, Any]]:
    """Make the lines of train.jsonl: losses that fall, gradients that jump at a switch."""
    rng = np.random.default_rng([seed, len(method)])
    shares = plan.shares["task"]
    records = []
    for step in range(plan.num_steps):
        held = {
            task: int(count)
            for task, count in zip(shares.names, shares.counts[step], strict=True)
            if count
        }
        progress = step / plan.num_steps
        losses = {
            task: float((1.4 - 0.2 * index) * np.exp(-2.5 * progress) + 0.3 + rng.normal() * 0.05)
            for index, task in enumerate(held)
        }
        near = min((abs(step - at) for at in plan.switches), default=plan.num_steps)
        jump = 4 * np.exp(-near / 3)
        tokens = {task: count * TARGET_TOKENS[task] for task, count in held.items()}
        records.append(
            {
                "step": step + 1,
                "loss": float(np.mean(list(losses.values()))),
                "grad_norm": float((1 + jump + (method == "ads")) * rng.lognormal(0, 0.25)),
                "lr": 1e-4,
                "seconds": 0.21,
                "utterances": plan.batch_size,
                "target_tokens": sum(tokens.values()),
                "input_tokens": plan.batch_size * 120,
                "loss_by_task": losses,
                "utterances_by_task": held,
                "target_tokens_by_task": tokens,
            }
        )
    return records


def scores(method: str, seed: int) -> list[dict[str, Any]]:
    """Make the rows of scores.json."""
    rng = np.random.default_rng([seed, 7, len(method)])
    rows = []
    for task, metrics in METRICS.items():
        for metric, higher, value in metrics:
            shift = EFFECT[method] * (1 if higher else -0.5) + rng.normal() * 0.01
            for group in ("all", *(f"dialect={name}" for name in DIALECTS)):
                own = value + shift + (0 if group == "all" else float(rng.normal() * 0.05))
                wide = 0.02 if group == "all" else 0.06
                rows.append(_score(task, metric, group, own, wide, higher))
        for metric, value in (("blank_rate", 0.01), ("loop_rate", 0.03), ("length_ratio", 1.04)):
            rows.append(_score(task, metric, "all", value, 0.01, higher=False))
    for profile, worse in (("leaderboard-v2", 0.03), ("none", 0.11)):
        for metric in ("wer", "cer"):
            one = _score("asr", metric, "all", 0.3 + worse, 0.02, higher=False)
            rows.append({**one, "profile": profile})
    rows.append(_score("did", "invalid_rate", "all", 0.04, 0.01, higher=False))
    return rows


def comparison_rows(num_seeds: int) -> list[dict[str, Any]]:
    """Make the rows of comparison.json: hybrid wins on did and ser, tpc loses on ser."""
    rows = []
    for task, metrics in METRICS.items():
        for metric, higher, value in metrics:
            for method in METHODS:
                for group in ("all", *(f"dialect={name}" for name in DIALECTS)):
                    shift = EFFECT[method] * (1 if higher else -0.5)
                    kind = _made_up_verdict(task, method, num_seeds)
                    rows.append(
                        {
                            "task": task,
                            "metric": metric,
                            "group": group,
                            "method": method,
                            "num_seeds": num_seeds,
                            "mean": value + shift,
                            "low": value + shift - 0.025,
                            "high": value + shift + 0.025,
                            "difference": shift,
                            "difference_low": shift - 0.03,
                            "difference_high": shift + 0.03,
                            "p_value": 0.03 if kind in ("better", "worse") else 0.4,
                            "verdict": kind,
                        }
                    )
    return rows


def _made_up_verdict(task: str, method: str, num_seeds: int) -> str:
    if num_seeds == 1:
        return "one seed: no verdict"
    if task in ("did", "ser") and method == "hybrid":
        return "better"
    if task == "ser" and method == "tpc":
        return "worse"
    return "no difference shown"


def _write_eval(folder: Path, method: str, seed: int, text: str, is_synthetic: bool) -> None:
    rng = np.random.default_rng([seed, 3])
    labels = {"did": list(DIALECTS), "ser": [*EMOTIONS[:-1], EMOTIONS[-1] + text]}
    _json(
        folder / "scores.json",
        {
            "format_version": 1,
            "split": "test",
            "profile": "leaderboard-v3",
            "synthetic": is_synthetic,
            "scores": scores(method, seed),
            "confusions": {
                task: {"labels": names, "counts": _counts(len(names), rng)}
                for task, names in labels.items()
            },
        },
    )
    rows = [_hypothesis(task, index, method, text) for task in METRICS for index in range(4)]
    parquet.write_table(pa.Table.from_pylist(rows), folder / "hypotheses.parquet")


def _hypothesis(task: str, index: int, method: str, text: str) -> dict[str, Any]:
    label = {"did": "egyptian", "ser": "sad"}.get(task)
    reference = label or f"{SENTENCES[index % len(SENTENCES)]} {text}"
    answer = "" if (method, index) == ("tpc", 3) else label or reference.replace("في", "فى")
    return {
        "id": f"{task}-{index}",
        "task": task,
        "label": label,
        "dialect": DIALECTS[index % len(DIALECTS)],
        "speaker": f"s{index}",
        "source": "made-up",
        "reference": reference,
        "hypothesis": answer,
        "predicted_label": label,
        "label_scores": [0.0, -1.0] if label else [],
        "label_tokens": [3, 4] if label else [],
        "answered_label": label,
        "num_tokens": 12,
        "stopped": True,
    }


def _score(
    task: str, metric: str, group: str, value: float, wide: float, higher: bool
) -> dict[str, Any]:
    return {
        "task": task,
        "metric": metric,
        "group": group,
        "value": value,
        "low": value - wide,
        "high": value + wide,
        "num_utterances": 320 if group == "all" else 60,
        "num_units": 2900,
        "higher_is_better": higher,
        "profile": "leaderboard-v3" if metric in ("wer", "cer") else None,
    }


def _counts(size: int, rng: np.random.Generator) -> list[list[int]]:
    counts = rng.integers(0, 9, (size, size)) + np.diag(rng.integers(20, 60, size))
    return [[int(value) for value in row] for row in counts]


def _label(task: str, rng: np.random.Generator) -> str:
    if task == "did":
        return str(rng.choice(DIALECTS, p=[0.5, 0.25, 0.13, 0.09, 0.03]))
    if task == "ser":
        return str(rng.choice(EMOTIONS, p=[0.6, 0.2, 0.15, 0.05]))
    return "-"


def _json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
