"""What is asked of runs that were scored already."""
