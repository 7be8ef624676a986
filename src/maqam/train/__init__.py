"""Training a backbone by a plan: rows, loss, trainer, phases and their records."""
