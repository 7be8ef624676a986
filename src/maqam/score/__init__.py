"""Hypotheses in, numbers out: no model is needed to score, rescore or compare."""
