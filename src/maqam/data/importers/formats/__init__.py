"""How each format of the field is read; `maqam.data.importers.run` is the entry."""
