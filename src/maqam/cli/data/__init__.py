"""The commands of `maqam data`."""
