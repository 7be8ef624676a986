"""The seam that transformers' audio LLMs share, whatever their family."""
