"""Schedules and plans, NumPy only: usable by any trainer, without torch."""

from maqam.schedule.compiler import compile
from maqam.schedule.plan import Plan, Shares, load_plan
from maqam.schedule.pool import Pool
from maqam.schedule.ranks import micro_batches
from maqam.schedule.schedules import (
    Ads,
    Alpha,
    Mixture,
    Schedule,
    Stratified,
    Then,
    Tpc,
    Uniform,
    schedule_as_table,
    schedule_from_table,
)

__all__ = [
    "Ads",
    "Alpha",
    "Mixture",
    "Plan",
    "Pool",
    "Schedule",
    "Shares",
    "Stratified",
    "Then",
    "Tpc",
    "Uniform",
    "compile",
    "load_plan",
    "micro_batches",
    "schedule_as_table",
    "schedule_from_table",
]
