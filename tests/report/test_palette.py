from maqam.report.palette import label_inks, method_inks, task_inks
from maqam.tasks import default_tasks

TASKS = default_tasks()


def test_a_task_keeps_its_colour_whoever_stands_beside_it():
    assert task_inks(["ssum"], TASKS)[0] == task_inks(["asr", "did", "ssum"], TASKS)[2]


def test_a_method_keeps_its_colour_whoever_stands_beside_it():
    assert method_inks(["hybrid"])["hybrid"] == method_inks(["mine", "hybrid"])["hybrid"]


def test_eight_methods_have_eight_colours():
    names = ["uniform", "tpc", "ads", "hybrid", "p-draw", "p-quota", "b-draw", "b-quota"]
    assert len({ink.colour for ink in method_inks(names).values()}) == 8


def test_more_methods_than_colours_still_have_one_each():
    assert len(method_inks([f"m{index}" for index in range(20)])) == 20


def test_labels_take_shades_of_their_task():
    inks = {ink.name: ink.colour for ink in label_inks(["-", "egyptian", "msa", "sad"], TASKS)}
    assert "--t1" in inks["egyptian"]
    assert "--t1" in inks["msa"]
    assert inks["egyptian"] != inks["msa"]
    assert "--t2" in inks["sad"]
    assert inks["no label"] == "var(--grey)"


def test_a_label_keeps_its_shade_whoever_stands_beside_it():
    assert label_inks(["gulf"], TASKS)[0] == label_inks(["msa", "gulf", "sad"], TASKS)[1]
