"""Gemma 4 with its audio encoder; what it sees is left alone."""

from maqam.models.family import ChatTemplate, EncoderInputs, Family, turns_of
from maqam.models.front_end import FrontEnd, OwnExtractor

START, END = "<|turn>", "<turn|>"
AUDIO = ("<|audio>", "<|audio|>", "<audio|>")


def whole_windows(num_samples: int) -> int:
    """Count the analysis windows of 20 ms that lie in audio, half a window before it included.

    Examples:
        >>> whole_windows(16_000), whole_windows(160)
        (99, 0)
    """
    return (num_samples - 161) // 160 + 1


def quarters(num_frames: int) -> int:
    """Count the outputs of two convolutions of stride 2.

    Examples:
        >>> quarters(99), quarters(1)
        (25, 1)
    """
    return -(-num_frames // 4)


GEMMA_4 = Family(
    kind="gemma4",
    title="Gemma 4",
    hub_id="google/gemma-4-E2B-it",
    model_type="gemma4",
    architecture="Gemma4ForConditionalGeneration",
    template=ChatTemplate(
        turns=turns_of(f"{START}{{}}\n", f"{END}\n", assistant="model"),
        answer=f"{START}model\n",
        end=END,
        other_ends=("<eos>",),
        audio=AUDIO,
        padding="<pad>",
        special_tokens=("<bos>", "<eos>", "<pad>", START, END, *AUDIO),
        start="<bos>",
    ),
    front_end=FrontEnd(
        quarters,
        OwnExtractor("Gemma4AudioFeatureExtractor", whole_windows),
        max_frames=2999,  # the extractor cuts longer audio at 30 s
    ),
    inputs=EncoderInputs(axes="BNM"),
    parts={
        "encoder": ("model.audio_tower.",),
        "aligner": ("model.embed_audio.",),
        "llm": ("model.language_model.", "lm_head."),
    },
    max_tokens=131_072,
    remark="What it sees is left alone. Its own feature extractor is asked.",
)
