"""Why a schedule did what it did: conflict, volatility, probes, transfer, and rules over them."""
