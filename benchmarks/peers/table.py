"""Tables of what `run` found, as Markdown; in brackets how many times that of `maqam ads`."""

from typing import Any

OURS = "maqam ads"
Record = dict[str, Any]


def significant(value: float) -> str:
    """Write a number with two or three digits.

    Examples:
        >>> significant(0.01234), significant(3.456), significant(123456.0)
        ('0.0123', '3.46', '123,456')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def with_ratio(value: float, ours: float | None) -> str:
    """Write a value and what it is of ours."""
    if ours is None or ours <= 0:
        return significant(value)
    return f"{significant(value)} ({significant(value / ours)})"


def beginning(record: Record) -> str:
    """Write rows and method, and that a figure is no median where it is none."""
    once = ", one round" if record["rounds"] == 1 else ""
    return f"| {record['rows']:,} | {record['peer']}{once} |"


def cost_row(record: Record, ours: Record) -> str:
    """Give one row of the table of costs."""
    start = beginning(record)
    if "why_not" in record:
        return f"{start} {record['why_not']} | | | | | | | |"
    columns = (
        "first_seconds",
        "first_cpu_seconds",
        "batches_per_second",
        "total_seconds",
        "peak_mb",
        "resume_10_seconds",
        "resume_90_seconds",
    )
    cells = [with_ratio(record[name], ours.get(name)) if name in record else "" for name in columns]
    exact = record["resume_10_exact"] and record["resume_90_exact"]
    return " | ".join([start[:-2], *cells, "yes" if exact else "no"]) + " |"


def balance_row(record: Record) -> str:
    """Give one row of the table of balance."""
    start = beginning(record)
    if "clusters_mean" not in record:
        return f"{start} {record['why_not']} | | | | | |"
    return (
        f"{start} {record['clusters_mean']:.1f}, {record['clusters_min']} | "
        f"{record['minority_labels_mean']:.2f}, {record['minority_labels_min']} | "
        f"{record['task_rows_min']} | {record['rows_repeated']:,} | "
        f"{record['rows_never_seen']:,} | {record['repeats_in_a_batch']:,} |"
    )


def print_tables(records: list[Record]) -> None:
    """Print the table of costs, then that of balance."""
    print("| rows | method | first batch, s | in CPU s | batches/s | all steps, s ", end="")
    print("| peak, MB | resume at 10 %, s | at 90 %, s | same batch |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    ours = {one["rows"]: one for one in records if one["peer"] == OURS}
    for record in records:
        print(cost_row(record, ours.get(record["rows"], {})))
    print()
    print("| rows | method | clusters: mean, min | minority labels of 8: mean, min ", end="")
    print("| fewest rows of a task | rows repeated | never seen | twice in a batch |")
    print("|---|---|---|---|---|---|---|---|")
    for record in records:
        print(balance_row(record))
