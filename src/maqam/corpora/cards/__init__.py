"""What is known of corpora: cards with their layouts and licences, and shared names of labels."""
