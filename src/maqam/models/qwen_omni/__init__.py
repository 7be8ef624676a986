"""Qwen2.5-Omni's architecture: the released 7B and the pocket."""
