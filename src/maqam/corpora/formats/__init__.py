"""How each format of the field is read; `maqam.corpora.importing.run` is the entry."""
