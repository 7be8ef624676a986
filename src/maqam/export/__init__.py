"""A plan's order for the trainers people already use; `export.export_plan` is the entry."""
