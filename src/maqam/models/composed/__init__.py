"""Audio LLMs put together from an encoder and an LLM, saved in a form that transformers has."""
