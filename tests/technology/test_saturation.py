"""Softmax arrays of op-amp circuits: right as far as their transistors do not saturate, refused beyond."""

import numpy as np
import pytest

import analogflow as af
from analogflow.errors import BadInput


def problem(epsilon):
    """Two sources and two sinks whose cheap plan is the only one at low ε."""
    return af.Transport(cost=[[0, 1], [1, 0]], row=[0.3, 0.7], column=[0.7, 0.3], epsilon=epsilon)


@pytest.mark.ngspice
@pytest.mark.parametrize("epsilon", [0.5, 0.1])
@pytest.mark.parametrize("form", ["potential", "scaling"])
def test_ten_nats_of_cost_are_right(form, epsilon):
    circuit = af.compile(af.flows.transport(problem(epsilon), form=form), technology="opamp")
    plan = af.simulate(af.netlist(circuit)).final["plan"]
    # Row sums and column sums fix a plan of 2 × 2 but for one number, whose odds ratio is exp(−2/ε).
    ratio = np.exp(-2 / epsilon)
    roots = np.roots([1 - ratio, 0.4 + ratio, -0.3 * ratio])
    (x,) = [root for root in roots.real if 0 <= root <= 0.3]
    assert plan == pytest.approx([0.3 - x, x, 0.4 + x, 0.3 - x], abs=1e-2)


@pytest.mark.parametrize("epsilon", [0.03, 0.01, 1e-3, 1e-5])
@pytest.mark.parametrize("form", ["potential", "scaling"])
def test_what_would_saturate_is_refused_with_what_to_do(form, epsilon):
    flow = af.flows.transport(problem(epsilon), form=form)
    with pytest.raises(BadInput, match=r"transistors saturate beyond 16.*take a larger temperature"):
        af.compile(flow, technology="opamp")


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e2, 1e4])
@pytest.mark.parametrize("technology", ["opamp", "translinear"])
def test_whatever_the_exponents_a_netlist_has_finite_numbers_or_is_refused(technology, scale):
    source = af.RateDistortion(source=[0.6, 0.4], distortion=[[0, scale], [scale, 0]], beta=1.0)
    matrix = af.Transport(cost=[[0, scale], [scale, 0]], row=[0.5, 0.5], column=[0.5, 0.5], epsilon=1.0)
    for make, given, form in ((af.flows.rate_distortion, source, "logarithmic"), (af.flows.transport, matrix, "scaling")):
        try:
            deck = af.netlist(af.compile(make(given, form=form), technology=technology))
        except af.AnalogflowError:
            continue
        words = " ".join(deck.body).replace("=", " ").replace("*", " ").split()
        assert not {"nan", "inf", "-inf"} & set(words)
