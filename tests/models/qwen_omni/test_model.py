import numpy as np
import pytest
import torch

from maqam.models.pocket import new_pocket
from maqam.models.protocol import collate
from maqam.models.qwen_omni.family import QWEN_OMNI

NUM_FRAMES = (100, 257, 399, 310)


@pytest.fixture(scope="module")
def backbone():
    return new_pocket(["مرحبا يا صديقي كيف الحال"], 0)


@pytest.fixture(scope="module")
def log_mels():
    generator = np.random.default_rng(0)
    return [generator.normal(size=(count, 128)).astype(np.float32) for count in NUM_FRAMES]


def messages(answer, *, has_audio=True):
    prompt = "<audio>فرّغ" if has_audio else "فرّغ"
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]


def padded(log_mels):
    """Return audio as the stock processor pads it: one length for all, with a mask."""
    features = torch.zeros(len(log_mels), 128, max(map(len, log_mels)))
    mask = torch.zeros(len(log_mels), features.shape[-1], dtype=torch.long)
    for index, one in enumerate(log_mels):
        features[index, :, : len(one)] = torch.from_numpy(one.T)
        mask[index, : len(one)] = 1
    return features, mask


@torch.no_grad()
def test_hidden_states_and_logits_equal_the_stock_forward(backbone, log_mels):
    states = [*backbone.encode_audio(log_mels), torch.zeros(0, backbone.audio_dim)]
    encoded = [backbone.dialogue.encode(messages("مرحبا يا"), len(one)) for one in states[:-1]]
    encoded.append(backbone.dialogue.encode(messages("كيف", has_audio=False), 0))
    batch = collate(encoded, states, backbone.dialogue.padding_id)
    logits = backbone.logits(backbone.hidden(batch))
    features, mask = padded(log_mels)
    columns = torch.arange(batch.input_ids.shape[1])
    stock = backbone.model(
        input_ids=batch.input_ids,
        input_features=features,
        feature_attention_mask=mask,
        attention_mask=(columns < batch.lengths[:, None]).long(),
    ).logits
    for index, length in enumerate(batch.lengths.tolist()):
        assert torch.allclose(logits[index, :length], stock[index, :length], atol=1e-4)


@torch.no_grad()
def test_answers_equal_the_stock_generate(backbone, log_mels):
    states = backbone.encode_audio(log_mels)
    prompts = [
        backbone.dialogue.encode(messages("-"), len(one), with_target=False) for one in states
    ]
    answers = backbone.generate(prompts, states, max_new_tokens=12)
    features, mask = padded(log_mels)
    for index, prompt in enumerate(prompts):
        ids = torch.from_numpy(prompt.input_ids)[None]
        length = len(log_mels[index])
        stock = backbone.model.generate(
            input_ids=ids,
            input_features=features[index : index + 1, :, :length],
            feature_attention_mask=mask[index : index + 1, :length],
            attention_mask=torch.ones_like(ids),
            max_new_tokens=12,
            do_sample=False,
        )
        assert stock[0, ids.shape[1] :].tolist() == answers[index]


@torch.no_grad()
def test_an_answer_does_not_depend_on_what_it_is_decoded_beside(backbone, log_mels):
    states = backbone.encode_audio(log_mels)
    prompts = [
        backbone.dialogue.encode(messages("-"), len(one), with_target=False) for one in states
    ]
    together = backbone.generate(prompts, states, max_new_tokens=8)
    alone = [
        backbone.generate([prompt], [one], max_new_tokens=8)[0]
        for prompt, one in zip(prompts, states, strict=True)
    ]
    assert together == alone


@torch.no_grad()
def test_audio_does_not_depend_on_what_it_is_encoded_beside(backbone, log_mels):
    together = backbone.encode_audio(log_mels)
    for one, states in zip(log_mels, together, strict=True):
        assert len(states) == QWEN_OMNI.front_end.num_audio_tokens(len(one))
        assert torch.allclose(backbone.encode_audio([one])[0], states, atol=1e-4)


def test_no_audio_gives_no_states(backbone):
    assert backbone.encode_audio([]) == []


def test_every_parameter_but_vision_belongs_to_one_part(backbone):
    named = backbone.parts()
    listed = [name for names in named.values() for name in names]
    assert len(listed) == len(set(listed))
    left = {name for name, _ in backbone.model.named_parameters()} - set(listed)
    assert left
    assert all(name.startswith("model.visual.") or "visual" in name for name in left)
    assert backbone.part_of(next(iter(left))) is None


def test_adapters_go_on_the_linear_layers_of_the_llm(backbone):
    targets = backbone.lora_target_names()
    assert len(targets) == 4 * 7
    assert all(name.startswith("model.language_model.layers.") for name in targets)


def test_a_gradient_flows_through_the_encoder(backbone, log_mels):
    torch.cat(backbone.encode_audio(log_mels[:1])).sum().backward()
    assert backbone.model.model.audio_tower.conv1.weight.grad is not None
    backbone.model.zero_grad()
