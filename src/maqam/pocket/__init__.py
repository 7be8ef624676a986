"""Building the pocket backbone."""
