"""A circuit whose next point ngspice does not find within the usual tolerances is run again with looser ones."""

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.simulators import ensemble


@pytest.mark.ngspice
@pytest.mark.parametrize(("sample", "second"), [(94, True), (0, False)])
def test_a_normaliser_that_wakes_up_costs_no_sample(sample: int, second: bool) -> None:
    """At 15.756 τ all states of sample 94 are negative, and one returns."""
    circuit, noise = af.compile(af.flows.capacity(PAPER, form="normalised")), af.Noise(0.3, seed=0)
    deck = af.netlist(af.degrade(circuit, noise=noise, sample=sample), time_constants=20.0)
    run = af.simulate(deck, engine="ngspice")
    assert run.outcome is af.Outcome.COMPLETED
    assert ("options" in run.record) is second
    same = ensemble(circuit, [sample], noise=noise, time_constants=20.0)
    np.testing.assert_allclose(run.final["z"], same.final["z"][0], atol=2e-2)
