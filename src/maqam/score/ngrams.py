"""Words that answers share with references: ROUGE on Arabic-aware words, BLEU, chrF; novelty.

BLEU is given as counts that add up over utterances, so that it can be resampled.
"""

from collections.abc import Sequence

import numpy as np

from maqam import extras
from maqam.text.tokens import summary_tokens

ORDER = 4  # longest n-gram of BLEU
KINDS = ("rouge_1", "rouge_2", "rouge_l")
_NAMES = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}


class _SummaryTokenizer:
    """Words of `summary_tokens`, as rouge_score asks for them."""

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
    scorer = extras.load("rouge_score.rouge_scorer").RougeScorer(
        list(_NAMES.values()), tokenizer=_SummaryTokenizer()
    )
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
    metric = extras.load("sacrebleu.metrics").CHRF(word_order=word_order)
    pairs = zip(references, hypotheses, strict=True)
    return np.array([metric.sentence_score(b, [a]).score / 100 for a, b in pairs])


def chrf_signature(word_order: int) -> str:
    """Return sacreBLEU's own words for how chrF is computed, its version among them.

    Examples:
        >>> chrf_signature(2).partition("|version")[0]
        'nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no'
    """
    metric = extras.load("sacrebleu.metrics").CHRF(word_order=word_order)
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


def bleu_counts(references: Sequence[str], hypotheses: Sequence[str]) -> np.ndarray:
    """Count what BLEU rests on, one reference an utterance, tokens by sacreBLEU's 13a.

    Args:
        references: What is right.
        hypotheses: What was decoded, in the same order.

    Returns:
        (num_utterances, 10) tokens of the hypothesis and of the reference, then n-grams of orders
        1 to 4 that match, then all of them.

    Examples:
        >>> bleu_counts(["the cat sat"], ["the cat"]).tolist()
        [[2, 3, 2, 1, 0, 0, 2, 1, 0, 0]]
    """
    metric = extras.load("sacrebleu.metrics").BLEU(effective_order=True)
    found = [metric.sentence_score(b, [a]) for a, b in zip(references, hypotheses, strict=True)]
    rows = [(one.sys_len, one.ref_len, *one.counts, *one.totals) for one in found]
    return np.array(rows, dtype=np.int64).reshape(-1, 2 + 2 * ORDER)


def bleu(counts: np.ndarray) -> np.ndarray:
    """Return BLEU in [0, 1] of summed counts, as sacreBLEU's default has it.

    An order without a match counts as 1 / 2^k of its n-grams, k the orders without one so far.

    Args:
        counts: (..., 10) sums of `bleu_counts`.

    Examples:
        >>> said = ["the cat sat on a mat"]
        >>> round(float(bleu(bleu_counts(said, said).sum(axis=0))), 6)
        1.0
    """
    length, wanted = counts[..., 0], counts[..., 1]
    right, total = counts[..., 2 : 2 + ORDER], counts[..., 2 + ORDER :]
    with np.errstate(divide="ignore", invalid="ignore"):
        smoothed = 1 / 2.0 ** np.cumsum(right == 0, axis=-1)
        precision = np.where(right == 0, smoothed, right) / total
        brevity = np.where(length < wanted, np.exp(1 - wanted / length), 1.0)
        score = brevity * np.exp(np.log(precision).mean(axis=-1))
    is_any = (right[..., 0] > 0) & (total > 0).all(axis=-1)
    result: np.ndarray = np.where(is_any, score, 0.0)
    return result


def bleu_signature() -> str:
    """Return sacreBLEU's own words for how BLEU is computed, its version among them.

    Examples:
        >>> bleu_signature().partition("|version")[0]
        'nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp'
    """
    metric = extras.load("sacrebleu.metrics").BLEU()
    metric.corpus_score([""], [[""]])
    return str(metric.get_signature().format())
