"""Schedules and plans, NumPy only: usable by any trainer, without torch."""

from maqam.schedule.compiler import make_plan
from maqam.schedule.dealing.settings import DealSettings, Pick
from maqam.schedule.flow import Flow
from maqam.schedule.kinds.base import Schedule
from maqam.schedule.kinds.compose import Mix, Then
from maqam.schedule.kinds.curricula import Curriculum, Tpc
from maqam.schedule.kinds.custom import Custom
from maqam.schedule.kinds.mixtures import Ads, Alpha, Mixture, Stratified, Uniform, Unimax
from maqam.schedule.plan import Plan, PlanLike, Shares, load_plan
from maqam.schedule.pool import Pool
from maqam.schedule.ranks import micro_batches
from maqam.schedule.sampler import PlanBatchSampler, PlanStepSampler, StepPart
from maqam.schedule.schedules import schedule_as_table, schedule_from_table
from maqam.schedule.switch import Switch

__all__ = [
    "Ads",
    "Alpha",
    "Curriculum",
    "Custom",
    "DealSettings",
    "Flow",
    "Mix",
    "Mixture",
    "Pick",
    "Plan",
    "PlanBatchSampler",
    "PlanLike",
    "PlanStepSampler",
    "Pool",
    "Schedule",
    "Shares",
    "StepPart",
    "Stratified",
    "Switch",
    "Then",
    "Tpc",
    "Uniform",
    "Unimax",
    "load_plan",
    "make_plan",
    "micro_batches",
    "schedule_as_table",
    "schedule_from_table",
]
