"""How long a law is averaged: as its accuracy takes, within what carries it affords, and told beforehand."""

import dataclasses
import re

import numpy as np
import pytest

import analogflow as af
from analogflow.block_engine import VectorField
from analogflow.block_engine.native import library
from analogflow.errors import BadInput
from analogflow.families.ends import UNDECIDED
from analogflow.families.stationary import coarse_knots
from analogflow.judgement import averaging
from analogflow.judgement.averaging import law_plan, law_run

WELL = af.Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], 0.5)
SQUARE = af.Langevin("x**2/2", ["x"], 0.5)
TOLD = ["two wells", "square", "network"]


def circuit_of(problem):
    return af.compile(af.families.flow_of(problem))


def work(plan, circuit):
    return plan.chains * plan.longest / plan.step * VectorField(circuit.graph).width


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
@pytest.mark.parametrize("problem", [WELL, SQUARE, af.Hopfield([[0.6]], [0.5], temperature=0.2)], ids=TOLD)
def test_no_run_costs_more_than_its_march_affords(engine, problem, monkeypatch):
    circuit = circuit_of(problem)
    seconds = {}
    for compiled in (True, False):
        if not compiled:
            monkeypatch.setattr(averaging, "compiled_program", lambda field: None)
        means = averaging._means_of(engine, circuit, VectorField(circuit.graph))
        plan = law_plan(circuit, engine)
        assert plan.end <= plan.longest
        assert work(plan, circuit) <= means.work * (1 + 1e-9)
        assert means.work * means.seconds < 60  # on one processor; chains of a simulator share some
        seconds[compiled] = plan
    if engine == "ngspice":
        assert seconds[True] == seconds[False]
        assert seconds[True].chains == 4
    elif library() is not None:
        assert work(seconds[False], circuit) < work(seconds[True], circuit)
        assert seconds[False].aim > seconds[True].aim


def test_a_run_goes_on_until_it_finds_the_error_that_is_asked_for():
    circuit = circuit_of(SQUARE)
    ends = []
    for accuracy in (0.2, 0.05):
        plan = dataclasses.replace(law_plan(circuit, "block", chains=8, step=0.1, accuracy=accuracy), end=20.0)
        _, run = law_run(circuit, plan, engine="block")
        law = averaging.law_of(run, ("x",), skipped=run.record["skipped"])
        assert law.known_to <= accuracy
        ends.append(run)
    short, long = ends
    assert long.time[-1] > 4 * short.time[-1] > 80
    # It begins as the shorter one did: its length alone decides what it plays.
    times = short.time[short.time < 20][::10]
    paths = [np.interp(times, run.time, run.values["x"][:, 0]) for run in ends]
    assert abs(paths[0] - paths[1]).max() < 0.05


def test_what_can_not_be_reached_ends_at_the_bound():
    circuit = circuit_of(WELL)
    plan = dataclasses.replace(law_plan(circuit, "block", chains=4, accuracy=1e-4), longest=40.0, end=10.0)
    _, run = law_run(circuit, plan, engine="block")
    assert run.time[-1] == pytest.approx(40.0)


def test_notes_tell_how_long_it_takes_and_why_chains_may_not_mix():
    deep = circuit_of(af.Langevin("(x**2 - 1)**2", ["x"], 0.08))
    said = str(law_plan(deep, "block", time_constants=50.0))
    assert "chains of 50 τ, about" in said
    assert "what is slowest takes about" in said
    assert "would tell" in said
    assert "would tell" not in str(law_plan(circuit_of(SQUARE), "block"))


def test_what_takes_for_ever_is_refused_with_a_way_out():
    with pytest.raises(BadInput, match="take a higher temperature, or give a time"):
        law_plan(circuit_of(af.Langevin("(x**2 - 1)**2", ["x"], 0.02)), "block")


@pytest.mark.parametrize("problem", [WELL, SQUARE, af.Hopfield([[0.6]], [0.5], temperature=0.2)], ids=TOLD)
def test_steps_that_change_the_law_by_more_than_is_asked_never_pass(problem):
    """The covariance of a square lacks 7/15 of a knot: at half a time constant more than a fifth of it."""
    usual = af.families.flow_of(problem).averaging.noise_step
    with pytest.raises(BadInput, match=r"step: noise with knots .* apart would change the law; .* suits the fastest motion"):
        af.solve(problem, engine="block", step=5.5 * usual, time_constants=200.0)
    with pytest.raises(BadInput, match="would change the law"):
        af.solve(problem, engine="block", step=2000 * usual, time_constants=200.0)
    found = af.solve(problem, engine="block", step=4.9 * usual, time_constants=200.0, chains=16, accuracy=0.05)
    told = [check.detail for check in found.certificate.checks if check.verdict == UNDECIDED]
    assert len(told) == 2
    assert "may itself change the law by" in told[0]
    assert float(told[0].split("a step of ")[1].split()[0]) <= usual


def test_the_step_that_would_tell_is_shorter_than_the_one_that_did_not():
    """Of Rosenbrock's valley at the usual step: what it changes is in proportion to the step."""
    said = coarse_knots(1.2, 0.25, 0.0017, 0.0017)
    step = float(said.split("a step of ")[1].split()[0])
    assert step == 0.00035
    assert coarse_knots(1.2 * step / 0.0017, 0.25, step, 0.0017) == ""


@pytest.mark.slow
@pytest.mark.skipif(library() is None, reason="needs a C compiler")
def test_advice_is_longer_than_what_was_not_enough():
    stiff = af.Langevin("5000*x**2 + y**2/2 + 3*sin(x)*y", ["x", "y"], 1.0)
    found = af.solve(stiff, engine="block", time_constants=4.0, chains=4)
    advised = [float(re.search(r"about (\S+) τ in each", check.detail)[1])
               for check in found.certificate.checks if "τ in each" in check.detail]  # fmt: skip
    assert advised
    assert min(advised) > 4.0


@pytest.mark.parametrize(
    "asked",
    [{"chains": 10**7}, {"chains": 0}, {"chains": 2.5}, {"skip": -1.0}, {"step": 0.0}, {"step": np.nan}, {"skip": 60.0}],
)
def test_numbers_that_can_not_be_are_refused(asked):
    with pytest.raises(BadInput, match=next(iter(asked))):
        law_plan(circuit_of(WELL), "block", time_constants=50.0, **asked)
