"""Affine values and the operations on them, against the functions that they stand for."""

import math
import operator

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import sparse

from robfair.certify import UnsupportedLayer
from robfair.certify._affine import Affine, Builder, empty, pair

X = np.random.default_rng(0).normal(size=6)


def sample(*shape):
    size = math.prod(shape)
    return Affine({0: sparse.eye_array(size, format="csr")}, np.zeros(size), shape)


def evaluate(builder, value):
    """The value at X, with the layers of the builder applied in their order."""
    outputs = [X]
    for layer in builder.layers:
        z = sum((term @ outputs[s] for s, term in layer.inputs.terms.items()), layer.inputs.bias)
        outputs.append(layer(torch.from_numpy(z)).numpy())
    return sum((term @ outputs[s] for s, term in value.terms.items()), value.bias)


def test_a_linear_function_is_multiplied_out():
    builder, matrix = Builder(), torch.randn(6, 4).double()
    value = builder.linear(sample(6), lambda v: v @ matrix, torch.arange(4.0))
    assert value.shape == (4,)
    assert_allclose(evaluate(builder, value), X @ matrix.numpy() + np.arange(4))
    twice = builder.linear(value, lambda v: 2 * v)
    assert_allclose(evaluate(builder, twice.plus(value, -1)), evaluate(builder, value))


def test_dense_blocks_of_unit_vectors_join(monkeypatch):
    matrix = torch.randn(6, 4).double()
    whole = Builder().linear(sample(6), lambda v: v @ matrix)
    monkeypatch.setattr("robfair.certify._affine.CHUNK", 6)
    parts = Builder().linear(sample(6), lambda v: v @ matrix)
    assert_allclose(parts.terms[0].toarray(), whole.terms[0].toarray())


def test_nonlinear_identities():
    builder = Builder()
    value, other = sample(6), Builder().linear(sample(6), lambda v: -v.flip(1))
    assert_allclose(evaluate(builder, builder.sigmoid(value)), 1 / (1 + np.exp(-X)))
    assert_allclose(evaluate(builder, builder.maximum(value, other)), np.maximum(X, -X[::-1]))


def test_maximum_pooling_is_a_tournament():
    builder = Builder()
    pooled = builder.max_pool(sample(1, 2, 3), (2, 2), (1, 1), 0, plain=True)
    image = X.reshape(2, 3)
    expected = [image[:, :2].max(), image[:, 1:].max()]
    assert pooled.shape == (1, 1, 2)
    assert_allclose(evaluate(builder, pooled), expected)


@pytest.mark.parametrize("function", [operator.add, operator.sub, operator.mul, operator.truediv])
def test_arithmetic_with_a_constant(function):
    builder = Builder()
    found = evaluate(builder, builder.arithmetic(function, (sample(6), 3.0), {}))
    assert_allclose(found, function(X, 3.0))
    if function is not operator.truediv:
        found = evaluate(builder, builder.arithmetic(function, (3.0, sample(6)), {}))
        assert_allclose(found, function(3.0, X))


def test_errors_say_what_is_built():
    builder = Builder()
    builder.where = "node 'x'"
    with pytest.raises(UnsupportedLayer, match="do not support node 'x': it multiplies or"):
        builder.arithmetic(operator.mul, (sample(6), sample(6)), {})
    with pytest.raises(UnsupportedLayer, match="it mixes samples"):
        builder.linear(sample(6), lambda v: v.sum(dim=0, keepdim=True).expand(2, -1))
    with pytest.raises(UnsupportedLayer, match="a constant makes shape"):
        builder.linear(sample(6), lambda v: v, torch.zeros(2, 6))
    with pytest.raises(UnsupportedLayer, match="its slope must be in"):
        builder.activation(sample(6), "relu", 2.0)
    with pytest.raises(UnsupportedLayer, match="no broadcasting"):
        sample(6).plus(sample(2, 3))


def test_shapes():
    assert empty(sample(2, 3)).shape == (1, 2, 3)
    assert pair(2) == pair((2, 2)) == (2, 2)
    assert pair([1, 2]) == (1, 2)
