"""The embedded corpus: Arabic speech that is entirely synthetic, made by rule and by seed."""
