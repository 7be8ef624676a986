"""Rows of other trainers as a manifest; `rows.import_rows` is the entry."""
