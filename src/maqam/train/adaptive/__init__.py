"""Schedules that decide while a run trains: probes of the model, decisions and their record."""
