"""Maqam: schedule what a multi-task audio LLM hears, and when; measure what that does."""

__version__ = "0.1.0"
