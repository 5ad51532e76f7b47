"""Flows with delays, against closed forms, a foreign integrator and characteristic roots, and in every engine."""

import dataclasses
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.special import lambertw

from analogflow import (
    Equations,
    Flow,
    Imperfections,
    Noise,
    certify,
    compile,
    degrade,
    ensemble,
    netlist,
    parity,
    simulate,
    solve,
)
from analogflow.cli import main
from analogflow.errors import BadInput, SimulationFailed
from analogflow.families.files import keys_of, problem_of_keys, read_problem
from analogflow.flows import custom
from analogflow.hardware import map_flow
from analogflow.judgement import modes_of
from analogflow.judgement.deck_check import check_deck
from analogflow.netlister.plain import plain_deck
from analogflow.reference.equations import equations_reference

CELLS = "examples/flows/mackey_glass.toml"


def lagging(time=10.5, **changed):
    return Equations(**{**{"states": {"x": 1.0}, "equations": {"x": "-delay(x, 1)"}, "time": time}, **changed})


def thermostat(delayed="delay(hysteresis(x, -0.5, 0.5), 0.7)", time=21.0):
    return Equations({"x": 0.3}, {"x": f"1 - 2 * {delayed}"}, time=time)


def hutchinson(rate, time=60.0):
    return Equations({"x": 0.5}, {"x": "r * x * (1 - delay(x, 1))"}, constants={"r": rate}, time=time)


def exact_lagging(time):
    """x' = -x(t - 1) after x = 1, polynomial by polynomial in rational numbers: each is the last one's integral."""
    piece, whole = [Fraction(1)], int(time)  # coefficients in the time since the piece began, of t in [k - 1, k]
    for _ in range(whole + 1):
        before = sum(piece)
        piece = [before, *(-c / (n + 1) for n, c in enumerate(piece))]
    s = Fraction(time) - whole
    return float(sum(c * s**n for n, c in enumerate(piece)))


def test_exact_polynomials_are_those_of_the_textbook():
    assert exact_lagging(3.0) == pytest.approx(1 - 3 + 2**2 / 2 - 1 / 6, abs=1e-15)
    assert exact_lagging(0.5) == 0.5


@pytest.mark.parametrize("time", [0.5, 3.0, 10.5, 25.25])
def test_steps_give_the_polynomials_of_rational_numbers(time):
    solution = solve(lagging(time), engine="block")
    assert solution.passed, solution
    wanted = exact_lagging(time)
    assert abs(solution.run.final["x"][0] - wanted) < 1e-10
    assert abs(solution.certificate.answer["x"][0] - wanted) < 1e-10


def test_the_whole_path_of_the_block_engine_is_that_of_the_polynomials():
    run = solve(lagging(), engine="block").run
    at = np.linspace(0, len(run.time) - 1, 200).astype(int)
    assert max(abs(run.values["x"][k, 0] - exact_lagging(run.time[k])) for k in at) < 1e-12


@pytest.mark.ngspice
def test_ngspice_delays_by_a_line():
    solution = solve(lagging(), engine="ngspice")
    assert solution.passed, solution
    run = solution.run
    at = np.linspace(0, len(run.time) - 1, 200).astype(int)
    assert max(abs(run.values["x"][k, 0] - exact_lagging(run.time[k])) for k in at) < 1e-6
    assert parity(compile(custom(lagging()))).worst < 1e-6


MACKEY_GLASS = {68.0: 0.6936008643034216, 100.0: 1.0137240165664871, 200.0: 1.186718107192881, 300.0: 1.1525150997779314}
"""By jitcdde 1.8.3, which is Bogacki's and Shampine's method with Hermite interpolation in C: constant_past([1.2]), then
set_integration_parameters(rtol=1e-11, atol=1e-12, max_step=0.05, first_step=1e-3), step_on_discontinuities(max_step=0.05)
and integrate(time) for 0.2 y(0, t-17)/(1 + y(0, t-17)**10) - 0.1 y(0)."""


@pytest.mark.slow
@pytest.mark.parametrize("time", MACKEY_GLASS)
def test_mackey_glass_is_where_a_foreign_integrator_finds_it(time):
    problem = read_problem(CELLS)
    problem = problem_of_keys("custom", {**keys_of(problem), "time": time}, "here")
    solution = solve(problem, engine="block")
    assert solution.passed, solution
    for value in (solution.run.final["cells"][0], solution.certificate.answer["cells"][0]):
        assert abs(value - MACKEY_GLASS[time]) < 5e-10


@pytest.mark.ngspice
def test_ngspice_follows_mackey_glass():
    run = simulate(netlist(compile(custom(read_problem(CELLS)))), engine="ngspice")
    assert abs(run.final["cells"][0] - MACKEY_GLASS[100.0]) < 1e-6


def test_at_the_threshold_of_hopf_the_lag_swings_with_four_delays():
    """x' = -π/2 x(t - 1) has the roots ± iπ/2: what is left of all others after 60 delays is below 1e-30."""
    solution = solve(lagging(60.0, equations={"x": f"-{math.pi / 2!r} * delay(x, 1)"}), engine="block")
    assert solution.passed, solution
    assert abs(solution.certificate.motion.found.period - 4.0) < 1e-8
    assert abs(solution.certificate.motion.exact.period - 4.0) < 1e-9


@pytest.mark.parametrize("rate, delay", [(1.0, 1.0), (1.4, 1.0), (0.3, 2.5), (1.7, 0.8)])
def test_the_slowest_root_is_lamberts(rate, delay):
    """Of x' = -r x(t - T): λ = W(-rT)/T, of which x(t) x(t + 2h) - x(t + h)² decays by exp(2 Re λ h), whatever its phase."""
    problem = Equations({"x": 1.0}, {"x": "-r * delay(x, T)"}, constants={"r": rate, "T": delay}, time=14 * delay)
    path = equations_reference(problem, 14 * delay).path
    root, h = lambertw(-rate * delay) / delay, 0.4 * delay

    def told(t):
        x = path.states_at(np.array([t, t + h, t + 2 * h]))[:, 0]
        return x[0] * x[2] - x[1] ** 2

    begin = 10 * delay
    assert math.log(told(begin + h) / told(begin)) / (2 * h) == pytest.approx(root.real, abs=1e-5 / delay)


@pytest.mark.slow
@pytest.mark.parametrize("rate, swings", [(1.3, False), (1.7, True)])
def test_hutchinsons_equation_swings_beyond_half_pi(rate, swings):
    solution = solve(hutchinson(rate), engine="block")
    assert solution.passed, solution
    motion = solution.certificate.motion
    assert (motion is not None and motion.found.period is not None and motion.found.amplitude["x"][0] > 0.1) == swings
    if swings:
        assert 4.0 < motion.found.period < 4.2  # 4 (1 + ε²/10π), of small ε
        assert abs(motion.exact.period - motion.found.period) < 1e-7
    else:
        assert abs(solution.run.final["x"][0] - 1) < 1e-2


@pytest.mark.parametrize("delayed", ["delay(hysteresis(x, -0.5, 0.5), 0.7)", "hysteresis(delay(x, 0.7), -0.5, 0.5)"])
def test_a_thermostat_with_dead_time_overshoots_by_it(delayed):
    solution = solve(thermostat(delayed), engine="block")
    assert solution.passed, solution
    motion = solution.certificate.motion
    for found in (motion.found, motion.exact):
        assert abs(found.period - 4 * (0.5 + 0.7)) < 1e-9
        assert abs(found.amplitude["x"][0] - (0.5 + 0.7)) < 1e-9


@pytest.mark.ngspice
@pytest.mark.parametrize("delayed", ["delay(hysteresis(x, -0.5, 0.5), 0.7)", "hysteresis(delay(x, 0.7), -0.5, 0.5)"])
def test_jumps_come_through_a_line_in_time(delayed):
    solution = solve(thermostat(delayed), engine="ngspice")
    assert solution.passed, solution
    assert abs(solution.certificate.motion.found.period - 4.8) < 1e-6


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_delays_of_delays_and_of_vectors_add_up(engine):
    A, start = np.array([[1.0, 0.2], [-0.3, 0.8]]), [1.0, 0.5]
    once = Equations({"x": start}, {"x": "-2 * A @ delay(x, 0.5)"}, constants={"A": A}, time=4.0)
    twice = Equations(
        {"x": start}, {"x": "-A @ z"}, definitions={"y": "2 * delay(x, 0.3)", "z": "delay(y, 0.2)"}, constants={"A": A},
        time=4.0,
    )  # fmt: skip
    one, two = (solve(problem, engine=engine) for problem in (once, twice))
    assert one.passed
    assert two.passed
    assert abs(one.run.final["x"] - two.run.final["x"]).max() < 1e-6
    # By the exponential of steps: x(t) = Σ (-2A)^k (t - (k - 1)T)^k / k! x(0).
    series = sum(
        np.linalg.matrix_power(-2 * A, k) * (4 - (k - 1) * 0.5) ** k / math.factorial(k) for k in range(1, 9)
    ) + np.eye(2)  # fmt: skip
    assert abs(one.run.final["x"] - series @ start).max() < 1e-6


def test_inputs_and_time_are_delayed_with_their_corners():
    push = {"times": [0.0, 1.0, 1.001, 2.0], "values": [0.0, 1.0, 0.0, 0.0]}
    problem = Equations({"x": 0.0}, {"x": "delay(u, 0.3) + delay(sin(t), 0.5)"}, inputs={"u": push}, time=3.0)
    solution = solve(problem, engine="block")
    assert solution.passed
    assert abs(solution.run.final["x"][0] - (0.5005 + 1 - math.cos(2.5))) < 1e-10


@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
@pytest.mark.parametrize("given, exact", [("", -0.5), (", 0", 0.0), (", past", 0.6 - (1 - 0.4 / 2))])
def test_the_past_is_the_start_or_what_is_written(given, exact, engine):
    problem = lagging(2.0, equations={"x": f"-delay(x, 1{given})"}, constants={"past": 0.4})
    solution = solve(problem, engine=engine)
    assert solution.passed, solution
    assert abs(solution.run.final["x"][0] - exact) < 1e-6


def test_a_delay_beyond_the_end_leaves_the_start():
    solution = solve(lagging(2.0, equations={"x": "-delay(x, 50)"}), engine="block")
    assert solution.passed
    assert abs(solution.run.final["x"][0] + 1.0) < 1e-12


def test_events_come_back_after_the_delay():
    neuron = Equations(
        {"v": 0.0}, {"v": "1.5 - v"}, events=[{"when": "delay(v, 0.25) - 1", "direction": "rising", "then": {"v": "0.2"}}],
        time=6.0,
    )  # fmt: skip
    solution = solve(neuron, engine="block")
    assert solution.passed, solution
    # It goes on for 0.25 after the threshold, and is reset from there.
    period = math.log((1.5 - 0.2) / (1.5 - 1)) + 0.25
    assert abs(solution.certificate.motion.found.period - period) < 1e-9
    assert abs(solution.certificate.motion.exact.period - period) < 1e-9


def test_observables_of_the_past_are_read():
    problem = Equations({"x": 0.0}, {"x": "1"}, observables={"was": "delay(x, 0.5) + delay(x, 1)"}, time=3.0)
    solution = solve(problem, engine="block")
    assert solution.passed
    assert abs(solution.run.final["was"][0] - 4.5) < 1e-12
    assert abs(solution.certificate.answer["was"][0] - 4.5) < 1e-12


@pytest.mark.parametrize("off", [1e-4, -1e-3])
def test_a_delay_that_is_off_does_not_pass(off):
    wrong = simulate(compile(custom(lagging(equations={"x": f"-delay(x, {1 + off})"}))), engine="block")
    assert not certify(lagging(), wrong).passed


def test_flaws_of_blocks_are_followed_and_samples_are_their_own():
    circuit = compile(custom(lagging()))
    flaws = Imperfections(mismatch=1e-2)
    together = ensemble(circuit, 3, imperfections=flaws, noise=Noise(0.0, 5)).final["x"][:, 0]
    alone = [
        simulate(degrade(circuit, flaws, noise=Noise(0.0, 5), sample=k), engine="block").final["x"][0] for k in range(3)
    ]
    assert together == pytest.approx(alone, abs=1e-9)
    assert np.ptp(together) > 1e-4
    assert ensemble(circuit, 2, save=[0.0, 3.0]).values["x"][:, 1, 0] == pytest.approx([exact_lagging(3.0)] * 2, abs=1e-9)


@pytest.mark.slow
def test_delays_are_axes_of_studies(tmp_path, capsys):
    given = ["study", CELLS, "-o", str(tmp_path / "swept"), "--sweep", "ago=4,17", "--workers", "1", "--no-verify"]
    assert main(given) == 0
    assert "ago" in capsys.readouterr().out
    assert read_problem(CELLS).replaced(ago=4.0).delays["delay_1"].delay == 4.0


REFUSED = [
    ({"equations": {"x": "-delay(x, 0)"}}, r"its T is 0, and must be positive; a delay of 0 is u itself"),
    ({"equations": {"x": "-delay(x, -1)"}}, r"its T is -1, .*would be of the future"),
    ({"equations": {"x": "-delay(x, x)"}}, r"its T, 'x': unknown name 'x'.*made of numbers and constants"),
    ({"equations": {"x": "-delay(x, t)"}}, r"its T, 't': unknown name 't'.*made of numbers and constants"),
    ({"equations": {"x": "-delay(x)"}}, r"takes 2 or 3 arguments, not 1: delay\(u, T\)"),
    ({"equations": {"x": "-delay()"}}, r"takes its arguments by their places alone, such as delay\(u, T\)"),
    ({"equations": {"x": "-delay(x, T=1)"}}, r"takes its arguments by their places alone"),
    ({"equations": {"x": "-delay(x, 1, x)"}}, r"what it was before t = 0, 'x': unknown name"),
    ({"equations": {"x": "-delay(x, c)"}, "constants": {"c": [1.0, 2.0]}}, r"its T must be one finite number"),
    ({"equations": {"x": "-delay(x, 1, c)"}, "constants": {"c": [1.0, 2.0]}}, r"has shape \(2,\), and 'x' has \(1,\)"),
    ({"equations": {"x": "-delay(y, 1)"}}, r"unknown name 'y'"),
    ({"equations": {"x": "-delay(log(x - 1), 1)"}}, r"not finite at the initial state"),
    ({"equations": {"x": "-delay(x, 1)"}, "time": None}, r"a flow with delay\(\.\.\.\) needs an end: write time"),
    ({"equations": {"x": "-delay(x, 1)"}, "noise": {"x": 0.1}}, r"noise: no engine here plays it to a flow with delay"),
    ({"states": {"delay": 0.0}, "equations": {"delay": "1"}}, r"is the name of a function"),
    ({"inputs": {"u": "delay(t, 1)"}}, r"unknown function 'delay'.*which can remember"),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED, ids=range(len(REFUSED)))
def test_faults_are_sentences(changed, message):
    with pytest.raises(BadInput, match=message):
        Equations(**{"states": {"x": 1.0}, "equations": {"x": "-x"}, "time": 1.0, **changed})


def test_delays_too_short_to_be_followed_say_so():
    problem = lagging(10.0, equations={"x": "-delay(x, 1e-5)"})
    for ask in (lambda: simulate(compile(custom(problem)), engine="block"), lambda: equations_reference(problem, 10.0)):
        with pytest.raises(SimulationFailed, match="too short to be followed"):
            ask()


def test_what_knows_no_past_names_the_state_to_write(tmp_path):
    circuit = compile(custom(lagging()))
    pade = r"z'' = 12 / T\*\*2 \* \(u - z\) - 6 / T \* z'"
    for technology in ("opamp", "translinear"):
        with pytest.raises(BadInput, match=f"of the technology '{technology}' delays.*{pade}"):
            compile(custom(lagging()), technology=technology)
    with pytest.raises(BadInput, match=f"in machine units delays.*{pade}"):
        compile(custom(lagging()), scaled=True)
    for board in ("lucidac", "that"):
        found = map_flow(custom(lagging()), board)
        assert not found.fits
        assert "what is delayed" in str(found.note)
    with pytest.raises(BadInput, match=f"VACASK.*{pade}"):
        simulate(netlist(circuit), engine="vacask")
    for dialect in ("ltspice", "xyce", "spectre"):
        with pytest.raises(BadInput, match=f"delays from the first instant on.*{pade}"):
            plain_deck(netlist(circuit), dialect=dialect)
    with pytest.raises(BadInput, match=f"infinitely many.*{pade}"):
        modes_of(custom(lagging()))
    with pytest.raises(BadInput, match=f"plays noise.*{pade}"):
        degrade(circuit, noise=Noise(1e-3))
    with pytest.raises(BadInput, match=f"plays noise.*{pade}"):
        ensemble(circuit, 2, noise=Noise(1e-3))
    with pytest.raises(BadInput, match="begin where it does"):
        ensemble(circuit, 2, start={"x": np.ones(1)})
    with pytest.raises(BadInput, match=r"the flow remembers.*delays"):
        check_deck(netlist(circuit).text, lagging())


def test_a_function_delays_by_a_state_that_is_named():
    def rates(x, past):
        return -past, x

    flow = Flow(rates, {"x": np.ones(1), "past": np.ones(1)}, delays={"past": 1.0}, end_time=10.5)
    assert abs(simulate(compile(flow), engine="block").final["x"][0] - exact_lagging(10.5)) < 1e-10
    with pytest.raises(BadInput, match="write the flow as Equations"):
        solve(flow, engine="block")
    for wrong in ({"past": 0.0}, {"other": 1.0}):
        with pytest.raises(BadInput, match=r"Flow\.delays"):
            dataclasses.replace(flow, delays=wrong)
    with pytest.raises(BadInput, match=r"Flow\.end_time"):
        dataclasses.replace(flow, end_time=None)


@pytest.mark.parametrize("problem", [lagging(), thermostat(), lagging(equations={"x": "-delay(x, 1, 0.5)"})], ids=range(3))
def test_files_hold_what_is_delayed(problem):
    again = problem_of_keys("custom", json.loads(json.dumps(keys_of(problem))), "here")
    assert again.fingerprint == problem.fingerprint
    assert problem.replaced().fingerprint == problem.fingerprint


def test_graphs_tell_delays_apart():
    one, other = (custom(lagging(equations={"x": f"-delay(x, {T})"})).graph().fingerprint() for T in (1, 2))
    assert one != other


def test_command_line_solves_the_example(capsys):
    assert main(["solve", CELLS, "--engine", "block", "--json"]) == 0
    assert abs(json.loads(capsys.readouterr().out)["answer"]["cells"][0] - MACKEY_GLASS[100.0]) < 5e-10
    assert main(["explain", CELLS]) == 0
    assert "delay_1 17 τ" in capsys.readouterr().out
