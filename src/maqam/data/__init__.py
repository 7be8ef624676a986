"""Utterances on disk: manifests, their audio, and the pool that schedules deal from."""
