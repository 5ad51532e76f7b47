"""One contract for all engines: paths, outcomes and records do not depend on which made the run; which engine runs."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from zoo import PAPER

import analogflow as af
from analogflow.blocks import Imperfections
from analogflow.compiler import compile, degrade
from analogflow.errors import BadInput, MissingProgram, SimulationFailed
from analogflow.families.files import read_problem
from analogflow.flows import Flow, Simplex, capacity
from analogflow.judgement import cross_check
from analogflow.judgement.certificate import allowed_error
from analogflow.netlister import netlist
from analogflow.noise import Noise
from analogflow.passes import limits_of, sample_parts
from analogflow.problems import Channel
from analogflow.run import Outcome
from analogflow.simulators import ENGINES, ending, engines, ensemble, simulate
from analogflow.simulators.ngspice import library
from analogflow.simulators.readout import settle_of

ROOT = Path(__file__).parents[2]


def outcome_of(function, time_constants=60.0):
    circuit = degrade(compile(Flow(function, {"x": np.zeros(2)})), noise=Noise(0.05, seed=4))
    return simulate(netlist(circuit, time_constants=time_constants), engine="block", resting_speed=1e-9).outcome


def test_a_mean_that_rests_is_stationary():
    def relax(x):
        return 1.0 - x

    assert outcome_of(relax) is Outcome.STATIONARY


@pytest.mark.parametrize("speed", [-1, np.nan, np.inf, "1e-9", None, True])
@pytest.mark.parametrize("verb", [simulate, lambda circuit, **given: ensemble(circuit, 2, **given)])
def test_what_is_no_speed_of_rest_is_refused(verb, speed):
    with pytest.raises(BadInput, match=f"^resting_speed: {speed!r} is not a speed of 0 flow units per τ or more\\.$"):
        verb(compile(capacity(PAPER)), resting_speed=speed)


@pytest.mark.parametrize("speed", [0.05, 1.0])
def test_a_mean_that_drifts_is_not(speed):
    def drift(x):
        return 0 * x + speed

    assert outcome_of(drift) is Outcome.NOT_SETTLED


def test_a_stationary_answer_is_hardly_ever_taken_for_one_that_drifts():
    """A quarter of a run is only three correlation times of this one: its means differ by half a range in one run of ten."""
    flow, times = capacity(PAPER), np.linspace(0, 60, 601)
    runs = ensemble(compile(flow), 200, noise=Noise(0.01, seed=5), time_constants=60.0, save=times, step_accuracy=1e-4)
    found = [ending._fluctuating(times, path) for path in runs.values["z"]]
    assert found.count(Outcome.NOT_SETTLED) <= 1


@pytest.mark.parametrize(
    "mean",
    [lambda t: np.exp(-0.02 * t), lambda t: np.exp(-0.05 * t), lambda t: 0.01 * t, lambda t: np.maximum(t - 45, 0)],
    ids=["far from rest", "near it", "without end", "that leaves late"],
)
def test_a_mean_that_moves_is_seen_in_noise_that_is_small_beside_it(mean):
    times = np.linspace(0, 60, 601)
    noise = 0.01 * np.sin(np.outer(times, [3.1, 2.3, 1.7])).mean(axis=1)
    assert ending._fluctuating(times, (mean(times) + noise)[:, None]) is Outcome.NOT_SETTLED


def test_nothing_is_said_of_a_few_points():
    def relax(x):
        return 1.0 - x

    assert outcome_of(relax, 0.3) is Outcome.NOT_SETTLED


def test_a_state_that_follows_another_at_once_is_no_endless_run():
    circuit = compile(Flow(lambda x, y: (-1e9 * (x - np.sin(y)), 1.0 - y), {"x": np.zeros(1), "y": np.zeros(1)}))
    run = simulate(netlist(circuit, time_constants=60.0), engine="block", resting_speed=1e-9)
    assert run.outcome is Outcome.SETTLED
    assert run.final["x"][0] == pytest.approx(np.sin(1.0), abs=1e-7)


@pytest.mark.parametrize("imperfect", [False, True])
def test_a_run_whose_steps_are_too_short_to_end_is_stopped(imperfect):
    """An oscillation of 1e4 per τ over 1e5 τ takes any method more steps than anybody waits for."""
    circuit = compile(Flow(lambda x, y: (1e4 * y, -1e4 * x), {"x": np.ones(1), "y": np.zeros(1)}))
    circuit = degrade(circuit, noise=Noise(1e-3, seed=1)) if imperfect else circuit
    with pytest.raises(SimulationFailed, match=r"block engine reached t = .* within the time limit of 0\.05 s"):
        simulate(netlist(circuit, time_constants=1e5), engine="block", time_limit=0.05)


@pytest.mark.parametrize("asked", [None, "block", "spice", "ngspice"])
@pytest.mark.parametrize("library", [None, "libngspice.so"])
def test_simulate_picks_the_engine_that_solve_picks(monkeypatch, library, asked):
    circuit, ran = compile(Flow(lambda x: -x, {"x": np.ones(2)})), []
    monkeypatch.setattr(engines, "find_library", lambda: library)

    def noted(name):
        return lambda deck, **_: ran.append(name) or engines.block.run(deck, resting_speed=0.0, time_limit=60.0)

    noting = {name: dataclasses.replace(engine, run=noted(name)) for name, engine in engines.ENGINES.items()}
    monkeypatch.setattr(engines, "ENGINES", noting)
    monkeypatch.setattr(engines, "find_programs", lambda: None)  # what stands in where ngspice is missing
    simulate(circuit, engine=asked)
    simulator = "vacask" if library is None else "ngspice"
    found = {None: simulator, "spice": simulator}
    assert ran == [engines.engine_for("ideal", asked)] == [found.get(asked, asked)]


def _nothing():
    raise MissingProgram("VACASK is missing.")


def test_without_any_simulator_the_block_engine_is_used_and_the_message_names_what_needs_no_root(monkeypatch):
    monkeypatch.setattr(engines, "find_library", lambda: None)
    monkeypatch.setattr(library, "find_library", lambda: None)
    monkeypatch.setattr(engines, "find_programs", _nothing)
    assert engines.default_choice() == engines.Choice(
        "block", "ngspice was not found, so the block engine is used. VACASK is missing."
    )
    for asked in ("spice", None):
        with pytest.raises(MissingProgram, match=r"libngspice0.*pip install 'analogflow\[vacask\]'"):
            engines.engine_for("opamp", asked)


@pytest.mark.parametrize(
    ("file", "word"),
    [
        ("triangle_generator", "VACASK has no switch that remembers"),
        ("integrate_and_fire", "no netlist can set a state anew"),
    ],
)
def test_a_flow_that_vacask_refuses_is_run_by_the_block_engine_with_a_word(monkeypatch, file, word):
    monkeypatch.setattr(engines, "find_library", lambda: None)
    monkeypatch.setattr(engines, "find_programs", lambda: None)
    problem, told = read_problem(str(ROOT / f"examples/flows/{file}.toml"), None), []
    solution = af.solve(problem, on_note=told.append)
    assert (solution.engine, solution.passed) == ("block", True)
    assert told[0].startswith(f"ngspice was not found, and VACASK refuses the circuit, so the block engine runs it: {word}")


def test_only_the_equations_of_a_nominal_circuit_may_stand_for_its_parts():
    assert engines.engine_for("opamp", "block", nominal=True) == "block"
    with pytest.raises(BadInput, match="knows no parts"):
        engines.engine_for("opamp", "block")


def test_deviating_parts_are_refused_by_an_engine_that_knows_no_parts_however_they_came_to_deviate():
    """Were they ignored, the run would be that of the nominal circuit, to the last digit."""
    circuit = compile(Flow(lambda x: -x, {"x": np.ones(2)}), technology="opamp")
    for deviating in (sample_parts(circuit, seed=3), degrade(circuit, Imperfections(mismatch=0.01))):
        assert not deviating.nominal
        assert allowed_error(deviating) == 0.05 > allowed_error(circuit)
        with pytest.raises(BadInput, match="the block engine integrates equations and knows no parts"):
            simulate(deviating, engine="block")
        with pytest.raises(BadInput, match="the block engine integrates equations and knows no parts"):
            cross_check(deviating, ("block", "ngspice"))
    noisy = degrade(circuit, noise=Noise(1e-3, seed=1))
    assert not noisy.nominal
    assert not noisy.deviates  # the same parts: its equations may stand for them


@pytest.mark.parametrize(
    ("spoilt", "outcome", "said"),
    [
        (lambda v: np.full_like(v, np.nan), Outcome.SETTLED, "values of 'x' that are not finite"),
        (lambda v: v.T, Outcome.COMPLETED, r"values of 'x' of shape \(2, \d+\) instead of \(\d+, 2\), time first"),
        (lambda v: v[:, :1], Outcome.SETTLED, r"values of 'x' of shape \(\d+, 1\) instead of \(\d+, 2\), time first"),
        (lambda v: v[1:], Outcome.SETTLED, r"values of 'x' of shape \(\d+, 2\) instead of \(\d+, 2\), time first"),
        (None, Outcome.SETTLED, "no values of 'x'"),
        (lambda v: v, Outcome.SETTLED, None),
        (lambda v: np.full_like(v, np.inf), Outcome.BLEW_UP, None),
    ],
)
def test_what_an_engine_returns_is_a_run_of_the_circuit(monkeypatch, spoilt, outcome, said):
    real = engines.ENGINES["block"]

    def run(deck, **options):
        found = real.run(deck, **options)
        values = {} if spoilt is None else {"x": spoilt(found.values["x"])}
        return dataclasses.replace(found, values=values, outcome=outcome)

    monkeypatch.setattr(engines, "ENGINES", {"rk4": dataclasses.replace(real, name="rk4", run=run)})
    circuit = compile(Flow(lambda x: 1.0 - x, {"x": np.zeros(2)}))
    if said is None:
        assert simulate(circuit, engine="rk4").outcome is outcome
        return
    with pytest.raises(SimulationFailed, match=rf"^the engine 'rk4' returned {said}; mend it, or take another\.$"):
        simulate(circuit, engine="rk4")


@pytest.mark.parametrize("library", [None, "libngspice.so"])
def test_what_a_verb_prefers_stands_where_nothing_is_asked_for_and_there_are_no_parts(monkeypatch, library):
    monkeypatch.setattr(engines, "find_library", lambda: library)
    monkeypatch.setattr(engines, "find_programs", lambda: None)
    simulator = "vacask" if library is None else "ngspice"
    assert engines.engine_for("ideal", prefer="block") == "block"
    assert engines.engine_for("opamp", prefer="block") == simulator
    assert engines.engine_for("ideal", "spice", prefer="block") == simulator


STABILISED = ("logdomain", "replicator", "normalised")

every_engine = pytest.mark.parametrize(
    "engine", [pytest.param(e, marks=pytest.mark.ngspice if e == "ngspice" else ()) for e in ENGINES]
)


@every_engine
@pytest.mark.parametrize("form", STABILISED)
def test_path_is_that_of_the_function_itself(engine, form):
    flow = capacity(Channel(PAPER.transition, initial=[0.7, 0.2, 0.1]), form=form)
    circuit = compile(flow)
    run = simulate(netlist(circuit, time_constants=20, largest_step=0.02), engine=engine)
    z0, P = flow.problem.start(), PAPER.transition

    def replicator(t, z):
        w = (P * np.log(P / (P.T @ z))).sum(1)
        return z * (w - z @ w)

    exact = solve_ivp(replicator, (0, 20), z0, t_eval=run.time, method="DOP853", rtol=1e-12, atol=1e-14).y.T
    assert abs(run.values["z"] - exact).max() < 3e-6
    assert run.outcome is Outcome.COMPLETED


@every_engine
def test_run_starts_at_the_start_and_ends_at_the_end(engine):
    flow = Flow(lambda x: -x, {"x": np.array([1.0, 2.0])})
    run = simulate(netlist(compile(flow), time_constants=3.0), engine=engine)
    assert run.time[0] == 0
    assert run.time[-1] == pytest.approx(3.0, rel=1e-9)
    assert (np.diff(run.time) > 0).all()
    np.testing.assert_allclose(run.values["x"][0], [1, 2], rtol=1e-12)
    np.testing.assert_allclose(run.final["x"], np.exp(-3) * np.array([1, 2]), rtol=2e-3)
    assert run.record["engine"] == engine


@every_engine
def test_settling_stops_the_run(engine):
    deck = netlist(compile(capacity(PAPER)), time_constants=5000, largest_step=2.0)
    run = simulate(deck, engine=engine, resting_speed=1e-9)
    assert run.outcome is Outcome.SETTLED
    assert run.time[-1] < 1000
    assert len(run.time) < 600


@every_engine
def test_printed_form_is_caught_off_its_simplex(engine):
    deck = netlist(compile(capacity(PAPER, form="printed")), time_constants=500)
    run = simulate(deck, engine=engine, resting_speed=1e-9)
    assert run.outcome in (Outcome.BLEW_UP, Outcome.LEFT_MANIFOLD)
    assert run.detail


@every_engine
def test_a_blow_up_names_the_variable(engine):
    flow = Flow(lambda z: z * z - 0.5 * z, {"z": np.array([0.1, 1.0])})
    run = simulate(netlist(compile(flow), time_constants=50), engine=engine, resting_speed=1e-9)
    assert run.outcome is Outcome.BLEW_UP
    assert "z[1] ran away at t = " in run.detail
    assert float(run.detail.split("t = ")[1].split(" ")[0]) == pytest.approx(2 * np.log(2), rel=0.1)


@every_engine
def test_type_two_inputs_are_reported_as_algebraic(engine):
    channel = Channel([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0.5, 0, 0.5, 0]])
    deck = netlist(compile(capacity(channel)), time_constants=2000, largest_step=5.0)
    run = simulate(deck, engine=engine, resting_speed=1e-9)
    assert run.outcome is Outcome.ALGEBRAIC
    late = run.time > 1000
    assert run.values["z"][late, 2] * run.time[late] == pytest.approx(1.0, abs=0.02)


@every_engine
def test_a_slow_exponential_is_not_called_algebraic(engine):
    flow = Flow(lambda x: -0.002 * x, {"x": np.array([1.0])})
    run = simulate(netlist(compile(flow), time_constants=800, largest_step=20.0), engine=engine, resting_speed=1e-9)
    assert run.outcome is Outcome.NOT_SETTLED


@every_engine
def test_two_runs_are_bit_identical(engine):
    deck = netlist(compile(capacity(PAPER, form="replicator")), time_constants=10)
    first, second = simulate(deck, engine=engine), simulate(deck, engine=engine)
    assert first.time.tobytes() == second.time.tobytes()
    assert all(first.values[name].tobytes() == second.values[name].tobytes() for name in first.values)


@pytest.mark.slow
@every_engine
def test_progress_is_told(engine):
    told = []
    deck = netlist(compile(capacity(PAPER)), time_constants=300 if engine == "block" else 20000, largest_step=0.1)
    simulate(deck, engine=engine, on_progress=told.append)
    assert told
    assert told == sorted(told)


@every_engine
def test_every_block_computes_the_same_in_the_circuit(engine):
    from analogflow.graph import comparator, log, normalise, softmax, switch

    W = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])

    def exercise(x):
        y = np.sqrt(x) + np.tanh(x) - np.exp(-x) / (1 + x**2) + log(x) * 0.1
        grid = np.log(x)[None, :] - np.array([[0.1], [0.2]]) * x
        rows = softmax(grid, tail=[0.5, 1.5], offsets=[[0.0, 0.1, 0.2], [0.3, 0.0, 0.1]])
        gated = switch(x, comparator(x, 0.5, width=0.2)) + np.maximum(x - 0.6, 0) + normalise(x)[::-1]
        return y + W.T @ (W @ x) + rows.sum(axis=0) + gated - 3 * x

    flow = Flow(exercise, {"x": np.array([0.3, 0.6, 0.9])})
    circuit = compile(flow)
    run = simulate(netlist(circuit, time_constants=2, largest_step=0.005), engine=engine)
    exact = solve_ivp(lambda t, x: flow.rates(x=x)["x"], (0, 2), flow.states["x"], rtol=1e-11, atol=1e-13).y[:, -1]
    np.testing.assert_allclose(run.final["x"], exact, rtol=3e-6)


@every_engine
def test_softmax_of_many_members_survives_any_range(engine):
    start = np.linspace(-300, 300, 20)
    flow = Flow(lambda u: softmax_of(u) - 0.01 * u, {"u": start}, observables={"z": softmax_of}, answer="z")
    run = simulate(netlist(compile(flow), time_constants=2, largest_step=0.05), engine=engine)
    assert np.isfinite(run.values["z"]).all()
    np.testing.assert_allclose(run.values["z"].sum(1), 1, atol=1e-9)


def softmax_of(u):
    from analogflow.graph import softmax

    return softmax(u)


def test_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match="engine 'spectre' is not known; known are: ngspice, vacask, block, spice"):
        simulate(compile(capacity(PAPER)), engine="spectre")


@pytest.mark.ngspice
@pytest.mark.parametrize("form", STABILISED)
def test_both_engines_follow_one_path(form):
    rng = np.random.default_rng(11)
    for n, m in ((2, 3), (5, 4), (8, 8)):
        flow = capacity(Channel(rng.dirichlet(np.ones(m), n), initial=rng.dirichlet(np.ones(n))), form=form)
        circuit = compile(flow)
        run = simulate(netlist(circuit, time_constants=20, largest_step=0.02), engine="ngspice")
        from analogflow.block_engine import VectorField

        field = VectorField(circuit.graph)
        exact = solve_ivp(field, (0, 20), circuit.graph.initial(), t_eval=run.time, method="DOP853", rtol=1e-11, atol=1e-13)
        assert abs(run.values["z"] - field.observables(exact.y.T)["z"]).max() < 1e-5
        assert Simplex("z").defect(run.values["z"]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("many", [False, True])
def test_the_speed_at_rest_is_in_flow_units_in_scaled_circuits_too(many):
    circuit = compile(Flow(lambda x: 75.0 - x, states={"x": np.zeros(1)}, size=1.0), scaled=True)
    assert circuit.units.scales["x"].max() < 0.02
    if many:
        run = ensemble(circuit, 1, resting_speed=1e-3, time_constants=100.0)
    else:
        run = simulate(netlist(circuit, time_constants=100.0), engine="block", resting_speed=1e-3)
    assert run.outcomes == (Outcome.SETTLED,)
    assert 75.0 - run.final["x"].item() < 2e-3  # the step before it moved by less than 1e-3 per τ


@pytest.mark.parametrize("size", [1e-6, 1.0, 50.0, 1e4])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("engine", ["block", "many", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_every_engine_takes_the_same_speed_for_rest(engine, scaled, size):
    """Over the size of what rests, which counts as 1 within two decades of that: 50 rests at the same speed as 1."""
    circuit = compile(
        Flow(lambda x, goal: goal - x, {"x": np.zeros(1)}, constants={"goal": np.full(1, size)}), scaled=scaled
    )
    speed = 1e-6
    if engine == "many":
        run = ensemble(circuit, 1, resting_speed=speed, time_constants=100.0)
    else:
        run = simulate(netlist(circuit, time_constants=100.0), engine=engine, resting_speed=speed)
    asked, limits = settle_of(netlist(circuit), speed), limits_of(circuit, 1e-7, 1e-9, speed)
    assert asked is not None
    assert (asked.size, asked.unit) == (limits.size, pytest.approx(limits.unit))
    assert run.outcomes == (Outcome.SETTLED,)
    assert abs(size - run.final["x"].item()) < speed * (1.0 if size in (1.0, 50.0) else size)


def test_samples_that_swing_into_their_rest_settle_as_one_run_does():
    """Steps as long as the explicit method is stable for keep a swing alive by the method's own error."""

    def swing(x, y, goal):
        return goal - x - 3 * y, 3 * x - y

    flow = Flow(swing, {"x": np.zeros(1), "y": np.zeros(1)}, constants={"goal": np.ones(1)})
    run = ensemble(compile(flow), 100, imperfections=Imperfections(mismatch=0.01), time_constants=300.0, resting_speed=1e-9)
    assert set(run.outcomes) == {Outcome.SETTLED}
