"""One streaming core of every import: rows, audio, what is written and what is rejected."""
