"""Corpora and plans for tests of exports: all tasks, real tones, known steps."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from maqam.data.manifest import Manifest, read_manifest, write_manifest
from maqam.data.pool import pool_from_manifest
from maqam.export.export import ExportSettings, export_plan
from maqam.schedule import DealSettings, Plan, Stratified, make_plan
from tests.factories import make_row, make_tone


def small_plan(manifest: Manifest, *, steps=4, batch_size=4, schedule=None) -> Plan:
    pool = pool_from_manifest(manifest, np.arange(manifest.num_utterances))
    return make_plan(schedule or Stratified(), pool, steps=steps, batch_size=batch_size, seed=3)


def plan_of(steps: list[list[int]], *, unit="rows") -> Plan:
    """Return a plan of exactly these rows."""
    sizes = [len(step) for step in steps]
    return Plan(
        rows=np.array([row for step in steps for row in step], dtype=np.int64),
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
        batch_size=sizes[0],
        deal=asdict(DealSettings(unit=unit)),
        seed=0,
        schedule={"kind": "uniform"},
        pool_fingerprint="",
        stages=((0, "uniform"),),
        switches={},
        shares={},
        notes=(),
    )


def exported(plan, manifest, folder, *, target="jsonl", **settings) -> Path:
    return export_plan(plan, manifest, folder, target=target, settings=ExportSettings(**settings))


def lines(folder: Path) -> list[dict]:
    text = (folder / "schedule.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def meta(folder: Path) -> dict:
    return json.loads((folder / "schedule.meta.json").read_text(encoding="utf-8"))


def segments(folder: Path) -> Manifest:
    """Write one file of two seconds and three rows in it: two segments, one of them twice."""
    make_tone(folder / "long.wav", seconds=2.0)
    rows = [
        make_row(0, task="asr", audios=["long.wav"], start=0.0, seconds=0.5),
        make_row(1, task="asr", audios=["long.wav"], start=1.0, seconds=0.75, target="ب"),
        make_row(2, task="ssum", audios=["long.wav"], start=1.0, seconds=0.75, target="ج"),
        make_row(3, task="asr", audios=["long.wav"], start=0.0, seconds=2.0, target="د"),
    ]
    return read_manifest(write_manifest(rows, folder))
