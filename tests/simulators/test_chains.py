"""Chains of one circuit: each is the run that it would be alone, whichever way an engine carries them."""

import dataclasses

import numpy as np
import pytest

import analogflow as af
from analogflow.compiler import rebuilt
from analogflow.errors import BadInput
from analogflow.simulators import simulate
from analogflow.simulators.chains import chain_starts, simulate_chains

WELL = af.Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], 0.5)


def circuit_of(**conditions):
    return af.degrade(af.compile(af.flows.langevin(WELL)), **conditions)


def alone(circuit, chain, start, engine):
    noise = dataclasses.replace(circuit.noise, chain=chain)
    own = rebuilt(circuit, starts=start, conditions=dataclasses.replace(circuit.conditions, noise=noise))
    return simulate(af.netlist(own, time_constants=2.0), engine=engine)


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_a_chain_is_the_run_that_it_would_be_alone(engine):
    """With the deviations of its circuit, its start, and the noise of its number."""
    circuit = circuit_of(imperfections=af.Imperfections(mismatch=0.05), sample=3)
    starts = {"x": np.array([[1.0], [-1.0], [0.3]])}
    found = simulate_chains(circuit, 3, engine=engine, end=2.0, first=4, starts=starts)
    for k, run in enumerate((found, *found.chains)):
        wanted = alone(circuit, 4 + k, {"x": starts["x"][k]}, engine)
        assert run.values["x"][0] == pytest.approx(starts["x"][k])
        theirs = np.interp(run.time, wanted.time, wanted.values["x"][:, 0])
        assert run.values["x"][:, 0] == pytest.approx(theirs, abs=2e-3 if engine == "block" else 1e-9)
    assert len({float(run.final["x"][0]) for run in (found, *found.chains)}) == 3


def test_chains_begin_where_the_averaging_says():
    flow = af.flows.langevin(WELL)
    flow = dataclasses.replace(flow, averaging=dataclasses.replace(flow.averaging, starts=((1.0,), (-1.0,))))
    assert chain_starts(flow, 4)["x"].tolist() == [[0.0], [1.0], [-1.0], [1.0]]
    assert chain_starts(flow, 2, 2)["x"].tolist() == [[-1.0], [1.0]]


@pytest.mark.parametrize("count", [0, 2**24])
def test_a_number_of_chains_that_can_not_be_is_refused(count):
    with pytest.raises(BadInput, match="is not a number of chains"):
        simulate_chains(circuit_of(), count, engine="block", end=1.0, first=1)


@pytest.mark.parametrize("option", [{"chains": 4}, {"skip": 1.0}, {"step": 0.1}])
def test_an_answer_that_is_no_law_has_no_chains(option):
    with pytest.raises(BadInput, match="is no law that chains tell; leave it out"):
        af.solve(af.Channel([[0.9, 0.1], [0.1, 0.9]]), engine="block", **option)


@pytest.mark.parametrize("option", [{"chains": 0}, {"chains": 1.5}, {"skip": -1.0}, {"step": 0.0}])
def test_options_of_a_law_that_can_not_be_are_refused(option):
    with pytest.raises(BadInput, match=r"is not a (whole|positive) number"):
        af.solve(WELL, engine="block", **option)


def test_options_of_a_law_take_effect():
    found = af.solve(WELL, engine="block", time_constants=20.0, chains=3, skip=5.0, step=0.01)
    law = found.certificate.law
    assert (len(found.run.chains), law.length, found.circuit.noise.step) == (2, pytest.approx(15.0, rel=1e-2), 0.01)
    with pytest.raises(BadInput, match="leave nothing to average"):
        af.solve(WELL, engine="block", time_constants=20.0, skip=20.0)
