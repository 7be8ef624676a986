"""What the schedules beyond the paper's four deal, on pools small enough to count by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

from maqam.errors import ScheduleError
from maqam.schedule import (
    Ads,
    Alpha,
    Curriculum,
    Custom,
    Flow,
    Mix,
    Mixture,
    Pool,
    Schedule,
    Stratified,
    Switch,
    Then,
    Tpc,
    Uniform,
    Unimax,
    make_plan,
    schedule_as_table,
    schedule_from_table,
)
from maqam.schedule.kinds.base import Stage
from maqam.schedule.kinds.mixtures import unimax_shares

SIZES = {"asr": 600, "did": 90, "ser": 10}


def pool() -> Pool:
    tasks = [task for task, size in SIZES.items() for _ in range(size)]
    seconds = np.random.default_rng(0).permutation(len(tasks)) + 1.0
    labels = [f"{task}{index % 2}" for index, task in enumerate(tasks)]
    return Pool.from_columns({"task": tasks, "label": labels}, values={"seconds": seconds})


def dealt(schedule: Schedule, steps: int = 20, batch_size: int = 20) -> np.ndarray:
    """Return the utterances of each task and step, (steps, 3)."""
    return (
        make_plan(schedule, pool(), steps=steps, batch_size=batch_size, seed=0)
        .shares["task"]
        .counts
    )


def test_a_temperature_is_the_alpha_it_stands_for() -> None:
    assert np.array_equal(dealt(Alpha(temperature=4.0)), dealt(Alpha(alpha=0.25)))
    assert Alpha(temperature=4.0).stages(pool())[0].name == "alpha 0.25 (temperature 4)"


def test_alpha_takes_any_column() -> None:
    plan = make_plan(Alpha(alpha=0.0, axis="label"), pool(), steps=3, batch_size=12, seed=0)
    assert (plan.shares["label"].counts == 2).all()


def test_unimax_caps_the_small_and_equals_the_rest() -> None:
    counts = dealt(Unimax(epochs=2.0), steps=20, batch_size=20).sum(axis=0)
    assert counts.tolist() == [200, 180, 20]  # 400 in all: ser 2 x 10, did 2 x 90, asr the rest


@pytest.mark.parametrize("epochs", [1.0, 3.5, 1e9])
def test_unimax_fills_its_budget_within_the_caps(epochs: float) -> None:
    held = np.array([5.0, 40.0, 400.0])
    budget = min(300.0, epochs * held.sum())
    shares = unimax_shares(held, budget, epochs) * budget
    assert shares.sum() == pytest.approx(budget)
    assert (shares <= epochs * held + 1e-9).all()
    free = shares < epochs * held - 1e-9
    assert np.ptp(shares[free]) < 1e-9 if free.any() else True


def test_unimax_refuses_a_budget_that_its_caps_cannot_fill() -> None:
    with pytest.raises(ScheduleError, match="1 epochs of the pool are 700, the plan deals 1000"):
        dealt(Unimax(epochs=1.0), steps=50, batch_size=20)


def test_a_curriculum_deals_the_easiest_first_and_all_in_the_end() -> None:
    found = pool()
    schedule = Curriculum(start=0.1, until=0.5, power=1.0)
    plan = make_plan(schedule, found, steps=100, batch_size=10, seed=0)
    seconds = found.values["seconds"]
    longest = np.array([seconds[plan.batch(step)].max() for step in range(100)])
    reach = np.array([schedule.competence(step / 100) for step in range(100)])
    bin_width = 700 / schedule.num_bins
    assert (longest <= np.ceil(reach * schedule.num_bins) * bin_width + 1).all()
    assert longest[:5].max() < 150
    assert longest[50:].max() > 650


def test_a_curriculum_by_a_measure_that_some_rows_lack_is_refused() -> None:
    seconds = np.array([1.0, np.nan, 2.0, np.inf])
    found = Pool.from_columns({"task": ["asr"] * 4}, values={"seconds": seconds})
    with pytest.raises(ScheduleError, match="2 utterances have no finite seconds: rows 1, 3"):
        make_plan(Curriculum(), found, steps=1, batch_size=2, seed=0)


def test_a_reversed_curriculum_begins_with_the_hardest() -> None:
    plan = make_plan(Curriculum(reverse=True), pool(), steps=100, batch_size=5, seed=0)
    assert pool().values["seconds"][plan.batch(0)].min() > 600


def test_bins_within_a_task_give_every_task_its_part_from_the_start() -> None:
    counts = dealt(Curriculum(within="task", num_bins=4, start=0.3), steps=20, batch_size=35)
    assert (np.abs(counts - 35 * np.array([600, 90, 10]) / 700) <= 2).all()


def test_ads_nests_over_any_columns() -> None:
    plan = make_plan(Ads(axes=("label", "seconds/3")), pool(), steps=4, batch_size=18, seed=0)
    assert (plan.shares["label"].counts == 3).all()
    assert (plan.shares["seconds/3"].counts == 6).all()


def test_a_power_of_one_keeps_the_sizes_of_the_last_axis() -> None:
    counts = make_plan(Ads(axes=("task",), power=1.0), pool(), steps=10, batch_size=70, seed=0)
    assert counts.shares["task"].counts.sum(axis=0).tolist() == [600, 90, 10]


def test_a_mix_adds_up_its_parts() -> None:
    equal, uniform = Alpha(alpha=0.0), Uniform()
    mixed = dealt(Mix(uniform, equal, weight=0.4), steps=50, batch_size=30).sum(axis=0) / 1500
    wanted = 0.6 * np.array([600, 90, 10]) / 700 + 0.4 / 3
    assert mixed == pytest.approx(wanted, abs=1e-3)


def test_a_mix_of_one_part_alone_is_that_part() -> None:
    alone = make_plan(Ads(("task", "label")), pool(), steps=9, batch_size=10, seed=3)
    mixed = make_plan(
        Mix(Uniform(), Ads(("task", "label")), 1.0), pool(), steps=9, batch_size=10, seed=3
    )
    assert mixed.fingerprint == alone.fingerprint


def test_a_mix_has_a_stage_for_every_change_of_a_part() -> None:
    stages = Mix(Then(Uniform(), Stratified(), at=0.25), Alpha()).stages(pool())
    assert [(stage.start, stage.name) for stage in stages] == [
        (0.0, "uniform & alpha 0.5"),
        (0.25, "stratified & alpha 0.5"),
    ]
    assert stages[1].switch == Switch()


def test_then_nests_to_any_depth() -> None:
    inner = Then(Alpha(alpha=0.0), Uniform(), at=0.5)
    counts = dealt(Then(inner, Tpc(groups=(("ser",),)), at=0.5), steps=20, batch_size=9)
    assert (counts[:5] == 3).all()
    assert (counts[10:] == [0, 0, 9]).all()


def test_stages_of_tasks_that_are_not_known_are_asked_for() -> None:
    found = Pool.from_columns({"task": ["asr", "captions", "captions", "music"]})
    with pytest.raises(ScheduleError, match="no stage is known for task 'captions' or 'music'"):
        make_plan(Tpc(), found, steps=2, batch_size=1, seed=0)
    named = Tpc(groups=(("music",), ("asr", "captions")))
    assert make_plan(named, found, steps=2, batch_size=1, seed=0).stages[0] == (0, "music")


def test_a_switch_is_marked_with_how_it_is_eased() -> None:
    schedule = Then(Uniform(), Alpha(), at=0.3, dip="linear", dip_steps=7, beta2=0.9)
    plan = make_plan(schedule, pool(), steps=10, batch_size=10, seed=0)
    assert dict(plan.switches) == {3: Switch("linear", 7, 0.9)}


def test_the_adam_dip_undoes_what_a_stale_moment_adds() -> None:
    rates = np.array([Switch("adam").rate(step, 0.9, 0.999) for step in range(5000)])
    taken = np.arange(1, 5001)
    longest = (1 - 0.9**taken) / np.sqrt(1 - 0.999**taken)
    assert (rates * longest <= 1 + 1e-9).all()
    assert longest.max() == pytest.approx(6.5, abs=0.1)
    assert rates[-1] == pytest.approx(1.0, abs=0.01)


MODULE = """
import numpy as np

def rare_first(cells, progress, strength=1.0):
    return cells.sizes ** (strength * (2 * progress - 1))

def broken(cells, progress):
    return np.full(cells.num_cells, -1.0)

def unsure(cells, progress):
    return np.full(cells.num_cells, np.nan)

def empty(cells, progress):
    return np.zeros(cells.num_cells)

def short(cells, progress):
    return [1.0]

def failing(cells, progress):
    raise KeyError("nothing here")
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(MODULE, encoding="utf-8")
    return path


def test_a_function_of_the_users_decides_the_shares(module: Path) -> None:
    counts = dealt(Custom(f"{module}:rare_first", settings={"strength": 2.0}))
    assert counts[0].argmax() == 2
    assert counts[-1].argmax() == 0


def test_a_function_is_found_by_the_path_of_its_module(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(module.parent))
    monkeypatch.delitem(sys.modules, "own", raising=False)
    named = dealt(Custom("own:rare_first"))
    assert np.array_equal(named, dealt(Custom(f"{module}:rare_first")))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "own.py:broken, progress 0.000: 3 of 3 shares are negative"),
        ("unsure", "3 of 3 shares are not finite"),
        ("empty", "no cell of the pool has any share"),
        ("short", "3 cells need 3 shares, got an array of shape"),
        ("failing", "fails at progress 0.000: KeyError: 'nothing here'"),
        ("absent", "cannot be imported: AttributeError"),
    ],
)
def test_a_function_that_does_not_serve_is_refused(module: Path, name: str, words: str) -> None:
    with pytest.raises(ScheduleError, match=words):
        dealt(Custom(f"{module}:{name}"))


@pytest.mark.parametrize("function", ["own", "own:", ":shares", "own:not-a-name"])
def test_a_function_needs_a_module_and_a_name(function: str) -> None:
    with pytest.raises(ValueError, match="must be module:name"):
        Custom(function)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"kind": "alpha", "alpha": 0.5, "temperature": 2.0}, "give one of them"),
        ({"kind": "alpha", "temperature": 0.5}, "temperature must be >= 1"),
        ({"kind": "unimax", "epochs": 0}, "epochs must be above 0"),
        ({"kind": "ads", "axes": "task"}, "axes must be a list"),
        ({"kind": "ads", "axes": []}, "must name a column"),
        ({"kind": "ads", "power": 2}, "power must lie in"),
        ({"kind": "curriculum", "start": 0}, "start must lie in"),
        ({"kind": "curriculum", "until": 2}, "until must lie in"),
        ({"kind": "curriculum", "power": 0}, "power must be above 0"),
        ({"kind": "curriculum", "num_bins": 1}, "num_bins must be at least 2"),
        (
            {"kind": "mix", "first": {"kind": "ads"}, "second": {"kind": "uniform"}, "weight": 2},
            "weight",
        ),
        (
            {"kind": "then", "first": {"kind": "ads"}, "second": {"kind": "ads"}, "dip": "deep"},
            "dip",
        ),
        (
            {"kind": "then", "first": {"kind": "ads"}, "second": {"kind": "ads"}, "dip_steps": 0},
            "dip_",
        ),
        (
            {"kind": "then", "first": {"kind": "ads"}, "second": {"kind": "ads"}, "beta2": 1},
            "beta2",
        ),
        ({"kind": "then", "first": {"kind": "ads"}}, "then: .*second"),
        ({"kind": "custom"}, "custom: .*function"),
    ],
)
def test_settings_that_do_not_hold_are_refused(table: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        schedule_from_table(table)


@pytest.mark.parametrize(
    "schedule",
    [
        Alpha(temperature=2.0),
        Unimax(epochs=3.0),
        Stratified(axes=("task", "seconds/4")),
        Curriculum(by="snr", reverse=True),
        Ads(axes=("label", "task")),
        Mix(Then(Tpc(), Ads()), Mixture()),
        Custom("own:shares", axes=("task", "label"), settings={"a": 1}),
    ],
)
def test_a_table_gives_back_the_schedule(schedule: Schedule) -> None:
    assert schedule_from_table(schedule_as_table(schedule)) == schedule


class Late:
    """A schedule of a user's own, which moves from the first task to the second."""

    def flow(self, pool: Pool, budget: float) -> Flow:
        return Flow(("task",), lambda cells, progress: np.array([1 - progress, progress]))

    def stages(self, pool: Pool) -> list[Stage]:
        return [Stage(0.0, "late")]

    kind = "late"


def two_tasks() -> Pool:
    return Pool.from_columns({"task": ["asr"] * 60 + ["did"] * 60})


def second_task(rule: Late | Flow | Then, steps: int, batch_size: int) -> list[int]:
    plan = make_plan(rule, two_tasks(), steps=steps, batch_size=batch_size, seed=0)
    return plan.shares["task"].counts[:, 1].tolist()


def test_a_flow_that_moves_needs_no_key_to_move() -> None:
    assert second_task(Late().flow(two_tasks(), 40.0), 4, 8) == [0, 2, 4, 6]


def test_an_object_that_makes_a_flow_is_a_schedule() -> None:
    assert second_task(Late(), 4, 8) == [0, 2, 4, 6]


def test_then_runs_each_part_over_its_own_stretch() -> None:
    # steps 0 and 1 of 8 are the first's, at 0 and 1/2 of its course; the other six the
    # second's, at 0, 1/6 ... 5/6 of its own
    assert second_task(Then(Late(), Late(), at=0.25), 8, 6) == [0, 3, 0, 1, 2, 3, 4, 5]


def test_what_fades_in_is_at_its_own_progress() -> None:
    # at 1/2, fading from 1/4 to 3/4: the first runs over 6 of 8 steps, the second over the last 6,
    # the weight of the second is 0, 0, 0, 1/4, 1/2, 3/4, 1, 1. Of 24: the first's parts of did
    # are 0, 4, 8, 12, 16, 20, the second's from step 2 on 0, 4, 8, 12, 16, 20
    counts = second_task(Then(Late(), Late(), at=0.5, anneal=0.5), 8, 24)
    assert counts == [0, 4, 8, 10, 12, 14, 16, 20]


def test_what_is_no_schedule_is_refused() -> None:
    with pytest.raises(TypeError, match="a schedule is a Flow or an object with flow"):
        make_plan("tpc", two_tasks(), steps=1, batch_size=2, seed=0)  # type: ignore[arg-type]

    class Wrong:
        def flow(self, pool: Pool, budget: float) -> list[float]:
            return [1.0]

    with pytest.raises(TypeError, match="flow of Wrong must return a Flow, got list"):
        make_plan(Wrong(), two_tasks(), steps=1, batch_size=2, seed=0)  # type: ignore[arg-type]
