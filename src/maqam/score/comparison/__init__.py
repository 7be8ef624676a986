"""Models and methods held against each other."""
