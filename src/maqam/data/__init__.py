"""Utterances on disk: manifests, audio and its log-mel frames, checks and counts."""
