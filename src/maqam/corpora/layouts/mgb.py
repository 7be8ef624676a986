"""The XML of MGB-2: segments of a programme, each with its words."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from maqam.corpora.cards.card import SegmentsXmlPart
from maqam.corpora.layouts.raw import Raw, from_root, raw_row
from maqam.corpora.utterance import Place, Unfit, UnfitRowError, number, shown

_SPEAKER = re.compile(r"speaker(\d+)")


def xml_rows(part: SegmentsXmlPart, root: Path, files: Sequence[Path]) -> Iterator[Raw | Unfit]:
    """Read the segments of all files, a file at a time.

    Args:
        part: The part.
        root: Folder of the corpus.
        files: The files of the part.
    """
    for file in files:
        name, count = from_root(file, root), 0
        try:
            for _, element in ElementTree.iterparse(file):
                if element.tag == "segment":
                    count += 1
                    yield _row(name, count, element, part.most_wmer)
                    element.clear()
        except (ElementTree.ParseError, OSError) as error:
            yield Unfit(Place(name, count + 1), None, "unreadable file", f"no XML: {error}")


def _row(name: str, count: int, element: ElementTree.Element, most_wmer: float) -> Raw | Unfit:
    """Return a segment, named and timed as Lhotse does it."""
    own = element.attrib
    try:
        wmer = number(own.get("WMER"), "WMER")
        if wmer is not None and wmer > most_wmer:
            raise UnfitRowError(f"WMER over {most_wmer:g}", f"its WMER is {wmer:g}")
        if "id" not in own:
            raise UnfitRowError("no id", f"the segment holds {shown(own)}")
    except UnfitRowError as error:
        return Unfit(Place(name, count), own.get("id"), error.kind, error.text)
    speaker = _SPEAKER.search(own.get("who", ""))
    words = (word.text.strip() for word in element.iter("element") if word.text)
    values = {
        "id": own["id"],
        "recording": own["id"].split("_utt")[0].replace("_", "-"),
        "start": own.get("starttime"),
        "end": own.get("endtime"),
        "who": own.get("who"),
        "speaker": speaker[1] if speaker else None,
        "wmer": own.get("WMER"),
        "text": " ".join(word for word in words if word),
    }
    return raw_row(name, count, values)
