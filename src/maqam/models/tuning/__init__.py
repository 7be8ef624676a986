"""What of the LLM trains in phase "tune": settings and ranks, without torch."""
