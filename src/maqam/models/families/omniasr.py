"""OmniASR: a wav2vec 2.0 encoder on the waveform, Llama behind it."""

from maqam.models.family import ChatTemplate, EncoderInputs, Family
from maqam.models.front_end import FrontEnd, waveform

CONVOLUTIONS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))  # kernel, stride


def convolved(num_samples: int) -> int:
    """Count the outputs of the encoder's convolutions.

    Examples:
        >>> convolved(16_000), convolved(400), convolved(399)
        (49, 1, 0)
    """
    for kernel, stride in CONVOLUTIONS:
        num_samples = (num_samples - kernel) // stride + 1
    return num_samples


OMNIASR = Family(
    kind="omniasr",
    title="OmniASR",
    hub_id="hf-audio/omniasr-llm-300m-v2",
    model_type="omniasr",
    architecture="OmniASRForConditionalGeneration",
    template=ChatTemplate(
        turns={"user": ("", "<extra_id_0><|lang:auto|>")},
        answer="<s>",
        end="</s>",
        audio=("", "<extra_id_1>", ""),
        padding="<pad>",
        special_tokens=("<s>", "</s>", "<pad>", "<extra_id_0>", "<extra_id_1>", "<|lang:auto|>"),
    ),
    front_end=FrontEnd(
        convolved,
        waveform("OmniASRFeatureExtractor"),
        num_bins=1,
        max_frames=40 * 16_000,  # as its authors state
    ),
    inputs=EncoderInputs(features="input_values", mask="padding_mask"),
    max_tokens=8192,
    remark="The encoder reads the waveform. What is asked stands before the mark of the language, "
    "which is that of any.",
    licence="Apache-2.0",
)
