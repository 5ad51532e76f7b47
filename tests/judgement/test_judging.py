"""Measures of batches: the same numbers as certificates of single runs, for every family."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from zoo import PAPER_ROWS

import analogflow as af
from analogflow.families import judging_family, problem_of
from analogflow.families.files import read_problem
from analogflow.judgement import certify, judge, judging
from analogflow.judgement.judging import batched, judge_along
from analogflow.reference import hopfield_reference, transport_reference

DATA = Path(__file__).parents[2] / "examples/data"
FLOWS = Path(__file__).parents[2] / "examples/flows"

PROBLEMS = {
    "capacity": lambda: af.Channel(PAPER_ROWS),
    "capacity with an unavailable input": lambda: af.Channel(PAPER_ROWS, unavailable=[1]),
    "capacity with a cost": lambda: af.Channel(PAPER_ROWS, cost=[0, 1, 1], cost_limit=0.4),
    "rate-distortion": lambda: read_problem("rate-distortion", DATA / "rate_distortion_hamming.json"),
    "transport": lambda: read_problem("transport", DATA / "transport_three.json"),
    "attention": lambda: read_problem("attention", DATA / "attention_three_tokens.json"),
    "hopfield": lambda: read_problem("hopfield", DATA / "hopfield_rest.json"),
    "langevin without noise": lambda: af.Langevin("x**4 - x**2 + 0.3*x", ["x"], 0.0, start=[1.0]),
    "custom": lambda: read_problem(str(FLOWS / "lotka_volterra.toml")),
    "custom with a free mean": lambda: read_problem(str(FLOWS / "kuramoto_ring.toml")),
}


def batch(run: af.Run) -> tuple[dict, dict]:
    return {n: v[-1:] for n, v in run.values.items()}, {n: v[None] for n, v in run.values.items()}


@pytest.mark.parametrize("name", PROBLEMS)
def test_measures_of_a_batch_of_one_are_the_errors_of_its_certificate(name: str) -> None:
    problem = PROBLEMS[name]()
    flow = af.solve(problem, engine="block", time_constants=3.0).flow
    run = af.simulate(af.netlist(af.compile(flow), time_constants=3.0), engine="block")
    finals, paths = batch(run)
    found = judge(problem_of(flow), finals, paths=paths, times=run.time, end=float(run.time[-1])).errors
    errors = certify(flow.problem, run).errors
    assert errors.keys() <= found.keys()
    for key, value in errors.items():
        assert found[key].shape == (1,)
        assert found[key][0] == pytest.approx(value, rel=1e-9, abs=1e-12), key
    assert judging_family(problem_of(flow)).primary in found


@pytest.mark.parametrize("name", PROBLEMS)
def test_errors_on_the_way_end_in_those_of_the_certificate(name: str) -> None:
    problem = PROBLEMS[name]()
    solution = af.solve(problem, engine="block", time_constants=3.0)
    last = len(solution.run.time) - 1
    found = judge_along(problem, solution.run, [last // 3, last])
    assert {name: errors[-1] for name, errors in found.items()} == solution.certificate.errors
    earlier = certify(problem, stopped_at(solution.run, last // 3))
    for kept in found.keys() & {"simplex", "sphere", "rows", "rise"}:
        assert found[kept][0] == earlier.errors[kept] <= found[kept][-1]


def stopped_at(run: af.Run, point: int) -> af.Run:
    values = {name: value[: point + 1] for name, value in run.values.items()}
    return af.Run(run.time[: point + 1], values, af.Outcome.COMPLETED)


@pytest.mark.parametrize("form", ["logdomain", "replicator", "normalised"])
def test_the_state_read_by_an_ideal_instrument_is_better_than_the_circuits_own_reading(form: str) -> None:
    flow = af.flows.capacity(af.Channel(PAPER_ROWS), form=form)
    given = {"resting_speed": 1e-9, "time_constants": 500}
    runs = af.ensemble(af.compile(flow), 20, imperfections=af.Imperfections(offset=1e-3), **given)
    found = judge(problem_of(flow), runs.final).errors
    assert (found["state_nats"] < found["capacity_nats"]).mean() > 0.8
    exact = af.ensemble(af.compile(flow), 1, **given)
    assert judge(problem_of(flow), exact.final).errors["state_nats"][0] < 1e-12


def test_a_law_is_measured_by_its_mean_and_covariance() -> None:
    problem = af.Langevin("(x**2 + y**2 + x*y)/2", ["x", "y"], 0.5)
    flow = af.flows.langevin(problem)
    times = np.linspace(0, 200, 2001)
    noise = af.Noise(0.0, seed=1, step=0.1)
    runs = af.ensemble(af.compile(flow), 3, noise=noise, time_constants=200.0, save=times, step_accuracy=1e-5)
    found = judge(problem_of(flow), runs.final, paths=runs.values, times=times, end=200.0).errors
    for k in range(3):
        run = af.Run(times, {name: value[k] for name, value in runs.values.items()}, af.Outcome.COMPLETED)
        errors = certify(problem, run).errors
        assert {name: value[k] for name, value in found.items()} == pytest.approx({n: errors[n] for n in found}, rel=1e-9)


def test_what_is_not_finite_is_measured_as_nothing() -> None:
    flow = af.flows.capacity(af.Channel(PAPER_ROWS), form="replicator")
    found = judge(problem_of(flow), {"z": np.array([[np.nan, 0.5, 0.5], [-1.0, -1.0, -1.0], [1 / 3, 1 / 3, 1 / 3]])}).errors
    assert np.isnan(found["state_nats"]).tolist() == [True, True, False]


@pytest.mark.parametrize("mass", [1e-3, 1.0, 200.0])
def test_a_row_that_is_off_fails_whatever_the_mass(mass: float) -> None:
    """A fifth of a row is missing, of 0.6 of the mass, where 2 % of the row is let pass."""
    problem = af.Transport([[0.0, 1.0], [1.0, 0.0]], [0.6 * mass, 0.4 * mass], [0.5 * mass, 0.5 * mass], 0.5)
    plan = transport_reference(problem).plan
    for share, right in ((0.8, False), (0.999, True)):
        finals = {"plan": (plan * np.array([[share], [1.0]])).reshape(1, -1)}
        (rows,) = [held for held in judge(problem, finals, limit=0.02).held if "row sums" in held.name]
        assert rows.passed.tolist() == [right]


def test_a_rest_is_judged_by_its_own_size() -> None:
    problem = af.Langevin("x**2/2", ["x"], 0.0)
    alone = judge(problem, {"x": np.array([[0.3]])}, limit=1e-3, end=1.0).passed
    beside = judge(problem, {"x": np.array([[0.3], [1e6]])}, limit=1e-3, end=1.0).passed
    assert [*alone, *beside] == [False, False, False]


@pytest.mark.parametrize("unit", [1e-5, 1.0, 1e5])
def test_a_cost_over_its_limit_fails_whatever_it_counts_in(unit: float) -> None:
    """The limit is 0.5 of the dearer input's cost; z spends 0.45 or 0.55 of it."""
    channel = af.Channel([[0.9, 0.1], [0.2, 0.8]], cost=[0.0, unit], cost_limit=0.5 * unit)
    for spent, right in ((0.45, True), (0.55, False)):
        finals = {"z": np.array([[1 - spent, spent]]), "capacity_nats": np.array([[0.3]])}
        (cost,) = [held for held in judge(channel, finals, limit=0.02).held if "mean cost" in held.name]
        assert cost.passed.tolist() == [right]


def test_a_rest_whose_reference_is_not_known_passes_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rest known to 0.1 passed in studies and restarts, and failed in certificates alone."""
    problem = af.Hopfield(U=[[0.3]], I=[0.5], activation="linear")
    solution = af.solve(problem, engine="block")
    assert solution.passed
    unknown = dataclasses.replace(hopfield_reference(problem), gap=0.1)
    monkeypatch.setattr(judging, "reference_for", lambda *_: unknown)
    finals = {name: solution.run.final[name][None] for name in solution.run.values}
    assert judge(problem, finals, limit=1e-6).failed(0) == ["the reference itself is known"]
    assert [c.name for c in certify(problem, solution.run).checks if not c.passed] == ["the reference itself is known"]
    circuit = solution.circuit
    runs = af.ensemble(circuit, 2, time_constants=60)
    assert af.restart_classes(circuit, runs).tolist() == ["wrong answer"] * 2


def test_an_answer_has_one_error_whichever_way_it_was_come_to():
    """The full scale is that of the flow's start too: of a restart near the answer, and of an end without its path."""
    problem = af.Equations({"x": 5.0}, {"x": "1 - x"}, observables={"twice": "2 * x"})
    finals = {"x": np.array([[1.01]]), "twice": np.array([[2.02]])}
    near = {name: np.linspace(1.1, 1.0, 5)[None, :, None] * value for name, value in finals.items()}
    far = {name: np.linspace(5.0, 1.0, 5)[None, :, None] * value / 1.01 for name, value in finals.items()}
    for paths in (None, near, far):
        errors = judge(problem, finals, paths=paths, end=60.0).errors
        assert [float(errors[name][0]) for name in ("x", "twice")] == pytest.approx([0.01 / 5.0] * 2, rel=1e-6)


@pytest.mark.parametrize("accuracy", [-1.0, 0.0, float("nan"), "x"])
def test_an_accuracy_that_is_no_positive_number_is_refused(accuracy):
    for verb in (af.solve, af.verify):
        with pytest.raises(af.BadInput, match=r"accuracy: .* is not a positive number"):
            verb(af.Channel(PAPER_ROWS), engine="block", accuracy=accuracy)


def test_one_run_as_the_only_of_many_is_the_run_itself():
    run = af.Run(np.arange(4.0), {"x": np.array([[1.0, 2.0], [0.5, 1.0], [0.2, 0.6], [0.1, 0.5]])}, af.Outcome.NOT_SETTLED)
    many = batched(run)
    assert many.outcomes == (af.Outcome.NOT_SETTLED,)
    assert many.ok.tolist() == [False]
    assert many.end.tolist() == [3.0]
    assert many.final["x"].tolist() == [[0.1, 0.5]]
    assert batched(many) is many
    again = many.sample(0)
    assert again.time.tolist() == run.time.tolist()
    assert again.values["x"].tolist() == run.values["x"].tolist()


def test_noise_may_lift_the_energy_of_a_network_as_far_as_its_states_may_be_off():
    problem = PROBLEMS["hopfield"]()
    circuit = af.compile(af.flows.hopfield(problem))
    times = np.linspace(0.0, 40.0, 401)
    runs = af.ensemble(circuit, 24, noise=af.Noise(0.03, seed=1), time_constants=40.0, save=times)
    late = {name: value[:, times >= 30.0] for name, value in runs.values.items()}
    judged = judge(problem, runs.final, limit=0.05, paths=late, times=times[times >= 30.0], end=40.0)
    near = judged.errors["mean"] <= 0.05
    assert near.mean() > 0.5
    assert judged.passed.tolist() == near.tolist()
    # The twin: held to an accuracy that it can not have, its energy rises.
    strict = judge(problem, runs.final, limit=1e-4, paths=late, times=times[times >= 30.0], end=40.0)
    assert all("the energy never rises" in strict.failed(k) for k in range(24))


def test_each_of_many_runs_is_judged_as_it_is_alone_at_its_own_end():
    """`y` goes on while `x` rests: held against the end of another run, none would be right."""
    problem = af.Equations({"x": 0.0, "y": 0.0}, {"x": "1 - x", "y": "0.1"})
    ends = np.array([9.0, 8.0, 9.0, 7.5])
    finals = {"x": 1 - np.exp(-ends)[:, None], "y": 0.1 * ends[:, None] + np.array([[0.0], [0.0], [1e-3], [0.0]])}
    together = judge(problem, finals, end=ends)
    alone = [judge(problem, {name: value[[k]] for name, value in finals.items()}, end=ends[k]) for k in range(4)]
    for name, errors in together.errors.items():
        assert errors == pytest.approx([each.errors[name][0] for each in alone], abs=1e-15)
    assert together.passed.tolist() == [each.passed[0] for each in alone] == [True, True, False, True]
    assert [together.checks(k) for k in range(4)] == [each.checks() for each in alone]
    assert not judge(problem, finals, end=9.0).passed[1]
