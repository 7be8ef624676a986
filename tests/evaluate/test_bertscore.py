"""BERTScore by a small BERT with random weights, in the files of a real one."""

import numpy as np
import pytest
import torch
from transformers import BertModel, BertTokenizerFast

from maqam.errors import ModelError, RunError
from maqam.evaluate.bertscore import BertScorer, score_summaries
from tests.bert import make_bert
from tests.score.tables import make_columns


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return make_bert(tmp_path_factory.mktemp("bert"))


def by_hand(folder, reference, hypothesis, layer):
    """The definition, text by text, without batches or padding."""
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    model = BertModel.from_pretrained(folder).eval()
    found = []
    for text in (hypothesis, reference):
        with torch.no_grad():
            ids = tokenizer(text, return_tensors="pt")
            states = model(**ids, output_hidden_states=True).hidden_states[layer][0]
        found.append((states / states.norm(dim=-1, keepdim=True)).numpy())
    ours, theirs = found
    precision = np.mean([max(one @ other for other in theirs) for one in ours[1:-1]])
    recall = np.mean([max(one @ other for other in ours) for one in theirs[1:-1]])
    return precision, recall, 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("layer", [0, 2, 3])
def test_scores_are_those_of_the_definition_whatever_stands_beside(bert, layer):
    references = ["زار الوزير مصر", "سافر الرجل إلى مصر ثم عاد أمس", "عاد"]
    hypotheses = ["الوزير زار مصر أمس", "سافر الرجل", "ثم عاد الرجل إلى مصر"]
    found = BertScorer(bert, layer).score(references, hypotheses)
    for row, reference, hypothesis in zip(found, references, hypotheses, strict=True):
        assert row == pytest.approx(by_hand(bert, reference, hypothesis, layer), abs=1e-5)


def test_equal_texts_score_one_and_empty_ones_nothing(bert):
    found = BertScorer(bert).score(["زار مصر", "زار مصر", ""], ["زار مصر", "", "زار"])
    assert found[0] == pytest.approx(np.ones(3), abs=1e-5)
    assert found[1:].tolist() == [[0, 0, 0]] * 2


def test_a_run_gets_means_with_intervals_and_what_they_depend_on(bert):
    columns = make_columns(
        "tsum", [("زار مصر", "زار مصر"), ("عاد الرجل", "سافر")], speakers=["a", "b"]
    )
    scorer = BertScorer(bert, 2)
    record = score_summaries(columns, scorer)
    f1 = record["tasks"]["tsum"]["f1"]
    assert f1["mean"] == pytest.approx(np.mean(list(record["utterances"].values())))
    assert f1["low"] <= f1["mean"] <= f1["high"]
    assert (record["layer"], record["weights"]) == (2, BertScorer(bert).fingerprint())


def test_what_cannot_be_scored_is_refused(bert, tmp_path):
    with pytest.raises(RunError, match="no summary"):
        score_summaries(make_columns("asr", [("نعم", "نعم")]), BertScorer(bert))
    with pytest.raises(ModelError, match="no layer 9: the model has 3"):
        BertScorer(bert, 9)
    with pytest.raises(ModelError, match="no folder of a checkpoint"):
        BertScorer(tmp_path / "none")
    with pytest.raises(ModelError, match="not readable"):
        BertScorer(tmp_path)
