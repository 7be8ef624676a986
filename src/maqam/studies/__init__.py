"""Runs from recipe to scores, and studies of runs that differ in one thing."""
