"""Maqam's plans against the samplers others train with, on the same rows."""
