"""What the layers of a model hold, and how much of it a linear probe reads."""
