"""Overlap of summaries: ROUGE on Arabic-aware words, chrF on characters."""

from collections.abc import Sequence

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer
from sacrebleu.metrics import CHRF

from maqam.text.tokens import summary_tokens

KINDS = ("rouge_1", "rouge_2", "rouge_l")
_NAMES = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}


class _SummaryTokenizer(Tokenizer):  # type: ignore[misc]
    """Gives rouge_score the words of `summary_tokens`."""

    def tokenize(self, text: str) -> list[str]:
        return summary_tokens(text)


def rouge(references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, np.ndarray]:
    """Give the ROUGE F1 of each summary, in [0, 1].

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


def chrf(references: Sequence[str], hypotheses: Sequence[str]) -> np.ndarray:
    """Give the chrF2 of each summary, in [0, 1] (sacreBLEU, character order 6, no words).

    Examples:
        >>> chrf(["نعم"], ["نعم"]).tolist()
        [1.0]
    """
    metric = CHRF(word_order=0)
    pairs = zip(references, hypotheses, strict=True)
    return np.array([metric.sentence_score(b, [a]).score / 100 for a, b in pairs])
