"""Maqam: decide which utterances an audio LLM trains on at each step, and measure the effect."""

__version__ = "0.1.0"
