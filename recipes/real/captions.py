"""Captions of Tux Paint's stamps, read aloud: from Debian's package to a list for an import.

`captions.py fetch URL SHA256 PACKAGE.deb` downloads the package, and keeps none that is another;
`captions.py unpack PACKAGE.deb FOLDER` unpacks it without root on any system;
`captions.py list STAMPS -o captions.jsonl` writes one line for each caption that is read aloud.
Nothing is left out in silence: a caption without a transcript is a line, too, which the import
rejects and counts; recordings of other languages are counted here.
"""

import argparse
import hashlib
import io
import json
import re
import shutil
import sys
import tarfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from maqam.files import whole_file, whole_folder

LANGUAGES = {
    "be": "belarusian",
    "bg": "bulgarian",
    "ca": "catalan",
    "da": "danish",
    "el": "greek",
    "es": "spanish",
    "fr": "french",
    "ro": "romanian",
    "ru": "russian",
}
STAMPS = "usr/share/tuxpaint/stamps"
_RECORDING = re.compile(r"(?P<stamp>.+)_desc(?:_(?P<code>\w+))?(?:\.(?:ogg|wav))+")
_CAPTION = re.compile(r"(?P<code>[A-Za-z_]+(?:@\w+)?)(?:\.[\w-]+)?=(?P<text>.*)")
_MEMBER = 60  # bytes of the header of a member of an ar archive


def fetch(address: str, sha256: str, package: Path) -> None:
    """Download a file, unless it is there already.

    Args:
        address: Where it is.
        sha256: Hash it must have, in hexadecimal digits.
        package: Where it goes.

    Raises:
        SystemExit: If it cannot be had, or is another file.
    """
    if package.is_file() and _hash(package) == sha256:
        return
    try:
        with urlopen(address, timeout=60) as source, whole_file(package) as draft:
            with draft.open("wb") as file:
                shutil.copyfileobj(source, file)
            if _hash(draft) != sha256:
                sys.exit(f"{address}: not the file that was meant; its hash is {_hash(draft)}")
    except (OSError, ValueError) as error:
        sys.exit(f"{address}: {error}; give a mirror with DEBIAN=https://.../debian")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(package: Path, folder: Path) -> None:
    """Write the stamps of a Debian package to a folder, whole or not at all.

    Raises:
        SystemExit: If the file is no Debian package, or holds no stamps.
    """
    with whole_folder(folder) as draft:
        with tarfile.open(fileobj=io.BytesIO(_data_of(package))) as data:
            members = [one for one in data if one.name.removeprefix("./").startswith(STAMPS)]
            data.extractall(draft, members, filter="data")
        if not members:
            sys.exit(f"{package}: no {STAMPS} in it; give tuxpaint-stamps-default")


def _data_of(package: Path) -> bytes:
    """Read the archive of files in a Debian package, which is an ar archive."""
    content = package.read_bytes()
    place = 8
    if content[:place] == b"!<arch>\n":
        while len(header := content[place : place + _MEMBER]) == _MEMBER:
            place += _MEMBER
            size = int(header[48:58])
            if header.startswith(b"data.tar"):
                return content[place : place + size]
            place += size + size % 2
    sys.exit(f"{package}: no Debian package; download it anew")


def captions_of(text: str) -> dict[str, str]:
    r"""Return the captions of a stamp by language: English in the first line, then `xx.utf8=...`.

    Examples:
        >>> captions_of("A cat.\nar.utf8=.قطة\nfr.utf8=Un chat.\nel.utf8=\n")
        {'en': 'A cat.', 'ar': '.قطة', 'fr': 'Un chat.'}
    """
    first, *others = text.splitlines() or [""]
    captions = {"en": first.strip()}
    for line in others:
        if found := _CAPTION.fullmatch(line):
            captions[found["code"]] = found["text"].strip()
    return {code: caption for code, caption in captions.items() if caption}


def groups_of(stamps: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Group stamps so that no caption stands in two groups, be it in two languages.

    Args:
        stamps: Captions by language, by stamp.

    Returns:
        The group of each stamp, named by its first stamp.

    Examples:
        >>> groups_of({"a": {"fr": "Un chat."}, "b": {"fr": "un chat"}, "c": {"fr": "Un chien."}})
        {'a': 'a', 'b': 'a', 'c': 'c'}
    """
    parents: dict[Any, Any] = {}

    def root(one: object) -> Any:  # noqa: ANN401  a stamp, or (caption,)
        while (above := parents.setdefault(one, one)) != one:
            one = above
        return one

    for stamp in stamps:
        for caption in stamps[stamp].values():
            parents[root((_plain(caption),))] = root(stamp)
    first: dict[Any, str] = {}
    return {stamp: first.setdefault(root(stamp), stamp) for stamp in stamps}


def _plain(caption: str) -> str:
    """Return the letters of a caption, whatever its case, accents of any form, and punctuation."""
    composed = unicodedata.normalize("NFKC", caption).casefold()
    return " ".join(re.findall(r"\w+", composed)) or composed


def recordings(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Find what is read aloud: each file, its stamp and the code of its language, in order."""
    for path in sorted(folder.rglob("*_desc*")):
        if found := _RECORDING.fullmatch(path.name):
            stamp = (path.parent / found["stamp"]).relative_to(folder).as_posix()
            yield path, stamp, found["code"] or "en"


def rows_of(folder: Path) -> tuple[list[dict[str, Any]], Counter[str]]:
    """List the captions that are read aloud.

    Args:
        folder: The stamps, in folders of subjects.

    Returns:
        A row for each caption of one of the nine languages, and the number of recordings of each
        other language. `group` keeps equal captions together; `draw`, in [0, 1), is drawn by it.
    """
    texts = {
        path.relative_to(folder).with_suffix("").as_posix(): captions_of(
            path.read_text(encoding="utf-8", errors="replace")
        )
        for path in sorted(folder.rglob("*.txt"))
    }
    heard = list(recordings(folder))
    texts |= {stamp: {} for _, stamp, _ in heard if stamp not in texts}
    groups = groups_of({stamp: _held(texts[stamp]) for stamp in texts})
    rows = []
    for path, stamp, code in heard:
        if code in LANGUAGES:
            rows.append(
                {
                    "id": f"{stamp}_{code}",
                    "audio": path.relative_to(folder).as_posix(),
                    "spoken": LANGUAGES[code],
                    "text": texts[stamp].get(code),
                    "arabic": texts[stamp].get("ar"),
                    "group": groups[stamp],
                    "draw": _draw(groups[stamp]),
                }
            )
    return rows, Counter(code for _, _, code in heard if code not in LANGUAGES)


def _held(captions: Mapping[str, str]) -> dict[str, str]:
    """Return the captions that are targets: those of the nine languages and the Arabic one."""
    return {code: one for code, one in captions.items() if code in LANGUAGES or code == "ar"}


def _draw(group: str) -> float:
    digest = hashlib.blake2b(group.encode(), digest_size=6).digest()
    return round(int.from_bytes(digest, "big") / 2**48, 4)


def write_list(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write rows as JSON lines, whole or not at all."""
    with whole_file(path) as draft, draft.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def main(arguments: list[str] | None = None) -> None:
    """Run one of the three commands."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", help="download the package of Debian")
    fetching.add_argument("address")
    fetching.add_argument("sha256")
    fetching.add_argument("package", type=Path)
    unpacking = commands.add_parser("unpack", help="unpack the package of Debian")
    unpacking.add_argument("package", type=Path)
    unpacking.add_argument("folder", type=Path)
    listing = commands.add_parser("list", help="list the captions that are read aloud")
    listing.add_argument("stamps", type=Path)
    listing.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    if given.command == "fetch":
        fetch(given.address, given.sha256, given.package)
        return
    if given.command == "unpack":
        unpack(given.package, given.folder)
        return
    rows, others = rows_of(given.stamps)
    if not rows:
        sys.exit(f"{given.stamps}: no captions; give the folder {STAMPS}")
    write_list(rows, given.output)
    named = ", ".join(f"{count} {code}" for code, count in sorted(others.items()))
    print(f"{len(rows)} captions of {len(LANGUAGES)} languages in {given.output}")
    print(f"recordings of other languages, left out: {named or 'none'}")
    print(f"without transcript: {sum(not row['text'] for row in rows)}, which the import rejects")


if __name__ == "__main__":
    main()
