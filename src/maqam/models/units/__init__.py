"""Audio LLMs that hear discrete units: encoder frames in clusters, each a token of the LLM."""
