"""The commands of `maqam model`."""
