"""Fun-ASR-Nano: SenseVoice's encoder on Kaldi's log-mels, Qwen3 behind it."""

from maqam.models.common.qwen_tokenizer import as_qwen2
from maqam.models.family import EncoderInputs, Family, chatml
from maqam.models.front_end import FrontEnd
from maqam.models.stacked_mels import KaldiMel

FUN_ASR_NANO = Family(
    kind="fun_asr_nano",
    title="Fun-ASR-Nano",
    hub_id="FunAudioLLM/Fun-ASR-Nano-2512-hf",
    model_type="fun_asr_nano",
    architecture="FunAsrNanoForConditionalGeneration",
    template=chatml(("", "<|object_ref_start|>", ""), system="You are a helpful assistant."),
    front_end=FrontEnd(
        int,  # a frame, an audio token
        KaldiMel(),
        num_bins=560,
        max_frames=2048,  # positions of its encoder
    ),
    inputs=EncoderInputs(axes="BNM", is_alone=True),
    prepare_tokenizer=as_qwen2,
    remark="Its front end is computed here, without torchaudio. Clips are encoded one after the "
    "other, as its aligner hears what would fill them up.",
)
