"""From shares to utterances: whole numbers by quota, then which utterances by lottery."""
