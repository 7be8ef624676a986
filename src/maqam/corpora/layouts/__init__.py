"""How the files of a corpus are read; `layouts.reading` makes utterances of their rows."""
