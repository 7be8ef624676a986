"""One run from recipe to scores: prepared, planned, trained, evaluated."""
