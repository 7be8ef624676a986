"""Aligner outputs of a frozen encoder: computed once, stored, pooled and clustered."""
