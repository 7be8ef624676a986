"""Architectures that a user may well bring, and why none is a family here, in a line each."""

from dataclasses import dataclass

_NOT_THERE = "its code is in no release of transformers, so there is no class to hold it to"
_NO_LLM = "it has an encoder and a decoder of its own and no LLM"
_DEAF = "it is an LLM that hears nothing: `maqam model compose --llm` gives it an encoder"


@dataclass(frozen=True, slots=True)
class Unsupported:
    """An architecture that is no family.

    Attributes:
        title: Its name for people.
        model_types: `model_type` of its config.json, by all of its versions.
        reason: Why, in a line.
    """

    title: str
    model_types: tuple[str, ...]
    reason: str


UNSUPPORTED = (
    Unsupported(
        "Phi-4-multimodal",
        ("phi4_multimodal", "phi4mm"),
        "its encoder sits inside the embedding of its LLM, and its own LoRA is part of its weights",
    ),
    Unsupported(
        "Voxtral Realtime",
        ("voxtral_realtime",),
        "it adds what it hears to the embeddings of words as they come, at no placeholder",
    ),
    Unsupported(
        "Nemotron 3.5 Transcribe",
        ("nemo_speechlm", "nemotron3_5_transcribe"),
        "its LLM mixes in state-space layers, which read the padding of a batch",
    ),
    Unsupported(
        "Nemotron 3 Nano Omni",
        ("nemotron_h_omni",),
        "its LLM mixes in state-space layers, which read the padding of a batch",
    ),
    Unsupported(
        "Gemma 3n",
        ("gemma3n",),
        "any audio takes 188 tokens, its padding among them; Gemma 4 is a family",
    ),
    Unsupported(
        "Gemma 4 Unified",
        ("gemma4_unified",),
        "it has no audio encoder: the LLM itself reads frames of the waveform",
    ),
    Unsupported(
        "MOSS-Transcribe-Diarize",
        ("moss_transcribe_diarize",),
        "it writes marks of time between the placeholders of audio",
    ),
    Unsupported("Ultravox", ("ultravox",), _NOT_THERE),
    Unsupported("Kimi-Audio", ("kimi_audio",), _NOT_THERE),
    Unsupported("Step-Audio 2", ("step_audio_2",), _NOT_THERE),
    Unsupported("MiniCPM-o", ("minicpmo",), _NOT_THERE),
    Unsupported("MiDashengLM", ("midashenglm",), _NOT_THERE),
    Unsupported("SALMONN", ("salmonn",), _NOT_THERE),
    Unsupported("DeSTA2", ("desta2", "desta25"), _NOT_THERE),
    Unsupported(
        "Whisper",
        ("whisper",),
        f"{_NO_LLM}: `maqam model compose --encoder` gives it one",
    ),
    Unsupported("SeamlessM4T", ("seamless_m4t", "seamless_m4t_v2"), _NO_LLM),
    Unsupported("Cohere ASR", ("cohere_asr",), _NO_LLM),
    Unsupported(
        "a wav2vec 2.0 or another encoder with CTC",
        ("wav2vec2", "wav2vec2-bert", "hubert", "wavlm", "omniasr_ctc", "granite_speech5_ctc"),
        "it is an encoder alone and no LLM",
    ),
    Unsupported(
        "an LLM of words",
        ("llama", "qwen2", "qwen3", "mistral", "gemma2", "gemma3_text", "smollm3", "phi3"),
        _DEAF,
    ),
)
