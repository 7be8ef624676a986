import numpy as np
import pytest

from maqam.features.reduction import fit_projection


@pytest.fixture
def embeddings():
    rng = np.random.default_rng(0)
    spectrum = 0.9 ** np.arange(60)
    return (rng.standard_normal((800, 60)) * spectrum + 7.0).astype(np.float32)


def units(embeddings):
    centred = embeddings - embeddings.mean(axis=0)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


def test_directions_keep_as_much_variance_as_an_exact_decomposition(embeddings):
    found = fit_projection(embeddings, 8, np.random.default_rng(0))
    covariance = np.cov(units(embeddings).T, bias=True)
    best = np.sort(np.linalg.eigvalsh(covariance))[::-1][:8].sum()
    kept = np.trace(found.components.T @ covariance @ found.components)
    assert kept == pytest.approx(best, rel=1e-4)


def test_directions_are_orthonormal_and_strongest_first(embeddings):
    found = fit_projection(embeddings, 8, np.random.default_rng(0))
    assert np.allclose(found.components.T @ found.components, np.eye(8), atol=1e-5)
    assert (np.diff(found.apply(embeddings).var(axis=0)) < 0).all()


def test_all_directions_keep_every_distance(embeddings):
    found = fit_projection(embeddings, 200, np.random.default_rng(0))
    reduced, expected = found.apply(embeddings), units(embeddings)
    assert reduced.shape == (800, 60)
    assert np.allclose(reduced[:50] @ reduced[:50].T, expected[:50] @ expected[:50].T, atol=1e-4)


def test_loudness_and_a_common_offset_do_not_move_a_row(embeddings):
    mean = embeddings.mean(axis=0)
    found = fit_projection(embeddings, 8, np.random.default_rng(0))
    louder = mean + 3 * (embeddings - mean)
    assert np.allclose(found.apply(embeddings), found.apply(louder), atol=1e-4)


def test_a_row_equal_to_the_mean_is_zero_not_nan():
    found = fit_projection(np.array([[1.0, 2.0], [1.0, 2.0]]), 2, np.random.default_rng(0))
    assert found.apply(np.array([[1.0, 2.0]])).tolist() == [[0.0, 0.0]]
