"""An import that kills its own process after 3,000 rows, with parts of 2,048."""

KILLED = """
import os, signal, sys
from pathlib import Path
from maqam.corpora.importing import store
from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings

store._PART_ROWS = 2_048

def die(done, total):
    if done > 3_000:
        os.kill(os.getpid(), signal.SIGKILL)

source, out = map(Path, sys.argv[1:])
import_corpus(source, out, ImportSettings(kind="nemo", task="asr"), num_workers=1, progress=die)
"""
