"""Documents and recipes that ship, held to the code."""

import dataclasses
import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from maqam.cli.main import main
from maqam.recipe import Recipe, load_recipe
from maqam.studies.demo import demo_study
from maqam.studies.grid import load_study

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
STUDY = ROOT / "recipes" / "pocket-schedules.yaml"
MIXTURES = ROOT / "recipes" / "pocket-mixtures.yaml"
SCHEDULES = [path for path in RECIPES if not path.name.startswith(("pocket-", "qwen-"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_of_the_source_that_a_document_names_is_there(document: Path) -> None:
    for name in re.findall(r"`((?:src|tests|benchmarks)/[\w./-]+)`", document.read_text("utf-8")):
        assert (ROOT / name).exists(), name


def test_every_page_is_in_the_site() -> None:
    docs = ROOT / "docs"
    trees = re.findall(r"```{toctree}\n(.*?)```", (docs / "index.md").read_text("utf-8"), re.S)
    names = [line for tree in trees for line in tree.splitlines() if line and line[0] != ":"]
    listed = {page for name in names for page in docs.glob(f"{name}.md")}
    assert listed == set(docs.rglob("*.md")) - {docs / "index.md"}


EXTENSIONS = sorted(f"extend/{path.name}" for path in (ROOT / "docs" / "extend").glob("*.md"))


@pytest.mark.parametrize("name", EXTENSIONS)
def test_a_page_about_adding_something_is_short(name: str) -> None:
    assert len((ROOT / "docs" / name).read_text(encoding="utf-8").splitlines()) <= 60


@pytest.mark.parametrize(
    "name",
    [
        "data.md",
        "evaluation.md",
        "import.md",
        "library.md",
        "schedules.md",
        "../README.md",
        *EXTENSIONS,
    ],
)
def test_the_python_of_a_document_runs(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    found: dict[str, Any] = {}
    said = io.StringIO()
    with redirect_stdout(said):
        exec("\n".join(blocks), found)
    if name == "evaluation.md":  # whose text blocks are what its examples print
        assert said.getvalue() == "".join(re.findall(r"```text\n(.*?)```", text, flags=re.DOTALL))
        for command, shown in re.findall(r"```console\n\$ maqam (.*?)\n(.*?)```", text, re.DOTALL):
            assert main(command.split()) == 0
            printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
            wanted = shown.splitlines()  # some of the lines, each as it is printed
            assert wanted == [line for line in printed if line in wanted]
    if name == "../README.md":  # whose text block is what its command prints
        assert main(["plan", "show", "plan"]) == 0
        (shown,) = re.findall(r"```text\n(.*?)```", text, flags=re.DOTALL)
        assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == (
            shown.splitlines()
        )
    if name == "library.md":
        assert found["same"]
        assert len(list(found["loader"])) == found["plan"].num_steps
        assert found["left"] == 6
        assert found["shares"].sum() == pytest.approx(1.0)
        assert found["scores"]["tasks"].keys() == {"asr"}


def keys(value: Any, prefix: str = "") -> Iterator[str]:
    """Return the keys of a settings value, tables opened except for schedules and counts."""
    if isinstance(value, BaseModel):
        names = list(type(value).model_fields)
    else:
        names = [field.name for field in dataclasses.fields(value)]
    for name in names:
        inner = getattr(value, name)
        is_table = isinstance(inner, BaseModel) or dataclasses.is_dataclass(inner)
        if is_table and name != "schedule":
            yield from keys(inner, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_setting_of_a_recipe_is_documented() -> None:
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    names = [name for name in keys(Recipe()) if name != "schedule"]  # its kinds have a table each
    absent = [name for name in names if f"`{name}`" not in text]
    assert not absent


def test_the_four_recipes_differ_in_name_and_schedule_only() -> None:
    recipes = [load_recipe(path) for path in SCHEDULES]
    alike = [recipe.model_dump(exclude={"name", "schedule"}) for recipe in recipes]
    assert len(recipes) == 4
    assert all(one == alike[0] for one in alike)
    assert len({recipe.schedule for recipe in recipes}) == 4


def test_the_study_repeats_the_demo_with_five_seeds() -> None:
    study, demo = load_study(STUDY), demo_study(Path("runs/demo"), seed=0)
    assert len(study.seeds) == 5
    for method, own in demo.methods.items():
        assert study.methods[method] == own
        ours = study.recipe(method, 0).model_dump(exclude={"output", "train"})
        assert ours == demo.recipe(method, 0).model_dump(exclude={"output", "train"})


def test_the_two_by_two_shares_its_base_with_the_schedules() -> None:
    assert load_study(MIXTURES).base == load_study(STUDY).base
    assert len(load_study(MIXTURES).methods) == 4
