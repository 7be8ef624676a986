"""The processor of Qwen2.5-Omni's class on the pocket tokenizer: no hub, no video."""

from pathlib import Path
from typing import Any

from transformers import (
    AutoTokenizer,
    Qwen2_5OmniProcessor,
    Qwen2VLImageProcessorPil,
    WhisperFeatureExtractor,
)

from maqam.models.checkpoint import pocket_path

TOKENS = {
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}
TEMPLATE = (
    "{% for turn in messages %}<|im_start|>{{turn['role']}}\n"
    "{% for part in turn['content'] %}{% if part['type'] == 'audio' %}"
    "<|audio_bos|><|AUDIO|><|audio_eos|>{% else %}{{part['text']}}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class WithoutVideo(Qwen2_5OmniProcessor):
    """A video processor needs torchvision."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        return type(argument)


def pocket_processor(folder: Path | None = None) -> Qwen2_5OmniProcessor:
    tokenizer = AutoTokenizer.from_pretrained(folder or pocket_path(), extra_special_tokens=TOKENS)
    return WithoutVideo(
        Qwen2VLImageProcessorPil(),
        None,
        WhisperFeatureExtractor(feature_size=128),
        tokenizer,
        chat_template=TEMPLATE,
    )
