"""What watches a phase while it trains: its record, its progress, trackers, diagnostics."""
