"""Granite Speech: a conformer on paired log-mels and a Q-Former, Granite behind them."""

from dataclasses import replace

from maqam.models.family import ChatTemplate, EncoderInputs, Family, turns_of
from maqam.models.front_end import FrontEnd
from maqam.models.stacked_mels import PairedMel

START, ROLE, END = "<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"


def queries(num_frames: int) -> int:
    """Count the three queries that look at every 15 frames.

    Examples:
        >>> queries(50), queries(15)
        (12, 3)
    """
    return -(-num_frames // 15) * 3


GRANITE_SPEECH = Family(
    kind="granite_speech",
    title="Granite Speech",
    hub_id="ibm-granite/granite-4.0-1b-speech",
    model_type="granite_speech",
    architecture="GraniteSpeechForConditionalGeneration",
    template=ChatTemplate(
        turns=turns_of(f"{START}{{}}{ROLE}", f"{END}\n"),
        answer=f"{START}assistant{ROLE}",
        end=END,
        audio=("", "<|audio|>", ""),
        padding=END,  # not all of its tokenizers have one for that
        special_tokens=(START, ROLE, END, "<|audio|>"),
        system="You are a helpful assistant. Please ensure responses are professional, accurate, "
        "and safe.",
    ),
    front_end=FrontEnd(queries, PairedMel(), num_bins=160),
    inputs=EncoderInputs(mask=None, axes="BNM", is_alone=True),
    parts={
        "encoder": ("model.encoder.",),
        "aligner": ("model.projector.",),
        "llm": ("model.language_model.", "lm_head."),
    },
    remark="Clips are encoded one after the other, as the encoder hears what would fill them up. "
    "The adapter that checkpoints of 3.3 bring with them must be merged first.",
    licence="Apache-2.0",
)
GRANITE_SPEECH_PLUS = replace(
    GRANITE_SPEECH,
    kind="granite_speech_plus",
    title="Granite Speech Plus",
    hub_id="ibm-granite/granite-speech-4.1-2b-plus",
    model_type="granite_speech_plus",
    architecture="GraniteSpeechPlusForConditionalGeneration",
    remark="As Granite Speech.",
    licence="Apache-2.0",
)
