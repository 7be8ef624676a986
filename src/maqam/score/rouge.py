"""Overlap of summaries with references and sources: ROUGE on Arabic-aware words, chrF, novelty."""

from collections.abc import Sequence

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer
from sacrebleu.metrics import CHRF

from maqam.text.tokens import summary_tokens

KINDS = ("rouge_1", "rouge_2", "rouge_l")
_NAMES = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}


class _SummaryTokenizer(Tokenizer):  # type: ignore[misc]
    """The words of `summary_tokens`, as rouge_score asks for them."""

    def tokenize(self, text: str) -> list[str]:
        return summary_tokens(text)


def rouge(references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the ROUGE F1 of each summary, in [0, 1].

    Args:
        references: Reference summaries.
        hypotheses: Decoded summaries, in the same order.

    Returns:
        (num_utterances,) by "rouge_1", "rouge_2", "rouge_l".

    Examples:
        >>> rouge(["سافر الرجل إلى مصر"], ["سافر الرجل"])["rouge_1"].round(2).tolist()
        [0.67]
    """
    scorer = RougeScorer(list(_NAMES.values()), tokenizer=_SummaryTokenizer())
    scores = [scorer.score(a, b) for a, b in zip(references, hypotheses, strict=True)]
    return {kind: np.array([one[_NAMES[kind]].fmeasure for one in scores]) for kind in KINDS}


def chrf(
    references: Sequence[str], hypotheses: Sequence[str], *, word_order: int = 0
) -> np.ndarray:
    """Return the chrF2 of each summary, in [0, 1] (sacreBLEU, character order 6).

    Args:
        references: Reference summaries.
        hypotheses: Decoded summaries, in the same order.
        word_order: Longest word n-grams beside the characters: 0 for chrF, 2 for chrF++.

    Examples:
        >>> chrf(["نعم"], ["نعم"]).tolist()
        [1.0]
    """
    metric = CHRF(word_order=word_order)
    pairs = zip(references, hypotheses, strict=True)
    return np.array([metric.sentence_score(b, [a]).score / 100 for a, b in pairs])


def chrf_signature(word_order: int) -> str:
    """Return sacreBLEU's own words for how chrF is computed, its version among them.

    Examples:
        >>> chrf_signature(2).partition("|version")[0]
        'nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no'
    """
    metric = CHRF(word_order=word_order)
    metric.sentence_score("", [""])
    return str(metric.get_signature().format())


def novel_ngrams(
    documents: Sequence[str | None], hypotheses: Sequence[str], size: int
) -> np.ndarray:
    """Count the n-grams of each summary that its source does not hold.

    Args:
        documents: What was summarised; None where that is unknown.
        hypotheses: Decoded summaries, in the same order.
        size: Words of an n-gram, cut as for ROUGE.

    Returns:
        (num_utterances, 2) novel n-grams and all of them, distinct; 0 and 0 without a source.

    Examples:
        >>> novel_ngrams(["سافر الرجل إلى مصر"], ["سافر الرجل أمس"], 2).tolist()
        [[1, 2]]
    """
    counts = []
    for document, hypothesis in zip(documents, hypotheses, strict=True):
        held, said = (_ngrams(text, size) for text in (document or "", hypothesis))
        counts.append((len(said - held), len(said)) if document else (0, 0))
    return np.array(counts, dtype=np.int64).reshape(-1, 2)


def _ngrams(text: str, size: int) -> set[tuple[str, ...]]:
    words = summary_tokens(text)
    return set(zip(*(words[at:] for at in range(size)), strict=False))
