"""`maqam docs`: pages that are there after an installation, too."""

import tomllib
from pathlib import Path

import pytest

from maqam.cli import docs

from .calls import assert_refused, maqam

ROOT = Path(__file__).parents[2]


def test_all_pages_are_listed_with_their_titles() -> None:
    result = maqam("docs")
    assert result.code == 0
    shown = [line.split()[0] for line in result.out.splitlines()[1:]]
    files = (ROOT / "docs").rglob("*.md")
    assert shown == sorted(f.relative_to(ROOT / "docs").with_suffix("").as_posix() for f in files)


@pytest.mark.parametrize("page", ["data", "data.md", "docs/data.md"])
def test_a_page_is_printed_as_it_stands(page: str) -> None:
    assert maqam("docs", page).out == (ROOT / "docs/data.md").read_text("utf-8")


def test_a_page_of_a_folder_is_found_by_its_last_name() -> None:
    whole, last = maqam("docs", "extend/corpus-card"), maqam("docs", "corpus-card")
    assert whole.out == last.out
    assert "# Add a corpus card" in last.out


def test_a_page_that_is_none_is_answered_with_the_nearest() -> None:
    result = maqam("docs", "imports")
    assert_refused(result, "no page 'imports'")
    assert result.line("hint") == "hint: did you mean 'import'?"


def test_installed_pages_go_before_those_of_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data.md").write_text("# Installed\n", encoding="utf-8")
    monkeypatch.setattr(docs, "_INSTALLED", tmp_path)
    assert maqam("docs", "data").out == "# Installed\n"


def test_the_wheel_takes_the_pages_to_where_they_are_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["sources"]["docs"] == "maqam/docs"
    assert "docs" in wheel["only-include"]
