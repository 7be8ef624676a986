from pathlib import Path

import pytest

from maqam.corpora.cards.card import Card
from maqam.corpora.cards.catalog import all_cards, card_names, read_card
from maqam.corpora.cards.labels import Labels
from maqam.corpora.cards.templates import filled
from maqam.errors import ConfigError
from maqam.yaml_files import parsed

CORPORA = {
    "mgb-2",
    "masc",
    "sada22",
    "casablanca",
    "fleurs",
    "common-voice-ar",
    "qasr",
    "iwslt22-ta",
    "adi-17",
    "adi-20",
    "nadi-2025",
    "madar",
    "ksuemotions",
    "eaed",
    "baved",
    "ravdess",
    "iemocap",
    "xl-sum-ar",
    "mega-ssum",
    "librispeech",
}
OWN = """
name: own
title: Own
language: ar
tasks: [did]
about: Two files.
licence: {name: CC0, basis: seen}
hours: {total: 0.1, note: counted}
obtain: {access: open, where: here}
citation: none
layout_seen: here
labels: {taxonomy: dialect, scheme: adi17}
fields: {id: "{stem}", audio: ["{path}"], label: "{label}"}
parts: [{name: all, kind: names, files: ["*.wav"], pattern: "(?P<label>[A-Z]+)"}]
"""


def test_the_corpora_of_the_field_have_cards_and_those_nobody_documents_have_none() -> None:
    assert set(card_names()) == CORPORA
    assert not {"eyase", "anad", "menaspeechbank", "arab-voices"} & set(card_names())


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_a_card_has_the_name_of_its_file_and_says_where_all_is_known_from(name: str) -> None:
    card = read_card(name)
    assert card.name == name
    for text in (card.licence.name, card.hours.note, card.obtain.where, card.layout_seen):
        assert text.strip()
    assert len({part.name for part in card.parts}) == len(card.parts)


def test_what_is_not_documented_is_unknown_and_not_zero() -> None:
    hours = [card.hours.total for card in all_cards()]
    assert None in hours
    assert all(total is None or total > 0 for total in hours)


def test_a_card_of_ones_own_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN, encoding="utf-8")
    assert read_card(str(file)).title == "Own"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("tasks: [did]", "tasks: [dance]", "no task dance"),
        ("tasks: [did]", "tasks: []", "give tasks, or say in no_task"),
        ("tasks: [did]", "tasks: [ser]", "needs labels of the taxonomy emotion"),
        ("scheme: adi17", "scheme: adi99", "no scheme 'adi99'"),
        ("scheme: adi17", "map: {X: XX}", "no dialect XX"),
        ("kind: names", "kind: smells", "parts.0"),
        ("about: Two files.", "abuot: Two files.", "abuot"),
        ("parts: [", "parts: [] #", "parts"),
    ],
)
def test_a_wrong_card_is_one_error_that_names_the_place(old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"own\.yaml") as caught:
        parsed(OWN.replace(old, new), Card, where="own.yaml")
    assert words in str(caught.value)


def test_no_card_of_that_name_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no card 'eyase'") as caught:
        read_card("eyase")
    assert "sada22" in caught.value.hint
    with pytest.raises(ConfigError, match="the card cannot be read"):
        read_card(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("mgb2", "mgb-2"),
        ("adi17", "adi-17"),
        ("ADI_17", "adi-17"),
        ("common_voice_ar", "common-voice-ar"),
    ],
)
def test_a_near_miss_of_a_name_is_answered_with_the_name(asked: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_card(asked)
    assert caught.value.hint.startswith(f"did you mean {meant!r}?")


def test_a_card_of_a_family_is_one_of_its_configs() -> None:
    card = read_card("fleurs-cmn-hans-cn")
    assert card.parts[0].files[0] == "data/cmn_hans_cn/train.tsv"
    assert (card.name, read_card("fleurs-ar-eg").language) == ("fleurs-cmn-hans-cn", "ar")
    with pytest.raises(ConfigError, match="no card 'fleurs-xx-xx'"):
        read_card("fleurs-xx-xx")


def test_a_template_needs_its_columns_unless_they_may_be_missing() -> None:
    assert filled("{a}-{b?}", {"a": 1, "b": 2}) == "1-2"
    assert filled("{a}-{b?}", {"a": 1}) is None
    assert filled("{a}", {"a": None}) is None
    with pytest.raises(KeyError, match="b"):
        filled("{a}{b}", {"a": 1})


def test_a_part_with_fields_of_its_own_uses_them_and_others_the_cards() -> None:
    card = read_card("mgb-2")
    train, dev, _ = card.parts
    assert card.part_fields(train) is card.fields
    assert card.part_fields(dev).id == "{utterance}"
    assert card.splits == ("train", "dev", "test")


def test_a_card_tells_the_levels_of_its_labels() -> None:
    assert own_labels("madar").levels == ("city", "region")
    assert own_labels("adi-17").levels == ("country",)
    assert own_labels("baved").levels == ("intensity",)


def own_labels(name: str) -> Labels:
    labels = read_card(name).labels
    assert labels is not None
    return labels
