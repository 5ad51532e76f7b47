"""Noise in a flow's own equations: nothing on arrays, a source of its own stream in the graph, one law in both engines."""

import math

import numpy as np
import pytest

from analogflow import compile, degrade, ensemble, netlist, parity
from analogflow.blocks import NoiseSource
from analogflow.errors import BadInput
from analogflow.flows import Flow
from analogflow.graph import white_noise
from analogflow.noise import Noise

DENSITIES = np.array([0.1, 0.2, 0.4])


def ornstein_uhlenbeck(x):
    return -x + white_noise(x, DENSITIES)


def two_states(x, y):
    return -x + white_noise(x, 0.1), -y + white_noise(y, DENSITIES) + white_noise(y, 0.3)


def geometric(x):
    return x * white_noise(x, 0.5)


def sources(circuit):
    graph = circuit.graph
    return [block for node in graph if isinstance(block := graph.block(node), NoiseSource)]


def test_noise_of_an_array_is_nought():
    np.testing.assert_array_equal(Flow(ornstein_uhlenbeck, {"x": np.ones(3)}).rates()["x"], -np.ones(3))


def test_every_source_plays_streams_of_its_own():
    circuit = compile(Flow(two_states, {"x": np.zeros(2), "y": np.zeros(3)}))
    streams = [(block.first, block.size) for block in sources(circuit)]
    assert sorted(streams) == [(0, 2), (2, 3), (5, 3)]
    assert circuit.noisy
    noisier = degrade(circuit, noise=Noise(0.1))
    played = sorted(k for block in sources(noisier) for k in range(block.first, block.first + block.size))
    assert played == list(range(13))


def test_variances_are_those_of_the_densities():
    circuit = compile(Flow(ornstein_uhlenbeck, {"x": np.zeros(3)}))
    run = ensemble(circuit, 4000, noise=Noise(0.0, seed=5, step=0.05), time_constants=6.0, step_accuracy=1e-4)
    exact = DENSITIES**2 / 2 * (1 - math.exp(-12))
    variance = run.final["x"].var(axis=0)
    np.testing.assert_allclose(variance, exact, rtol=3 * math.sqrt(2 / 4000) + 7 / 15 * 0.05)


def test_product_with_a_signal_is_stratonovich():
    run = ensemble(
        compile(Flow(geometric, {"x": np.ones(1)})), 4000, noise=Noise(0.0, seed=1), time_constants=2.0, step_accuracy=1e-5
    )
    logarithm = np.log(run.final["x"]).ravel()
    deviation = 0.5 * math.sqrt(2.0)
    # Under Itô's reading the mean would be −0.25.
    assert abs(logarithm.mean()) < 3 * deviation / math.sqrt(4000)
    assert logarithm.std() == pytest.approx(deviation, rel=0.04)


def test_seed_decides_the_path():
    circuit = compile(Flow(ornstein_uhlenbeck, {"x": np.zeros(3)}))
    first, same, other = (
        ensemble(circuit, 3, noise=Noise(0.0, seed=seed), time_constants=2.0).final["x"] for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first, same)
    assert abs(first - other).min() > 0


@pytest.mark.ngspice
def test_both_engines_follow_one_path():
    circuit = degrade(compile(Flow(two_states, {"x": np.zeros(2), "y": np.zeros(3)})), noise=Noise(0.0, seed=2))
    assert netlist(circuit, time_constants=5.0).tables
    assert parity(circuit, time_constants=5.0, largest_step=0.02).worst < 1e-4


@pytest.mark.parametrize("density", [-0.1, np.nan, np.inf, [1.0, 2.0], "loud"])
def test_density_that_is_none_is_refused(density):
    with pytest.raises(BadInput, match=r"white_noise: the density must be"):
        white_noise(np.zeros(3), density)
