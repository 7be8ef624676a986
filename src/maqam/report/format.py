"""Metrics and tasks in words: titles, units, directions, which number heads a task."""

from collections.abc import Iterable

from maqam.tasks import TASKS

TITLES = {
    "wer": "WER",
    "cer": "CER",
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "balanced_accuracy": "balanced accuracy",
    "weighted_f1": "weighted F1",
    "macro_f1_inventory": "macro-F1 over the inventory",
    "macro_f1_union": "macro-F1 over labels that occur",
    "macro_f1_strings": "macro-F1 over wordings",
    "calibration_error": "calibration error",
    "average_cost": "Cavg",
    "wer_over_one_rate": "WER over 1",
    "wer_worst_dialect": "WER, worst dialect",
    "wer_gap": "WER, gap of the worst",
    "invalid_rate": "invalid answers",
    "invalid_strict": "invalid answers, strict",
    "rouge_1": "ROUGE-1",
    "rouge_2": "ROUGE-2",
    "rouge_l": "ROUGE-L",
    "chrf": "chrF",
    "chrf_plus": "chrF++",
    "novel_1": "novel words",
    "novel_2": "novel bigrams",
    "blank_rate": "blank",
    "loop_rate": "loops",
    "explosion_rate": "far too long",
    "preface_rate": "prefaces",
    "refusal_rate": "refusals",
    "wrong_script_rate": "wrong script",
    "length_ratio": "length ratio",
}
FAILURES = (
    *("blank_rate", "loop_rate", "explosion_rate", "preface_rate", "refusal_rate"),
    *("wrong_script_rate", "invalid_rate", "invalid_strict", "length_ratio"),
)
NEUTRAL = ("length_ratio", "novel_1", "novel_2")
_PLAIN = ("length_ratio", "average_cost")
_PARSED = {"_generated": "generated", "_strict": "generated, strict"}


def task_title(name: str) -> str:
    """Return the name of a task for people.

    Examples:
        >>> task_title("did"), task_title("keywords")
        ('dialect identification', 'keywords')
    """
    return TASKS[name].title if name in TASKS else name


def metric_title(name: str) -> str:
    """Return the name of a metric for people.

    Examples:
        >>> metric_title("rouge_l"), metric_title("my_metric"), metric_title("macro_f1_generated")
        ('ROUGE-L', 'my metric', 'macro-F1, generated')
    """
    for suffix, words in _PARSED.items():
        if name not in TITLES and name.endswith(suffix):
            return f"{metric_title(name.removesuffix(suffix))}, {words}"
    return TITLES.get(name, name.replace("_", " "))


def unit(metric: str) -> str:
    """Return the unit a metric is shown in: per cent, or none for a ratio."""
    return "" if metric in _PLAIN else "%"


def shown(metric: str, value: float) -> float:
    """Return a number in the unit it is shown in.

    Examples:
        >>> shown("wer", 0.25), shown("length_ratio", 1.1)
        (25.0, 1.1)
    """
    return value if metric in _PLAIN else 100 * value


def amount(metric: str, value: float | None) -> str:
    """Write a number of a metric without its unit.

    Examples:
        >>> amount("wer", 0.2534), amount("length_ratio", 1.1), amount("wer", None)
        ('25.3', '1.10', 'n/a')
    """
    if value is None:
        return "n/a"
    text = f"{value:.2f}" if metric in _PLAIN else f"{100 * value:.1f}"
    return text.replace("-", "\N{MINUS SIGN}")


def interval(metric: str, low: float | None, high: float | None) -> str:
    """Write an interval, nothing where there is none.

    Examples:
        >>> interval("wer", 0.2, 0.3), interval("wer", None, None)
        ('[20.0, 30.0]', '')
    """
    if low is None or high is None:
        return ""
    return f"[{amount(metric, low)}, {amount(metric, high)}]"


def by_task(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Order (task, metric) pairs: tasks as they are known, then a task's main metrics first.

    Examples:
        >>> by_task([("did", "accuracy"), ("asr", "cer"), ("did", "macro_f1"), ("asr", "wer")])
        [('asr', 'wer'), ('asr', 'cer'), ('did', 'macro_f1'), ('did', 'accuracy')]
    """
    tasks, metrics = list(TASKS), list(TITLES)

    def key(pair: tuple[str, str]) -> tuple[int, str, int, int]:
        task, metric = pair
        main = TASKS[task].metrics if task in TASKS else ()
        return (
            tasks.index(task) if task in tasks else len(tasks),
            task,
            main.index(metric) if metric in main else len(main),
            metrics.index(metric) if metric in metrics else len(metrics),
        )

    return sorted(dict.fromkeys(pairs), key=key)


def headlines(pairs: Iterable[tuple[str, str]], most: int = 2) -> list[tuple[str, str]]:
    """Return the first metrics of each task, failures left out.

    Examples:
        >>> headlines([("asr", "cer"), ("asr", "wer"), ("asr", "blank_rate")], most=1)
        [('asr', 'wer')]
    """
    found: list[tuple[str, str]] = []
    for task, metric in by_task(pairs):
        own = sum(1 for other, _ in found if other == task)
        if metric not in FAILURES and own < most:
            found.append((task, metric))
    return found
