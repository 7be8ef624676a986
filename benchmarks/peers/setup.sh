#!/bin/sh
# Makes a venv with the peers: sh benchmarks/peers/setup.sh FOLDER
# Maqam itself is imported from src (PYTHONPATH=src); its schedules need NumPy alone.
# datasets is not pinned: streaming 0.13.0 asks for a transformers that datasets 5.2.0 refuses.
set -eu
folder=${1:?name the folder of the new venv}
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet \
    numpy torch==2.13.0 lhotse==1.33.0 mosaicml-streaming==0.13.0 datasets
