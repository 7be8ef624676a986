"""An import that kills its own process after 18,000 rows."""

KILLED = """
import os, signal, sys
from pathlib import Path
from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings

def die(done, total):
    if done > 18_000:
        os.kill(os.getpid(), signal.SIGKILL)

source, out = map(Path, sys.argv[1:])
import_corpus(source, out, ImportSettings(kind="nemo", task="asr"), num_workers=1, progress=die)
"""
