"""Shared names of dialects and emotions, and the label sets of corpora."""
