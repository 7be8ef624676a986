"""The mathematics of schedules that decide while a run trains: NumPy only, no state of its own."""
