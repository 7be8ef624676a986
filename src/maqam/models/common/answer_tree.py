"""Fixed answers as one tree, so that a model reads what they share once.

The labels of a task often begin alike, and all of them follow the same prompt. Laid out as a tree
of tokens they run through the LLM side by side in one pass over the prompt's cache: a token
attends to the prompt and to the tokens of its own answers before it, and to nothing else.

Tensor letters: B prompts, P tokens of the longest prompt, N tokens of the tree that are read, E
edges of the tree, V ids of the vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class AnswerTree:
    """Answers that share their beginnings.

    Attributes:
        tokens: [N] ids the model reads: every token that another one follows.
        depths: [N] tokens of the answer before each.
        sees: [N, N] whether a token attends to another: itself and its answer's earlier ones.
        scored: [E] ids whose likelihood is asked for, one for each edge of the tree.
        after: [E] what each follows: 0 for the prompt, else 1 + the place in `tokens`.
        of_answers: [num_answers, E] whether an edge is of an answer.
    """

    tokens: Tensor
    depths: Tensor
    sees: Tensor
    scored: Tensor
    after: Tensor
    of_answers: Tensor

    @classmethod
    def of(cls, answers: Sequence[Sequence[int]], device: torch.device) -> "AnswerTree":
        """Lay out answers.

        Args:
            answers: Ids of each, at least one.
            device: Where the tensors are.

        Examples:
            >>> tree = AnswerTree.of([[5, 6, 9], [5, 7, 9], [5, 9]], torch.device("cpu"))
            >>> tree.tokens.tolist(), tree.depths.tolist()
            ([5, 6, 7], [0, 1, 1])
            >>> tree.scored.tolist(), tree.after.tolist()
            ([5, 6, 9, 7, 9, 9], [0, 1, 2, 1, 3, 1])
        """
        beginnings = dict.fromkeys(
            tuple(answer[:end]) for answer in answers for end in range(1, len(answer))
        )
        places = {beginning: place for place, beginning in enumerate(beginnings)}
        edges: dict[tuple[int, ...], int] = {}
        for answer in answers:
            for end in range(1, len(answer) + 1):
                edges.setdefault(tuple(answer[:end]), len(edges))
        sees = torch.zeros(len(places), len(places), dtype=torch.bool)
        for beginning, place in places.items():
            sees[place, [places[beginning[:end]] for end in range(1, len(beginning) + 1)]] = True
        of_answers = torch.zeros(len(answers), len(edges), dtype=torch.bool)
        for index, answer in enumerate(answers):
            own = [edges[tuple(answer[:end])] for end in range(1, len(answer) + 1)]
            of_answers[index, own] = True
        return cls(
            tokens=torch.tensor([one[-1] for one in places], dtype=torch.int64, device=device),
            depths=torch.tensor([len(one) - 1 for one in places], device=device),
            sees=sees.to(device),
            scored=torch.tensor([one[-1] for one in edges], device=device),
            after=torch.tensor(
                [1 + places[one[:-1]] if len(one) > 1 else 0 for one in edges], device=device
            ),
            of_answers=of_answers.to(device),
        )

    def positions(self, prompts: Tensor) -> Tensor:
        """Return the position of each token after [B, P] prompts, [B, N]."""
        return prompts.sum(dim=1, keepdim=True) + self.depths

    def mask(self, prompts: Tensor, window: int | None = None) -> Tensor:
        """Return what each token attends to, [B, 1, N, P + N].

        Args:
            prompts: [B, P] 1 where there is a token of the prompt.
            window: Tokens that attention reaches back, itself among them; None for all.
        """
        size, width = len(prompts), len(self.tokens)
        whole = prompts.bool()[:, None, :].expand(-1, width, -1)
        seen = torch.cat([whole, self.sees.expand(size, width, width)], dim=-1)
        if window is not None:
            own = self.positions(prompts)
            before = torch.cat([prompts.cumsum(dim=1) - 1, own], dim=1)
            seen = seen & (own[:, :, None] - before[:, None, :] < window)
        return seen[:, None]

    def likelihoods(self, logits: Tensor) -> Tensor:
        """Return the log-likelihood [E] float32 of each edge of one row.

        Args:
            logits: [1 + N, V] after the prompt and after each token of the tree.
        """
        logits = logits.float()
        return logits[self.after, self.scored] - logits.logsumexp(dim=-1)[self.after]

    def summed(self, logs: Tensor) -> Tensor:
        """Return the sum over each answer's tokens, [B, num_answers], of their [B, E] logs."""
        return logs @ self.of_answers.to(logs.dtype).T
