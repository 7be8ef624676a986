"""How the files of a corpus are read; `maqam.data.cards.reading` makes utterances of their rows."""
