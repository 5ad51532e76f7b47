"""The product of two matrices of signals: relation, derivatives, and how it is placed and built."""

import numpy as np
import pytest

from analogflow.blocks import MatrixProduct
from analogflow.compiler import compile
from analogflow.errors import BadInput
from analogflow.flows import Flow
from analogflow.netlister import netlist
from analogflow.passes import check
from analogflow.simulators import ENGINES, simulate

BLOCK = MatrixProduct(size=6, rows=2, inner=4, columns=3)


def test_relation_is_the_product_for_each_sample():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(5, 7, 8)), rng.normal(size=(5, 7, 12))
    found = BLOCK.relation(a, b)
    assert found.shape == (5, 7, 6)
    np.testing.assert_allclose(found[2, 3], (a[2, 3].reshape(2, 4) @ b[2, 3].reshape(4, 3)).ravel(), rtol=1e-14)
    np.testing.assert_allclose(BLOCK.relation(a, b[0, 0])[2, 3], BLOCK.relation(a[2, 3], b[0, 0]), rtol=1e-14)


@pytest.mark.parametrize("samples", [(), (2,), (2, 3)])
def test_derivative_is_that_of_the_relation(samples):
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(*samples, 8)), rng.normal(size=(*samples, 12))
    by_a, by_b = BLOCK.derivative(a, b)
    # The product is linear in each factor, so differences over a whole step are exact.
    for k, step in enumerate(np.eye(8)):
        np.testing.assert_allclose(
            by_a.apply(np.eye(8))[..., k], BLOCK.relation(a + step, b) - BLOCK.relation(a, b), atol=1e-14
        )
    for k, step in enumerate(np.eye(12)):
        moved = BLOCK.relation(a, b + step) - BLOCK.relation(a, b)
        np.testing.assert_allclose(by_b.apply(np.eye(12))[..., k], moved, atol=1e-14)


def oja(x):
    """Rows turn towards each other; 3 × 10, so that a sum of ten products is spread over two sources."""
    return x - (x @ x.T) @ x


FLOW = Flow(oja, {"x": np.random.default_rng(4).normal(size=(3, 10)) / 3})


@pytest.mark.parametrize("engine", [pytest.param(e, marks=pytest.mark.ngspice if e == "ngspice" else ()) for e in ENGINES])
def test_engines_follow_the_function(engine):
    from scipy.integrate import solve_ivp

    circuit = compile(FLOW)
    assert circuit.graph.counts()["matrix_product"] == 9 + 30
    run = simulate(netlist(circuit, time_constants=2, largest_step=0.002), engine=engine)
    exact = solve_ivp(
        lambda t, y: FLOW.rates(x=y.reshape(3, 10))["x"].ravel(), (0, 2), FLOW.states["x"].ravel(), rtol=1e-11, atol=1e-13
    )
    np.testing.assert_allclose(run.final["x"], exact.y[:, -1], atol=3e-6)
    wide = [e for e in circuit.elements if e.name.startswith("matrix_product1_0_") or e.name == "matrix_product1_0"]
    assert len(wide) == 2


def test_a_port_of_the_wrong_size_is_refused():
    def mismatched(x):
        return x.builder.place(MatrixProduct(size=4, rows=2, inner=3, columns=2), (x, x), (2, 2))

    with pytest.raises(BadInput, match=r"takes 6 signals and gets 4"):
        check(Flow(mismatched, {"x": np.eye(2)}).graph())
