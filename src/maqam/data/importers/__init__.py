"""Corpora of other formats as a manifest; `run.import_corpus` is the entry."""
