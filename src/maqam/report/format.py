"""Numbers in words: titles and units of metrics and tasks, which number heads a task."""

from collections.abc import Iterable

from maqam.score.metrics import METRICS
from maqam.tasks import Tasks

FAILURES = tuple(metric.name for metric in METRICS.values() if metric.is_failure)


def task_title(name: str, tasks: Tasks) -> str:
    """Return the name of a task for people.

    Examples:
        >>> from maqam.tasks import default_tasks
        >>> task_title("did", default_tasks()), task_title("keywords", default_tasks())
        ('dialect identification', 'keywords')
    """
    return tasks[name].title if name in tasks else name


def metric_title(name: str) -> str:
    """Return the name of a metric for people.

    Examples:
        >>> metric_title("rouge_l"), metric_title("my_metric"), metric_title("macro_f1_generated")
        ('ROUGE-L', 'my metric', 'macro-F1, generated')
    """
    return METRICS[name].title if name in METRICS else name.replace("_", " ")


def unit(metric: str) -> str:
    """Return the unit a metric is shown in: per cent, or none for a ratio."""
    return METRICS[metric].unit if metric in METRICS else "%"


def is_neutral(metric: str) -> bool:
    """Tell whether neither direction of a metric is better."""
    return metric in METRICS and METRICS[metric].higher_is_better is None


def shown(metric: str, value: float) -> float:
    """Return a number in the unit it is shown in.

    Examples:
        >>> shown("wer", 0.25), shown("length_ratio", 1.1)
        (25.0, 1.1)
    """
    return 100 * value if unit(metric) else value


def amount(metric: str, value: float | None) -> str:
    """Write a number of a metric without its unit.

    Examples:
        >>> amount("wer", 0.2534), amount("length_ratio", 1.1), amount("wer", None)
        ('25.3', '1.10', 'n/a')
    """
    if value is None:
        return "n/a"
    text = f"{100 * value:.1f}" if unit(metric) else f"{value:.2f}"
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


def by_task(pairs: Iterable[tuple[str, str]], tasks: Tasks) -> list[tuple[str, str]]:
    """Order (task, metric) pairs: tasks as they are known, then a task's main metrics first.

    Examples:
        >>> from maqam.tasks import default_tasks
        >>> found = [("did", "accuracy"), ("asr", "cer"), ("did", "macro_f1"), ("asr", "wer")]
        >>> by_task(found, default_tasks())
        [('asr', 'wer'), ('asr', 'cer'), ('did', 'macro_f1'), ('did', 'accuracy')]
    """
    names, metrics = list(tasks), list(METRICS)

    def key(pair: tuple[str, str]) -> tuple[int, str, int, int]:
        task, metric = pair
        main = tasks[task].metrics if task in tasks else ()
        return (
            names.index(task) if task in names else len(names),
            task,
            main.index(metric) if metric in main else len(main),
            metrics.index(metric) if metric in metrics else len(metrics),
        )

    return sorted(dict.fromkeys(pairs), key=key)


def headlines(
    pairs: Iterable[tuple[str, str]], tasks: Tasks, most: int = 2
) -> list[tuple[str, str]]:
    """Return the first metrics of each task, failures left out.

    Examples:
        >>> from maqam.tasks import default_tasks
        >>> found = [("asr", "cer"), ("asr", "wer"), ("asr", "blank_rate")]
        >>> headlines(found, default_tasks(), most=1)
        [('asr', 'wer')]
    """
    found: list[tuple[str, str]] = []
    for task, metric in by_task(pairs, tasks):
        own = sum(1 for other, _ in found if other == task)
        if metric not in FAILURES and own < most:
            found.append((task, metric))
    return found
