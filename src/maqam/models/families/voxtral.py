"""Voxtral: Whisper's encoder, which hears silence up to a whole window, too; Llama behind it."""

from maqam.models.family import ChatTemplate, EncoderInputs, Family
from maqam.models.front_end import FrontEnd, LogMel
from maqam.models.log_mel import WINDOW_SAMPLES

VOXTRAL = Family(
    kind="voxtral",
    title="Voxtral",
    hub_id="mistralai/Voxtral-Mini-3B-2507",
    model_type="voxtral",
    architecture="VoxtralForConditionalGeneration",
    template=ChatTemplate(
        turns={"user": ("[INST]", "[/INST]"), "assistant": ("", "</s>")},
        answer="",
        end="</s>",
        audio=("[BEGIN_AUDIO]", "[AUDIO]", ""),
        padding="<pad>",
        special_tokens=("<pad>", "<s>", "</s>", "[INST]", "[/INST]", "[AUDIO]", "[BEGIN_AUDIO]"),
        start="<s>",
    ),
    front_end=FrontEnd(
        lambda num_frames: 375 * -(-num_frames // 3000),
        LogMel(tail_frames=3, window_frames=3000),
        window_frames=3000,
        least_samples=WINDOW_SAMPLES,
    ),
    inputs=EncoderInputs(mask=None),
    max_tokens=131_072,
    remark="Audio is filled up to whole windows of 30 s, all of which become audio tokens. Its "
    "tekken.json is read as it is; servers need mistral-common. It has no system's turn.",
    licence="Apache-2.0",
)
