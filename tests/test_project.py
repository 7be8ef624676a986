"""What stands beside the code for those who work on it or cite it."""

import re
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
CHANGES = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
RULES = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


def test_the_citation_is_of_this_version():
    assert YAML(typ="safe").load(ROOT / "CITATION.cff")["version"] == VERSION


def test_the_changelog_begins_with_what_is_not_released_and_names_changed_plans():
    first, *released = re.split(r"^## ", CHANGES, flags=re.M)[1:]
    assert first.startswith("[Unreleased]")
    for section in (first, *released):
        assert "### Changed plans" in section
    assert all(re.match(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d\n", one) for one in released)


def test_clean_spares_the_runs():
    _, recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("\nclean:\n")
    assert "runs" not in recipe


@pytest.mark.parametrize(
    "path", [".ci/run", ".github/workflows/check.yml", "CONTRIBUTING.md", "README.md"]
)
def test_every_make_rule_that_is_named_exists(path):
    named = set(re.findall(r"(?:^|`|run: )make (\w+)", (ROOT / path).read_text("utf-8"), re.M))
    assert named
    assert named <= RULES


def test_hosted_and_own_checks_run_the_same():
    own = re.findall(r"^make (\w+)", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.M)
    workflow = YAML(typ="safe").load(ROOT / ".github/workflows/check.yml")
    hosted = [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step]
    assert hosted == [f"make {rule}" for rule in own]
