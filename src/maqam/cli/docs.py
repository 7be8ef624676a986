"""`maqam docs`: the pages of the documentation, read where the command runs."""

from pathlib import Path
from typing import Annotated

import typer

_INSTALLED = Path(__file__).parents[1] / "docs"
_CHECKOUT = Path(__file__).parents[3] / "docs"


def docs(
    page: Annotated[
        str | None, typer.Argument(help="Page, such as data; all are listed without one.")
    ] = None,
) -> None:
    """List the pages of the documentation, or print one."""
    from maqam.cli import screen
    from maqam.errors import ConfigError
    from maqam.settings_file import nearest

    pages = _pages()
    if page is None:
        rows = [(name, _title(file)) for name, file in pages.items()]
        screen.print_table("", ("page", "about"), rows)
        return
    asked = page.removeprefix("docs/").removesuffix(".md")
    named = [name for name in pages if asked in (name, name.rpartition("/")[2])]
    if not named:
        raise ConfigError(f"no page {page!r}", where="docs", hint=nearest(asked, pages))
    text = pages[named[0]].read_text(encoding="utf-8")
    if screen.stdout.is_terminal:
        with screen.stdout.pager():
            screen.stdout.print(text, markup=False)
    else:
        screen.stdout.print(text, markup=False, end="")


def _pages() -> dict[str, Path]:
    """Return the files of all pages by name."""
    folder = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
    files = sorted(folder.rglob("*.md"))
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}


def _title(file: Path) -> str:
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((line[2:] for line in lines if line.startswith("# ")), file.stem)
