"""Checks and counts of manifests: faults, statistics, leaks between splits and test sets."""
