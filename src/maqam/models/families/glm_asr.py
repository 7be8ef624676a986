"""GLM-ASR: an encoder of Whisper's form with rotary positions, four outputs to an audio token."""

from maqam.models.family import ChatTemplate, Family, turns_of
from maqam.models.front_end import FrontEnd, LogMel

_TOKENS = (
    "<|endoftext|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|observation|>",
    "<|begin_of_audio|>",
    "<|pad|>",
    "<|end_of_audio|>",
)

GLM_ASR = Family(
    kind="glm_asr",
    title="GLM-ASR",
    hub_id="zai-org/GLM-ASR-Nano-2512",
    model_type="glmasr",
    architecture="GlmAsrForConditionalGeneration",
    template=ChatTemplate(
        turns=turns_of("<|{}|>\n", ""),
        answer="<|assistant|>\n",
        end="<|endoftext|>",
        other_ends=("<|user|>", "<|observation|>"),
        audio=("<|begin_of_audio|>", "<|pad|>", "<|end_of_audio|><|user|>\n"),
        padding="<|endoftext|>",
        special_tokens=_TOKENS,
    ),
    front_end=FrontEnd(
        lambda num_frames: ((num_frames - 1) // 2 + 1) // 4,
        LogMel(tail_frames=3, window_frames=3000, is_cut=True),
        window_frames=3000,
        max_frames=63_000,  # whole windows of 655 s, as the processor cuts longer audio
    ),
    max_tokens=8192,
    remark="The encoder hears the silence that fills up a window.",
    licence="MIT",
)
