"""Corpora of other formats as a manifest; `importing.run.import_corpus` is the entry."""
