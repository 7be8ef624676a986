"""Runs and studies as one self-contained HTML page, and plans as pictures."""
