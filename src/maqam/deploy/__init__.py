"""What comes out of a run, for other tools: merged weights, adapters by their names, a server."""
