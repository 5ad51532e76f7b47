"""Every block: its relation on batches, its derivative against finite differences, its ports."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analogflow import blocks
from analogflow.blocks.block import frozen

N = 4
EXAMPLES = {
    "crossbar": blocks.Crossbar(size=3, weight=frozen(np.arange(12).reshape(3, 4) / 7)),
    "crossbar in rows": blocks.Crossbar(size=6, weight=frozen(np.arange(6).reshape(3, 2)), rows=2),
    "sum": blocks.Sum(size=N, coefficients=(1.0, -1.0, 0.5)),
    "gain": blocks.Gain(size=N, coefficients=frozen([1, -2, 3, 0.5])),
    "wire": blocks.Wire(size=3, indices=(3, 0, 0)),
    "multiplier": blocks.Multiplier(size=N),
    "divider": blocks.Divider(size=N),
    "log": blocks.Log(size=N),
    "exp": blocks.Exp(size=N),
    "square root": blocks.SquareRoot(size=N),
    "positive part": blocks.PositivePart(size=N),
    "waveform": blocks.Waveform(size=N, times=frozen([0.2, 0.45, 0.8]), values=frozen([1.0, -1.0, 0.5])),
    "tanh": blocks.Tanh(size=N),
    "sine": blocks.Sine(size=N),
    "arctan": blocks.Arctan(size=N),
    "softmax": blocks.Softmax(size=N),
    "softmax in rows": blocks.Softmax(size=N, rows=2, tail=frozen([0.3, 2.0]), offsets=frozen([0, 1, -1, 0.5])),
    "normaliser": blocks.Normaliser(size=N),
    "normaliser in rows": blocks.Normaliser(size=N, rows=2),
    "comparator": blocks.Comparator(size=N, width=0.5),
    "switch": blocks.Switch(size=N),
    "output stage": blocks.OutputStage(size=N, gain=frozen([1, 1.1, 0.9, 2]), offset=frozen([0, 0.1, -0.1, 0]), limit=1.2),
}


def inputs_of(block, rng, samples=()):
    ports = len(block.coefficients) if isinstance(block, blocks.Sum) else len(block.ports)
    return [rng.uniform(0.1, 0.9, (*samples, N)) for _ in range(ports)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_derivative_is_that_of_the_relation(name):
    block, rng = EXAMPLES[name], np.random.default_rng(3)
    inputs = inputs_of(block, rng)
    step = 1e-6
    for port, derivative in enumerate(block.derivative(*inputs)):
        found = derivative.apply(np.eye(N))
        for k in range(N):
            moved = [x.copy() for x in inputs]
            moved[port][k] += step
            ahead = block.relation(*moved)
            moved[port][k] -= 2 * step
            slope = (ahead - block.relation(*moved)) / (2 * step)
            np.testing.assert_allclose(found[:, k], slope, atol=2e-7, rtol=2e-7)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_batch_is_evaluated_sample_by_sample(name):
    block, rng = EXAMPLES[name], np.random.default_rng(5)
    inputs = inputs_of(block, rng, samples=(2, 3))
    together = block.relation(*inputs)
    assert together.shape == (2, 3, block.size)
    for sample in np.ndindex(2, 3):
        np.testing.assert_allclose(together[sample], block.relation(*(x[sample] for x in inputs)), rtol=1e-14)
    for derivative, alone in zip(block.derivative(*inputs), block.derivative(*(x[1, 2] for x in inputs)), strict=True):
        full = np.broadcast_to(derivative.apply(np.eye(N)), (2, 3, block.size, N))
        np.testing.assert_allclose(full[1, 2], alone.apply(np.eye(N)), rtol=1e-13)


@pytest.mark.parametrize("name", EXAMPLES)
def test_identity_tells_equal_blocks_from_different_ones(name):
    block = EXAMPLES[name]
    assert block.identity() == block.identity()
    assert all(block.identity() != other.identity() for key, other in EXAMPLES.items() if key != name)


def test_catalogue_lists_every_kind_once():
    kinds = [block.kind() for block in blocks.CATALOGUE]
    assert len(kinds) == len(set(kinds))
    assert {type(block).kind() for block in EXAMPLES.values()} <= set(kinds)


def test_scalar_input_drives_every_element():
    product = blocks.Multiplier(size=3).relation(np.array([2.0]), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(product, [2, 4, 6])
    np.testing.assert_array_equal(blocks.Sum(size=3, coefficients=(2.0,)).relation(np.array([1.5])), [3, 3, 3])


def test_arguments_are_held_inside_the_domain():
    assert blocks.Log(size=1).relation(np.array([-1.0])) == np.log(1e-12)
    assert blocks.Divider(size=2).relation(np.array([1.0, 1.0]), np.array([0.0, -1e-15])).tolist() == [1e12, -1e12]
    assert blocks.SquareRoot(size=1).relation(np.array([-4.0])) == 0
    assert np.isfinite(blocks.Exp(size=1).relation(np.array([1e6])))
    assert blocks.Normaliser(size=2).relation(np.array([-1.0, -2.0])).tolist() == [0, 0]


@given(st.lists(st.floats(-700, 700), min_size=2, max_size=8), st.floats(-300, 300))
def test_softmax_is_a_distribution_that_ignores_a_common_shift(values, shift):
    x = np.array(values)
    y = blocks.Softmax(size=len(x)).relation(x)
    assert abs(y.sum() - 1) < 1e-12
    assert (y >= 0).all()
    np.testing.assert_allclose(blocks.Softmax(size=len(x)).relation(x + shift), y, atol=1e-10)


def test_softmax_of_offsets_and_tail_is_a_row_of_a_transport_plan():
    g, cost, mass = np.array([0.2, -0.1, 0.4]), np.array([[0, 1, 2], [1, 0, 1.0]]), np.array([0.3, 0.7])
    block = blocks.Softmax(size=6, rows=2, tail=frozen(mass), offsets=frozen(cost.ravel()))
    plan = block.relation(np.tile(g, 2)).reshape(2, 3)
    np.testing.assert_allclose(plan.sum(1), mass, rtol=1e-15)
    np.testing.assert_allclose(np.log(plan[0] / plan[0, 0]), (g - cost[0]) - (g[0] - cost[0, 0]), atol=1e-14)
