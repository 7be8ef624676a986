"""Lexicon, morphology, grammar and phonology: the words and sounds of the varieties."""

import re

import numpy as np
import pytest

from maqam.synth.grammar import Speaker, make_sentence
from maqam.synth.lexicon import read_lexicon
from maqam.synth.morphology import number_words, plain, present, verb
from maqam.synth.phonology import pronounce, to_variety
from maqam.tasks import default_tasks

DIALECTS = default_tasks()["did"].labels


def test_the_lexicon_holds_1500_distinct_words():
    words = [word for group in read_lexicon().groups.values() for word in group]
    assert len({plain(word.form) for word in words}) >= 1500


def test_every_arabic_form_is_diacritised_arabic():
    for group, words in read_lexicon().groups.items():
        for word in words:
            forms = [word.second, *word.variants.values()]
            forms += [] if group == "english" else [word.form]
            assert all(re.fullmatch("[ء-ي\u064b-\u0652 ]*", form) for form in forms), word


@pytest.mark.parametrize(
    ("tense", "variety", "said"),
    [
        ("past", "msa", "كتب"),
        ("present", "levantine", "بيكتب"),
        ("future", "egyptian", "هيكتب"),
        ("future", "gulf", "راح يكتب"),
        ("not", "msa", "لا يكتب"),
        ("not", "maghrebi", "ما كيكتبش"),
        ("never", "gulf", "ما كتب"),
        ("bare", "msa", "يكتب"),
    ],
)
def test_verbs_follow_their_variety(tense, variety, said):
    assert plain(verb(("كَتَبَ", "يَكْتُب"), tense, "3m", variety)) == said


def test_the_first_person_of_maghrebi_begins_with_n():
    assert plain(present("يَكْتُب", "1", "maghrebi")) == "كنكتب"


def test_numbers_are_spelled_out():
    names = read_lexicon().number_names("msa")
    assert plain(number_words(10, names)) == "عشرة"
    assert plain(number_words(13, names)) == "ثلاثة عشر"
    assert plain(number_words(2345, names)) == "ألفين وثلاث مئة وخمسة وأربعين"


@pytest.mark.parametrize(
    ("variety", "expected"),
    [
        ("msa", "q dZ T D"),
        ("egyptian", "? g t d"),
        ("levantine", "? Z; t d"),
        ("gulf", "g j T D"),
        ("maghrebi", "q Z; ts d"),
    ],
)
def test_the_marked_consonants_of_a_variety(variety, expected):
    assert to_variety(["q", "dZ", "T", "D"], variety) == expected.split()


def test_a_sun_letter_takes_the_article_in():
    assert pronounce([("الشَّمْس", False)], "msa") == "?aSS'ams"
    assert pronounce([("القَمَر", False)], "levantine") == "?il?'amaR"


def test_an_adjective_agrees_in_gender_and_article():
    said = Speaker("msa", np.random.default_rng(0)).say("O:n.thing=car adjthing=big@O")
    assert said.text == "السيارة الكبيرة"


def test_the_same_meaning_has_other_words_in_every_variety():
    pattern = "f=what f=want_he n.person=manager f=now"
    said = {Speaker(name, np.random.default_rng(0)).say(pattern).text for name in DIALECTS}
    assert len(said) == 5


def test_what_is_not_msa_leaves_out_what_only_msa_says():
    speaker = Speaker("gulf", np.random.default_rng(0))
    assert "أن" not in speaker.say("f=want_m msa:أَن vt=sell.bare@I n.thing").text.split()


def test_one_letter_words_join_the_next():
    speaker = Speaker("maghrebi", np.random.default_rng(0))
    assert speaker.say("f=to n.place=house").text == "للبيت"


def test_english_is_written_in_latin_letters_and_spoken_with_arabic_sounds():
    token = Speaker("msa", np.random.default_rng(0)).say("english=laptop").tokens[0]
    assert (token.text, token.foreign) == ("laptop", True)
    assert pronounce([(token.spoken, True)], "egyptian") == "la:bt'u:b"


def test_a_thousand_sentences_are_nearly_all_distinct():
    rng = np.random.default_rng(0)
    assert len({make_sentence("msa", rng).text for _ in range(1000)}) > 980
