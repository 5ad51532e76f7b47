"""The rate-distortion flow: its answer in both engines, its identities along simulated paths, and its forms."""

import dataclasses

import numpy as np
import pytest

from analogflow import RateDistortion, certify, compile, netlist, parity, simulate, solve
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.families.files import read_problem
from analogflow.flows import rate_distortion
from analogflow.flows.rate_distortion import FORMS
from analogflow.reference.rate_distortion import water_filling

HAMMING = RateDistortion([0.4, 0.3, 0.2, 0.1], 1 - np.eye(4), 3.0)
BOUNDARY = RateDistortion([0.5, 0.3, 0.2], [[0, 0.5, 1, 0.4], [1, 0.2, 0.4, 0.5], [0.8, 0.6, 0, 0.5]], 4.0)
PROBLEMS = {"hamming": HAMMING, "boundary": BOUNDARY}


def sixteen():
    rng = np.random.default_rng(6)
    x = rng.normal(size=16)
    return RateDistortion(np.full(16, 1 / 16), (x[:, None] - x[None, :]) ** 2, 3.0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_block_engine_answers_to_a_tenth_of_a_millionth(name, form):
    solution = solve(PROBLEMS[name], form=form, engine="block")
    assert solution.passed, solution
    assert solution.certificate.errors["rate_nats"] < 1e-7


@pytest.mark.ngspice
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_ngspice_answers_to_a_tenth_of_a_millionth(name, form):
    solution = solve(PROBLEMS[name], form=form, engine="ngspice")
    assert solution.passed, solution
    assert solution.certificate.errors["rate_nats"] < 1e-7


@pytest.mark.ngspice
@pytest.mark.parametrize("form", FORMS)
def test_both_engines_follow_one_path(form):
    assert parity(compile(rate_distortion(HAMMING, form=form)), time_constants=20.0, largest_step=0.005).worst < 1e-6


@pytest.mark.ngspice
def test_sixteen_symbols_in_ngspice():
    solution = solve(sixteen(), engine="ngspice")
    assert solution.certificate.errors["lagrangian_nats"] < 1e-7
    assert solution.certificate.errors["certified_gap_nats"] < 1e-6


def test_wrong_answers_are_not_certified():
    run = solve(HAMMING, engine="block").run
    other = RateDistortion(HAMMING.source, HAMMING.distortion, 3.01)
    failed = {check.name for check in certify(other, run).checks if not check.passed}
    assert "R + βD agrees with the reference" in failed
    assert "the distribution certifies its own R + βD" in failed


def test_dissipation_is_chi_square_along_a_path():
    """dΦ/dt = −χ²(T(q)‖q): the fall of Φ is the integral of χ², by Gauss's rule on the engine's own path."""
    problem = HAMMING
    circuit = compile(rate_distortion(problem, form="gibbs"))
    nodes, weights = np.polynomial.legendre.leggauss(40)
    times = np.concatenate([[0.0], 2.0 * (nodes + 1), [4.0]])
    from analogflow.simulators.block import follow

    run = follow(circuit, times, step_accuracy=1e-11)
    A, q = problem.gibbs, run.values["q"]
    scores = (problem.source / (q @ A.T)) @ A
    chi_square = (q * (scores - 1) ** 2).sum(axis=1)
    fall = run.values["phi"][0, 0] - run.values["phi"][-1, 0]
    assert 2.0 * weights @ chi_square[1:-1] == pytest.approx(fall, abs=1e-8)
    assert (np.diff(run.values["phi"][:, 0]) <= 0).all()


@pytest.mark.parametrize("form", FORMS)
def test_rates_of_the_circuit_are_those_of_the_flow(form):
    flow = rate_distortion(BOUNDARY, form=form)
    q = np.full(4, 0.25)
    A = np.exp(-BOUNDARY.beta * BOUNDARY.distortion)
    scores = (BOUNDARY.source / (A @ q)) @ A
    if form == "gibbs":
        np.testing.assert_allclose(flow.rates()["q"], q * (scores - 1), atol=1e-14)
    else:
        exact = np.log(scores) if form == "logarithmic" else scores - 1
        np.testing.assert_allclose(flow.rates()["u"], exact, atol=1e-13)


def test_sum_of_the_gibbs_form_returns_at_rate_one():
    flow = rate_distortion(HAMMING, form="gibbs")
    state = np.array([0.3, 0.4, 0.2, 0.3])
    assert flow.rates(q=state)["q"].sum() == pytest.approx(1 - state.sum())


def test_water_filling_is_where_its_flow_settles():
    from pathlib import Path

    problem = read_problem(str(Path(__file__).parents[2] / "examples/flows/water_filling.toml"))
    solution = solve(problem, engine="block")
    assert solution.passed
    wanted = water_filling(problem.constants["gain"], float(problem.constants["budget"]))
    np.testing.assert_allclose(solution.certificate.answer["power"], wanted, atol=1e-6)


def test_forms_are_named():
    with pytest.raises(BadInput, match=r"form 'printed' of the rate-distortion flow is not known; known are: logdomain"):
        rate_distortion(HAMMING, form="printed")


def test_observables_are_rate_and_distortion():
    run = simulate(netlist(compile(rate_distortion(HAMMING)), time_constants=1.0), engine="block")
    q = run.values["q"][0]
    A = np.exp(-3 * HAMMING.distortion)
    channel = q * A / (A @ q)[:, None]
    assert run.values["distortion"][0, 0] == pytest.approx((HAMMING.source[:, None] * channel * HAMMING.distortion).sum())
    assert run.values["phi"][0, 0] == pytest.approx(-HAMMING.source @ np.log(A @ q))


def test_command_line_answers_in_the_problems_terms(tmp_path, capsys):
    path = tmp_path / "p.json"
    path.write_text('{"source": [0.5, 0.5], "distortion": [[0, 1], [1, 0]], "beta": 2}')
    assert main(["solve", "rate-distortion", str(path), "--engine", "block", "--json"]) == 0
    out = capsys.readouterr().out
    assert all(f'"{name}"' in out for name in ("rate_nats", "distortion", "reproduction"))
    assert main(["solve", "rate-distortion", str(path), "--engine", "block", "--figure", str(tmp_path / "p.svg")]) == 0


@pytest.mark.parametrize("scale", [1e9, 1e-9])
@pytest.mark.ngspice
def test_units_of_the_distortion_do_not_matter_in_ngspice(scale):
    problem = RateDistortion([1 / 3] * 3, scale * (1 - np.eye(3)), 3.0 / scale)
    assert solve(problem, engine="ngspice").passed


def test_a_letter_left_a_rounding_below_zero_is_certified_as_unused():
    source = np.random.default_rng(1).dirichlet(np.ones(5))
    problem = RateDistortion(source, (np.arange(5.0)[:, None] - np.arange(5.0)) ** 2, 0.3)
    run = solve(problem, form="gibbs", engine="block").run
    values = run.values["q"].copy()
    unused = values[-1] < 1e-12
    assert unused.any()
    # A run ends on either side of zero, as its processor rounds; here on the wrong one.
    values[-1, unused] = -1e-18
    rounded = dataclasses.replace(run, values={**run.values, "q": values})
    assert certify(problem, rounded).passed
    values = values.copy()
    values[-1, unused] = -1e-3
    assert not certify(problem, dataclasses.replace(run, values={**run.values, "q": values})).passed
