"""A checkpoint of GLM-ASR."""

from pathlib import Path

from transformers import (
    GlmAsrConfig,
    GlmAsrForConditionalGeneration,
    GlmAsrProcessor,
    PreTrainedTokenizerFast,
    WhisperFeatureExtractor,
)

from maqam.models.families.glm_asr import GLM_ASR

from .base import TinyFamily, save, text_config, trained_tokenizer

TEMPLATE = (
    "{% for turn in messages %}<|{{turn['role']}}|>\n{% for part in turn['content'] %}"
    "{% if part['type'] == 'audio' %}<|begin_of_audio|><|pad|><|end_of_audio|><|user|>\n"
    "{% else %}{{part['text']}}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def make_glm_asr(folder: Path) -> None:
    trained = trained_tokenizer(*GLM_ASR.template.special_tokens)
    end = trained.token_to_id("<|endoftext|>")
    config = GlmAsrConfig(
        audio_config={
            "model_type": "glmasr_encoder",
            "hidden_size": 32,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
        },
        text_config=text_config(trained, "llama", eos_token_id=end),
        audio_token_id=trained.token_to_id("<|pad|>"),
    )
    save(GlmAsrForConditionalGeneration, config, end, folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained, pad_token="<|endoftext|>", eos_token="<|endoftext|>"
    )
    features = WhisperFeatureExtractor(feature_size=128)
    GlmAsrProcessor(features, tokenizer, TEMPLATE).save_pretrained(folder)


GLM_ASR_NANO = TinyFamily("glm_asr", make_glm_asr, GlmAsrProcessor.from_pretrained)
