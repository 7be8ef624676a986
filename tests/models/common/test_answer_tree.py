"""A tree of answers, held against each answer read for itself."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from maqam.models.common.answer_tree import AnswerTree

ids = st.lists(st.integers(0, 3), min_size=1, max_size=5)
answers = st.lists(ids, min_size=1, max_size=6)
PROMPTS = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])


@given(found=answers, window=st.none() | st.integers(1, 8))
def test_a_token_attends_to_what_it_would_in_its_own_answer(found, window):
    tree = AnswerTree.of(found, torch.device("cpu"))
    mask, positions = tree.mask(PROMPTS, window), tree.positions(PROMPTS)
    begun = [answer[:end] for answer in found for end in range(1, len(answer))]
    distinct = [one for place, one in enumerate(begun) if one not in begun[:place]]
    assert tree.tokens.tolist() == [one[-1] for one in distinct]
    for row, prompt in enumerate(PROMPTS):
        length = int(prompt.sum())
        for place, own in enumerate(distinct):
            assert positions[row, place] == length + len(own) - 1
            seen = set(mask[row, 0, place].nonzero()[:, 0].tolist())
            before = [column for column in range(5) if prompt[column]]
            before += [5 + distinct.index(own[:end]) for end in range(1, len(own) + 1)]
            assert seen == set(before[-window:] if window else before)


@given(found=answers, seed=st.integers(0, 99))
def test_every_answer_gets_the_sum_of_its_own_tokens(found, seed):
    tree = AnswerTree.of(found, torch.device("cpu"))
    logits = torch.randn(1 + len(tree.tokens), 4, generator=torch.Generator().manual_seed(seed))
    logs = logits.log_softmax(dim=-1)
    begun = list(dict.fromkeys(tuple(one[:end]) for one in found for end in range(1, len(one))))
    state_of = {(): 0, **{one: 1 + place for place, one in enumerate(begun)}}
    expected = [
        sum(float(logs[state_of[tuple(one[:at])], token]) for at, token in enumerate(one))
        for one in found
    ]
    (summed,) = tree.summed(tree.likelihoods(logits)[None])
    assert torch.allclose(summed, torch.tensor(expected), atol=1e-4)
