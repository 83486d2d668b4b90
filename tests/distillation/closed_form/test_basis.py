import numpy as np

from tests.tolerance import assert_close
from tinybert_tf.distillation.closed_form.basis import student_basis


def make(width=12, seed=0):
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(500, width)) @ rng.normal(size=(width, width)) * np.linspace(3, 0.1, width)
    return np.cov(states.T), rng.uniform(0.5, 1.5, width)


def test_all_of_it_is_the_identity():
    covariance, gamma = make()
    np.testing.assert_array_equal(student_basis(covariance, gamma, 12), np.eye(12))


def test_it_spans_the_leading_directions():
    covariance, gamma = make()
    basis = student_basis(covariance, gamma, 5)
    np.testing.assert_allclose(basis.T @ basis, np.eye(5), atol=1e-12)
    leading = np.linalg.svd(covariance)[0][:, :5]
    assert_close(basis @ basis.T, leading @ leading.T, 1e-9)


def test_gamma_is_nearly_diagonal_in_it():
    covariance, gamma = make(width=90)
    basis = student_basis(covariance, gamma, 60)
    product = basis.T @ (gamma[:, None] * basis)
    leading = np.linalg.svd(covariance)[0][:, :60]
    plain = leading.T @ (gamma[:, None] * leading)

    def outside(matrix):
        return np.square(matrix - np.diag(np.diag(matrix))).sum()

    assert outside(product) < 0.2 * outside(plain)


def test_the_mean_of_its_coordinates_is_the_direction_that_varies_least():
    covariance, gamma = make(width=60)
    basis = student_basis(covariance, gamma, 30)
    mean = basis.sum(1) / np.sqrt(30)
    assert_close(mean @ covariance @ mean, np.linalg.svd(covariance)[1][29], 1e-9)
