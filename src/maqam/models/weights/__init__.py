"""Weights on the disk: which file holds what, whether all of it fits, and by which names."""
