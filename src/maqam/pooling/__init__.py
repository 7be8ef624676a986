"""Manifests to one pool of training data: merged, split, selected from, in memory or on disk."""
