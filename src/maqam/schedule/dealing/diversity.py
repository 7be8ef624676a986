"""Which B of many candidates make the most diverse batch, the number of each group fixed.

Every kernel takes the embeddings of the candidates of one batch, the group of each and how many of
each group are wanted, and gives that many: diversity never costs balance. All are deterministic
given their inputs; equal candidates count in the order they came.
"""

from collections.abc import Callable

import numpy as np

_TINY = 1e-10


def facility_location(
    embeddings: np.ndarray, groups: np.ndarray, quotas: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Choose what stands for all candidates best.

    Greedy on F(S) = sum_i max_{j in S} (1 + cos(i, j)) / 2, at least half the optimum under quotas
    (Fisher, Nemhauser and Wolsey, 1978), 1 - 1/e without.

    Args:
        embeddings: (num_candidates, dim), any float dtype.
        groups: (num_candidates,) group of each.
        quotas: (num_groups,) how many of each group, at most as many as there are.
        rng: Not used: no draw is made.

    Returns:
        (sum of quotas,) indexes of candidates, ascending.

    Examples:
        >>> points = np.array([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0]])
        >>> rng = np.random.default_rng(0)
        >>> facility_location(points, np.zeros(3, int), np.array([2]), rng).tolist()
        [1, 2]
    """
    similarity = (1 + _cosines(embeddings)) / 2
    covered = np.zeros(len(similarity))
    left, chosen = quotas.copy(), np.zeros(len(similarity), dtype=bool)
    for _ in range(int(quotas.sum())):
        gains = np.maximum(similarity - covered[:, None], 0.0).sum(axis=0)
        best = _best(gains, chosen, left, groups)
        chosen[best] = True
        left[groups[best]] -= 1
        np.maximum(covered, similarity[:, best], out=covered)
    return np.flatnonzero(chosen)


def farthest_first(
    embeddings: np.ndarray, groups: np.ndarray, quotas: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Choose what is farthest, by cosine, from what was chosen before; the first one first.

    Source: Gonzalez (1985), with quotas. Arguments and result as for `facility_location`.

    Examples:
        >>> points = np.array([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0]])
        >>> rng = np.random.default_rng(0)
        >>> farthest_first(points, np.zeros(3, int), np.array([2]), rng).tolist()
        [0, 2]
    """
    cosines = _cosines(embeddings)
    distance = np.full(len(cosines), np.inf)
    left, chosen = quotas.copy(), np.zeros(len(cosines), dtype=bool)
    for _ in range(int(quotas.sum())):
        best = _best(distance, chosen, left, groups)
        chosen[best] = True
        left[groups[best]] -= 1
        np.minimum(distance, 1 - cosines[:, best], out=distance)
    return np.flatnonzero(chosen)


def k_dpp(
    embeddings: np.ndarray, groups: np.ndarray, quotas: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw from a determinantal point process: a set is as likely as the volume it spans.

    Exact, group by group, each a k-DPP with k its quota and the cosine kernel (Kulesza and Taskar,
    *ICML* 2011): eigenvectors are chosen by elementary symmetric polynomials, candidates by the
    chain rule. A group that spans fewer dimensions than its quota is filled up in order.
    Arguments and result as for `facility_location`.

    Examples:
        >>> points = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> rng = np.random.default_rng(0)
        >>> 2 in k_dpp(points, np.zeros(3, int), np.array([2]), rng)
        True
    """
    unit = _unit(embeddings)
    chosen = []
    for group in np.flatnonzero(quotas):
        members = np.flatnonzero(groups == group)
        chosen.append(members[_draw(unit[members], int(quotas[group]), rng)])
    return np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *chosen]))


KERNELS: dict[
    str, Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
] = {
    "facility_location": facility_location,
    "farthest_first": farthest_first,
    "k_dpp": k_dpp,
}


def _draw(unit: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `size` rows of (num_candidates, dim) unit vectors."""
    if size >= len(unit):
        return np.arange(len(unit))
    if unit.shape[1] < len(unit):  # the dual kernel is smaller and has the same eigenvalues
        values, dual = np.linalg.eigh(unit.T @ unit)
        kept = values > _TINY * max(float(values[-1]), _TINY)
        vectors = unit @ dual[:, kept] / np.sqrt(values[kept])
    else:
        values, vectors = np.linalg.eigh(unit @ unit.T)
        kept = values > _TINY * max(float(values[-1]), _TINY)
        vectors = vectors[:, kept]
    values = values[kept]
    rank = min(size, len(values))
    basis = vectors[:, _choose_eigenvectors(values, rank, rng)]
    drawn: list[int] = []
    for _ in range(rank):
        chances = np.maximum((basis**2).sum(axis=1), 0.0)
        chances[drawn] = 0.0
        drawn.append(int(rng.choice(len(chances), p=chances / chances.sum())))
        basis = _without(basis, drawn[-1])
    rest = np.setdiff1d(np.arange(len(unit)), drawn)[: size - rank]
    return np.sort(np.array([*drawn, *rest], dtype=np.int64))


def _choose_eigenvectors(values: np.ndarray, size: int, rng: np.random.Generator) -> list[int]:
    """Choose `size` eigenvectors with the chances of a k-DPP.

    The polynomials are those of the eigenvalues over their mean: the chances are the same, and
    they neither overflow nor vanish.
    """
    if not size:  # no candidate has a direction
        return []
    scaled = values / values.mean()
    count = len(values)
    table = np.zeros((size + 1, count + 1))
    table[0] = 1.0
    for order in range(1, size + 1):
        for upto in range(1, count + 1):
            table[order, upto] = (
                table[order, upto - 1] + scaled[upto - 1] * table[order - 1, upto - 1]
            )
    chosen: list[int] = []
    left = size
    for upto in range(count, 0, -1):
        if not left:
            break
        chance = scaled[upto - 1] * table[left - 1, upto - 1] / table[left, upto]
        if upto == left or rng.random() < chance:
            chosen.append(upto - 1)
            left -= 1
    return chosen


def _without(basis: np.ndarray, row: int) -> np.ndarray:
    """Return an orthonormal basis of what the columns span and has nothing in a row."""
    pivot = int(np.abs(basis[row]).argmax())
    others = np.delete(basis, pivot, axis=1)
    if not others.shape[1]:
        return others
    others = others - np.outer(basis[:, pivot], others[row] / basis[row, pivot])
    orthonormal: np.ndarray = np.linalg.qr(others)[0]
    return orthonormal


def _best(scores: np.ndarray, chosen: np.ndarray, left: np.ndarray, groups: np.ndarray) -> int:
    """Return the open candidate with the highest score, the first of equals."""
    return int(np.where(chosen | (left[groups] <= 0), -np.inf, scores).argmax())


def _unit(embeddings: np.ndarray) -> np.ndarray:
    plain = np.asarray(embeddings, dtype=np.float64)
    lengths = np.linalg.norm(plain, axis=1, keepdims=True)
    scaled: np.ndarray = plain / np.where(lengths > 0, lengths, 1.0)
    return scaled


def _cosines(embeddings: np.ndarray) -> np.ndarray:
    unit = _unit(embeddings)
    cosines: np.ndarray = unit @ unit.T
    return cosines
