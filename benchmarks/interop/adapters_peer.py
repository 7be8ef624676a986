"""Runs in another environment: loads every form of an adapter by stock PEFT; compares logits."""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from peft import PeftModel

warnings.simplefilter("ignore")
transformers.utils.logging.set_verbosity_error()
WORK, IDS = Path(sys.argv[1]), torch.tensor([json.loads(sys.argv[2])])
WANTED = np.load(WORK / "logits.npy")
CLASSES = {
    "model": transformers.Qwen2_5OmniThinkerForConditionalGeneration,
    "whole": transformers.Qwen2_5OmniForConditionalGeneration,
}

for base, kind in CLASSES.items():
    for form in ("model", "whole", "whole-renamed"):
        model = kind.from_pretrained(WORK / base, dtype=torch.float32)
        adapted = PeftModel.from_pretrained(model, str(WORK / "forms" / form)).eval()
        halves = [one for name, one in adapted.named_parameters() if "lora_B" in name]
        loaded = sum(bool(one.abs().sum()) for one in halves)
        called = model if base == "model" else model.thinker
        with torch.no_grad():
            logits = called(input_ids=IDS).logits[0].numpy()
        gap = float(np.abs(logits - WANTED).max())
        print(f"| {base} | {form} | {loaded} of {len(halves)} | {gap:.1e} |")
    if base == "whole":
        model = kind.from_pretrained(WORK / base, dtype=torch.float32)
        adapted = PeftModel.from_pretrained(model.thinker, str(WORK / "forms" / "model")).eval()
        with torch.no_grad():
            gap = float(np.abs(adapted(input_ids=IDS).logits[0].numpy() - WANTED).max())
        print(f"| part of whole | model | all | {gap:.1e} |")
