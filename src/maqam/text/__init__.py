"""Arabic text as the metrics see it: profiles, labels in answers, tokens."""
