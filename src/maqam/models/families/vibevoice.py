"""VibeVoice-ASR: two audio tokenizers on the waveform at 24 kHz, Qwen2 behind them."""

from dataclasses import replace

from maqam.models.common.qwen_tokenizer import as_qwen2
from maqam.models.family import EncoderInputs, Family, chatml
from maqam.models.front_end import FrontEnd, waveform

HOP_SAMPLES = 3200
OPENING, CLOSING = "<|object_ref_start|>", "<|object_ref_end|>"
SYSTEM = "You are a helpful assistant that transcribes audio input into text output in JSON format."


def hops(num_samples: int) -> int:
    """Count the hops that samples begin.

    Examples:
        >>> hops(24_000), hops(1)
        (8, 1)
    """
    return -(-num_samples // HOP_SAMPLES)


VIBEVOICE_ASR = Family(
    kind="vibevoice_asr",
    title="VibeVoice-ASR",
    hub_id="microsoft/VibeVoice-ASR-HF",
    model_type="vibevoice_asr",
    architecture="VibeVoiceAsrForConditionalGeneration",
    template=replace(
        chatml(
            (OPENING, "<|box_start|>", CLOSING + "\n"),
            extra_tokens=(OPENING, CLOSING),
            system=SYSTEM,
        ),
        other_ends=("<|endoftext|>",),
    ),
    front_end=FrontEnd(
        hops,
        waveform("VibeVoiceAcousticTokenizerFeatureExtractor", 24_000),
        num_bins=1,
        least_samples=600,  # 25 ms, as long as an analysis window elsewhere
    ),
    inputs=EncoderInputs("input_values", "padding_mask", multiple_frames=HOP_SAMPLES),
    parts={
        "encoder": ("model.acoustic_tokenizer_encoder.", "model.semantic_tokenizer_encoder."),
        "aligner": ("model.multi_modal_projector.",),
        "llm": ("model.language_model.", "lm_head."),
    },
    prepare_tokenizer=as_qwen2,
    remark="Two encoders read the waveform at 24 kHz, here without the noise that its class adds.",
    licence="MIT",
)
