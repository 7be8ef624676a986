"""What the README names is there: its commands, its files, its first screen."""

import re
from pathlib import Path

import pytest

from maqam.cli.main import main

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [block.splitlines() for block in re.findall(r"```\w*\n(.*?)```", TEXT, re.S)]
SUBCOMMAND = re.compile(r"[a-z][a-z|]*$")


def commands() -> list[str]:
    """Return every `maqam ...` of the README as the words of a subcommand, options left out."""
    lines = [line for block in BLOCKS for line in block]
    quoted = [*lines, *re.findall(r"`([^`\n]+)`", TEXT)]
    found: set[str] = set()
    for text in quoted:
        for call in re.findall(r"(?:^|\s)maqam ((?:[^\s;]+ ?)+)", text):
            found.update(_subcommands(call.split()))
    return sorted(found)


def _subcommands(words: list[str]) -> list[str]:
    has_second = len(words) > 1 and words[0] in ("data", "plan", "pocket")
    if has_second and SUBCOMMAND.fullmatch(words[1]):
        return [f"{words[0]} {name}" for name in words[1].split("|")]
    return [words[0]]


def tree_paths() -> list[str]:
    """Return every path of the block that says where things live."""
    (block,) = [block for block in BLOCKS if block[0].startswith("src/")]
    found: list[str] = []
    for line in block:
        folder = "src/maqam/" if line.startswith(" ") else ""
        found += [folder + name for name in line.strip().split("  ")[0].split()]
    return found


def named_paths() -> list[str]:
    quoted = re.findall(r"`([\w./-]+/[\w.-]*|[\w-]+\.(?:md|py|yaml|toml))`", TEXT)
    linked = re.findall(r"\]\(([^)#\s]+)[^)]*\)|(?:src|href)=\"([^\"#]+)\"", TEXT)
    local = [path for pair in linked for path in pair if path and "://" not in path]
    return sorted({*quoted, *local, *tree_paths()})


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_readme_exists(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--help"]) == 0
    assert command.split()[-1] in capsys.readouterr().out


@pytest.mark.parametrize("path", named_paths())
def test_every_path_of_the_readme_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_readme_names_every_command_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    listed = capsys.readouterr().out.split("Commands:")[1]
    names = re.findall(r"^ {2}(\w+) ", listed, re.M)
    assert names
    assert set(names) <= {command.split()[0] for command in commands()}


def test_the_first_screen_says_how_to_run_and_how_to_test() -> None:
    screen = TEXT.splitlines()[:40]
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in ("demo", "test"):
        assert any(line.startswith(f"make {word}") for line in screen)
        assert re.search(rf"^{word}:", rules, re.M)
