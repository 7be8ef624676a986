"""Plain JSON lines in the plan's order, each with its step, for any trainer that can group by it.

The only target that takes steps of different sizes; it comes without a launch command.
"""

from collections.abc import Mapping

from maqam.export.parts import Launch, Target


def _files(launch: Launch) -> Mapping[str, str]:
    return {}


TARGET = Target(
    title="JSON lines",
    sharding=None,
    is_parquet=False,
    takes_weights=True,
    text_rows=None,
    extra_columns=("step",),
    tags=("<audio>",),
    reads_tokens=False,
    files=_files,
)
