import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import CHRF

from maqam.score.ngrams import KINDS, chrf, novel_ngrams, rouge


def f1(overlap, reference, hypothesis):
    precision, recall = overlap / hypothesis, overlap / reference
    return 2 * precision * recall / (precision + recall)


def test_equal_arabic_sentences_score_one_where_googles_tokenizer_gives_zero():
    sentence = "سافر الرجل إلى مصر"
    assert RougeScorer(["rouge1"]).score(sentence, sentence)["rouge1"].fmeasure == 0
    assert [rouge([sentence], [sentence])[kind].tolist() for kind in KINDS] == [[1.0]] * 3


def test_a_worked_example_with_words_left_out():
    scores = rouge(["سافر عمر الى مصر في عام"], ["سافر عمر في عام"])
    assert scores["rouge_1"] == pytest.approx([f1(4, 6, 4)])
    assert scores["rouge_2"] == pytest.approx([f1(2, 5, 3)])
    assert scores["rouge_l"] == pytest.approx([f1(4, 6, 4)])


def test_a_worked_example_with_words_in_another_order():
    scores = rouge(["عمر زار مصر"], ["مصر زار عمر"])
    assert scores["rouge_1"].tolist() == [1.0]
    assert scores["rouge_2"].tolist() == [0.0]
    assert scores["rouge_l"] == pytest.approx([1 / 3])


def test_a_repeated_word_counts_no_oftener_than_in_the_reference():
    scores = rouge(["زار مصر"], ["مصر مصر مصر"])
    assert scores["rouge_1"] == pytest.approx([f1(1, 2, 3)])


def test_words_are_compared_by_stem():
    assert rouge(["زار المدرسة"], ["زار مدرسة"])["rouge_2"].tolist() == [1.0]


def test_digits_and_letters_are_compared_apart():
    assert rouge(["عام 2025م"], ["عام 2025"])["rouge_1"] == pytest.approx([f1(2, 3, 2)])


@pytest.mark.parametrize(
    ("reference", "hypothesis"), [("نعم", ""), ("", "نعم"), ("", ""), ("؟", "!")]
)
def test_an_empty_side_scores_zero(reference, hypothesis):
    assert all(values.tolist() == [0.0] for values in rouge([reference], [hypothesis]).values())


def test_each_summary_has_its_own_score():
    scores = rouge(["زار مصر", "زار مصر"], ["زار مصر", "لا"])
    assert scores["rouge_1"].tolist() == [1.0, 0.0]


def test_chrf_equals_that_of_sacrebleu():
    references = ["سافر الرجل إلى مصر", "نعم", "ذهب الولد إلى البيت"]
    hypotheses = ["سافر رجل من مصر", "لا", ""]
    expected = [
        CHRF(char_order=6, word_order=0, beta=2).sentence_score(b, [a]).score / 100
        for a, b in zip(references, hypotheses, strict=True)
    ]
    found = chrf(references, hypotheses)
    assert found.tolist() == pytest.approx(expected)
    assert 0 < found[0] < 1
    assert np.array_equal(found[1:], [0, 0])


def test_as_many_hypotheses_as_references_are_needed():
    for score in (rouge, chrf):
        with pytest.raises(ValueError, match="shorter"):
            score(["نعم", "لا"], ["نعم"])


def test_chrf_with_words_is_sacrebleus_chrf_plus_plus():
    references, hypotheses = ["سافر الرجل إلى مصر"], ["سافر رجل إلى مصر أمس"]
    expected = CHRF(word_order=2).sentence_score(hypotheses[0], references).score / 100
    assert chrf(references, hypotheses, word_order=2).tolist() == [expected]
    assert chrf(references, hypotheses, word_order=2) != chrf(references, hypotheses)


def test_a_summary_cut_out_of_its_source_has_nothing_novel():
    source = "سافر الرجل إلى مصر ثم عاد"
    counts = novel_ngrams([source, source, None], ["الرجل إلى مصر", "عاد الرجل", "عاد"], 2)
    assert counts.tolist() == [[0, 2], [1, 1], [0, 0]]
    assert novel_ngrams([source], ["عاد الرجل"], 1).tolist() == [[0, 2]]
