"""Flows that switch and jump: comparators with hysteresis, resets and bounces, against closed forms and in every engine."""

import dataclasses
import json
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from analogflow import Equations, Noise, certify, compile, degrade, ensemble, netlist, parity, simulate, solve
from analogflow.cli import main
from analogflow.errors import BadInput, SimulationFailed
from analogflow.families.files import keys_of, problem_of_keys, read_problem
from analogflow.flows import custom
from analogflow.hardware import map_flow
from analogflow.judgement import modes_of
from analogflow.reference.equations import equations_reference

TRIANGLE = "examples/flows/triangle_generator.toml"
BALL = {"when": "y", "direction": "falling", "then": {"v": "-0.8 * v"}}
SPIKE = {"when": "v - 1", "direction": "rising", "then": {"v": "0.2"}}


def triangle(**changed):
    given = {"states": {"x": 0.3}, "equations": {"x": "a * (1 - 2 * hysteresis(x, -b, b))"}, "time": 21.0}
    return Equations(**{**given, "constants": {"a": 1.0, "b": 1.0}, **changed})


def astable(beta, **changed):
    out = f"1 - hysteresis(v, -{beta}, {beta})"
    return Equations({"v": 0.0}, {"v": "2 * out - 1 - v"}, definitions={"out": out}, time=21.0, **changed)


def ball(time):
    return Equations({"y": 1.0, "v": 0.0}, {"y": "v", "v": "-1"}, events=[BALL], time=time)


def neuron(time=10.0, **changed):
    return Equations({"v": 0.0}, {"v": "1.5 - v"}, **{"events": [SPIKE], "time": time, **changed})


def exact_triangle(time, start, slope, size):
    """From `start` upwards between ± size, folded: no integration at all."""
    phase = (start + size + slope * time) % (4 * size)
    return phase - size if phase < 2 * size else 3 * size - phase


@pytest.mark.parametrize(
    "slope, size", [(1.0, 1.0), (0.7, 0.25), pytest.param(30.0, 2.0, marks=pytest.mark.slow), (1e-3, 1e-3)]
)
def test_triangle_generator_is_where_folding_says(slope, size):
    problem = triangle(states={"x": 0.3 * size}, constants={"a": slope, "b": size})
    solution = solve(problem, engine="block")
    assert solution.passed, solution
    wanted = exact_triangle(21.0, 0.3 * size, slope, size)
    for end in (solution.run.final["x"][0], solution.certificate.answer["x"][0]):
        assert abs(end - wanted) < 1e-9 * size
    motion = solution.certificate.motion
    assert abs(motion.found.period - 4 * size / slope) < 1e-6 * motion.found.period
    assert abs(motion.found.amplitude["x"][0] - size) < 1e-6 * size


@pytest.mark.parametrize("beta", [0.2, 0.5, 0.9])
def test_astable_multivibrator_has_the_period_of_the_textbook(beta):
    solution = solve(astable(beta), engine="block")
    assert solution.passed, solution
    period = 2 * math.log((1 + beta) / (1 - beta))
    assert abs(solution.certificate.motion.found.period - period) < 1e-7
    assert abs(solution.certificate.motion.exact.period - period) < 1e-9


@pytest.mark.ngspice
@pytest.mark.parametrize("start", [0, 1])
def test_ngspice_switches_where_it_should(start):
    problem = triangle(equations={"x": f"1 - 2 * hysteresis(x, -1, 1, {start})"}, constants={})
    solution = solve(problem, engine="ngspice")
    assert solution.passed, solution
    assert abs(solution.certificate.motion.found.period - 4) < 1e-6
    assert parity(compile(custom(problem)), time_constants=10.0).worst < 1e-6


@pytest.mark.ngspice
def test_ngspice_has_the_period_of_the_astable_multivibrator():
    solution = solve(astable(0.5), engine="ngspice", accuracy=1e-4)
    assert solution.passed, solution
    assert abs(solution.certificate.motion.found.period - 2 * math.log(3)) < 1e-5


@pytest.mark.ngspice
def test_ngspice_remembers_an_output_that_nothing_has_switched_yet():
    problem = Equations({"x": 0.5}, {"x": "0.4 * hysteresis(x, 0, 1, 1) - 0.1 * x"}, time=5.0)
    assert solve(problem, engine="ngspice").passed
    off = Equations({"x": 0.5}, {"x": "0.4 * hysteresis(x, 0, 1, 0) - 0.1 * x"}, time=5.0)
    assert abs(solve(off, engine="ngspice").run.final["x"][0] - 0.5 * math.exp(-0.5)) < 1e-7


@pytest.mark.parametrize(
    "x, given, wanted", [(0.0, "", 0.0), (0.0, ", 1", 1.0), (2.0, "", 1.0), (-2.0, ", 1", 0.0), (1.0, "", 0.0)]
)
def test_output_starts_as_the_signal_says_or_else_as_was_written(x, given, wanted):
    problem = Equations({"x": x}, {"x": "h"}, definitions={"h": f"hysteresis(x, -1, 1{given})"}, time=0.5)
    assert problem.rates(problem.states)["x"].item() == wanted
    assert custom(problem).rates()["x"].item() == wanted


def test_comparator_that_never_switches_leaves_the_flow_alone():
    run = solve(Equations({"x": 0.3}, {"x": "-x + hysteresis(x, -9, 9)"}, time=3.0), engine="block")
    assert run.passed
    assert abs(run.run.final["x"][0] - 0.3 * math.exp(-3)) < 1e-10


def test_one_comparator_switches_the_next_in_the_same_instant():
    problem = Equations(
        {"x": 0.0, "y": 0.0}, {"x": "1", "y": "second"},
        definitions={"first": "hysteresis(x, 0, 1)", "second": "hysteresis(first, 0.25, 0.75)"}, time=3.0,
    )  # fmt: skip
    solution = solve(problem, engine="block")
    assert solution.passed
    assert abs(solution.run.final["y"][0] - 2.0) < 1e-10


def test_comparator_of_an_input_switches_between_its_corners():
    push = {"times": [0.0, 1.0, 2.0, 3.0], "values": [0.0, 1.0, -1.0, 0.0]}
    problem = Equations({"y": 0.0}, {"y": "hysteresis(u, -0.5, 0.5)"}, inputs={"u": push}, time=5.0)
    solution = solve(problem, engine="block")
    assert solution.passed
    assert abs(solution.run.final["y"][0] - 1.25) < 1e-9  # from 0.5 until 1.75


def test_the_hidden_state_is_no_answer():
    solution = solve(triangle(), engine="block")
    assert set(solution.certificate.answer) == {"x"}
    assert list(triangle().states) == ["x"]


@pytest.mark.parametrize("shift", [1e-4, -1e-3])
def test_thresholds_that_are_off_do_not_pass(shift):
    wrong = simulate(compile(custom(triangle(constants={"a": 1.0, "b": 1.0 + shift}))), engine="block")
    assert not certify(triangle(), wrong).passed


@pytest.mark.slow
def test_marched_samples_come_late_by_what_the_block_says():
    circuit = compile(custom(triangle()))
    ends = ensemble(circuit, 2, time_constants=21.0).final["x"]
    assert ends.shape == (2, 1)
    late = 2.34 * (1e-5 * 2 / 1e10) ** (1 / 3)  # w/(k² |ẋ|), cube root, for each of five switchings, at twice the slope
    error = abs(ends - exact_triangle(21.0, 0.3, 1.0, 1.0)).max()
    assert 3 * 2 * late < error < 20 * 2 * late


@pytest.mark.slow
def test_noise_is_played_to_a_flow_that_switches():
    circuit = degrade(compile(custom(triangle())), noise=Noise(1e-3))
    assert np.isfinite(simulate(circuit, engine="block").final["x"]).all()


@pytest.mark.parametrize("restitution", [0.5, 0.8])
def test_bouncing_ball_lands_at_geometric_times(restitution):
    event = {**BALL, "then": {"v": f"-{restitution} * v"}}
    problem = Equations({"y": 1.0, "v": 0.0}, {"y": "v", "v": "-1"}, events=[event], time=4.0)
    run = solve(problem, engine="block")
    assert run.passed
    v = run.run.values["v"][:, 0]
    landed = run.run.time[np.flatnonzero(np.diff(v) > 0.1)]
    fall = math.sqrt(2)
    wanted = fall * np.cumsum([1.0, *(2 * restitution**k for k in range(1, 20))])
    np.testing.assert_allclose(landed, wanted[: len(landed)], atol=1e-9)
    assert len(landed) >= 2


def test_a_ball_that_bounces_ever_faster_is_told_when_it_would_lie_still():
    still = math.sqrt(2) * (1 + 2 * 0.8 / 0.2)  # 12.7279
    with pytest.raises(SimulationFailed, match=r"happens ever faster, \d+ times by t = 12.727\d τ.*\(Zeno\)"):
        simulate(compile(custom(ball(50.0))), engine="block")
    with pytest.raises(SimulationFailed, match=r"\(Zeno\).*stiff spring"):
        equations_reference(ball(50.0), 50.0)
    assert solve(ball(0.95 * still), engine="block").passed


def test_neuron_fires_with_the_period_of_the_closed_form():
    solution = solve(neuron(), engine="block")
    assert solution.passed, solution
    period = math.log(1.3 / 0.5)
    motion = solution.certificate.motion
    assert abs(motion.found.period - period) < 1e-9
    assert abs(motion.exact.period - period) < 1e-9
    assert abs(motion.found.amplitude["v"][0] - 0.4) < 1e-9


def test_an_event_that_never_happens_changes_nothing():
    solution = solve(neuron(events=[{**SPIKE, "when": "v - 2"}], time=3.0), engine="block")
    assert solution.passed
    assert abs(solution.run.final["v"][0] - 1.5 * (1 - math.exp(-3))) < 1e-10


@pytest.mark.parametrize("direction, end", [("rising", 1.5), ("falling", 2.5), ("both", 4.0)])
def test_events_count_crossings_of_their_direction(direction, end):
    problem = Equations(
        {"n": 0.0, "x": 0.0}, {"n": "0", "x": "cos(t)"},
        events=[{"when": "x - 0.5", "direction": direction, "then": {"n": "n + 1"}}], time=4.5 * math.pi,
    )  # fmt: skip
    solution = solve(problem, engine="block")
    assert solution.passed
    assert solution.run.final["n"][0] == {"rising": 3, "falling": 2, "both": 5}[direction]


def test_states_are_set_of_what_they_were_before():
    swap = {"when": "t - 1", "direction": "rising", "then": {"a": "b", "b": "a"}}
    problem = Equations({"a": [1.0, 2.0], "b": [3.0, 4.0]}, {"a": "0 * a", "b": "0 * b"}, events=[swap], time=2.0)
    run = solve(problem, engine="block")
    assert run.passed
    assert run.run.final["a"].tolist() == [3.0, 4.0]
    assert run.run.final["b"].tolist() == [1.0, 2.0]


@pytest.mark.slow
def test_a_reset_by_hysteresis_does_in_ngspice_what_no_event_can():
    fast = Equations({"v": 0.0}, {"v": "1.5 - v - 300 * (v - 0.2) * hysteresis(v, 0.25, 1)"}, time=10.0)
    period = solve(fast, engine="block").certificate.motion.found.period
    assert abs(period / (math.log(1.25 / 0.5) + math.log(0.8 / 0.05) / 300) - 1) < 0.01


REFUSED = [
    ({"equations": {"x": "hysteresis(x, 1, -1)"}}, r"low threshold 1 is not below its high one, -1"),
    ({"equations": {"x": "hysteresis(x, 1, 1)"}}, r"is not below"),
    ({"equations": {"x": "hysteresis(x, 1)"}}, r"takes 3 or 4 arguments, not 2"),
    ({"equations": {"x": "hysteresis(x, -1, 1, 2)"}}, r"its start is 2; its output is 0 or 1"),
    ({"equations": {"x": "hysteresis(x, x, 1)"}}, r"low threshold, 'x': unknown name 'x'.*made of numbers and constants"),
    ({"equations": {"x": "hysteresis(y, 0, 1)"}}, r"unknown name 'y'"),
    ({"equations": {"x": "hysterisis(x, 0, 1)"}}, r"unknown function 'hysterisis'"),
    ({"equations": {"x": "hysteresis(x, 0, 1)"}, "time": None}, r"needs an end: write time"),
    ({"states": {"x": [0.0, 1.0]}, "equations": {"x": "hysteresis(x, 0, 1)"}}, r"has shape \(2,\).*such as x\[0\]"),
    ({"states": {"hysteresis": 0.0}, "equations": {"hysteresis": "1"}}, r"is the name of a function"),
    ({"inputs": {"u": "hysteresis(t, 0, 1)"}}, r"unknown function 'hysteresis'.*which can remember"),
    ({"events": {"when": "x"}}, r"events: a list of tables is needed"),
    ({"events": ["x"]}, r"events\[1\]: 'x' is no table"),
    ({"events": [{"when": "x"}]}, r"the key 'then' is missing"),
    ({"events": [{"then": {"x": "0"}}]}, r"the key 'when' is missing"),
    ({"events": [{"when": "x", "then": {}}]}, r"then must name states"),
    ({"events": [{"when": "x", "then": {"y": "0"}}]}, r"then sets 'y', which is no state; there are x"),
    ({"events": [{"when": "x", "then": {"c": "0"}}], "constants": {"c": 1}}, r"then sets 'c', which is no state"),
    ({"events": [{"when": "x", "then": {"x": "z"}}]}, r"events\[1\].then.x, 'z': unknown name"),
    ({"events": [{"when": "z", "then": {"x": "0"}}]}, r"events\[1\].when, 'z': unknown name"),
    ({"events": [{"when": "x", "direction": "up", "then": {"x": "0"}}]}, r"direction 'up' is not known"),
    ({"events": [{"when": "x", "then": {"x": "0"}, "if": "x"}]}, r"unknown key 'if'"),
    ({"events": [{"when": "x", "then": {"x": "0"}}], "time": None}, r"a flow with events needs an end"),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED, ids=range(len(REFUSED)))
def test_faults_are_sentences(changed, message):
    with pytest.raises(BadInput, match=message):
        Equations(**{"states": {"x": 1.0}, "equations": {"x": "-x"}, "time": 1.0, **changed})


def test_events_that_set_each_other_off_are_stopped():
    problem = Equations({"x": 0.0}, {"x": "1"}, events=[
        {"when": "x - 1", "direction": "rising", "then": {"x": "x - 1e-9"}}], time=3.0)  # fmt: skip
    for ask in (lambda: simulate(compile(custom(problem)), engine="block"), lambda: equations_reference(problem, 3.0)):
        with pytest.raises(SimulationFailed, match="happens ever faster"):
            ask()


@pytest.mark.parametrize("problem", [triangle(), neuron()], ids=["hysteresis", "events"])
def test_circuits_of_parts_and_boards_say_that_they_can_not(problem, tmp_path):
    for technology in ("opamp", "translinear"):
        with pytest.raises(BadInput, match="take the technology 'ideal'"):
            compile(custom(problem), technology=technology)
    for board in ("lucidac", "that"):
        found = map_flow(custom(problem), board)
        assert not found.fits
        assert "what switches or jumps" in str(found.note)
    with pytest.raises(BadInput, match="linear about no rest"):
        modes_of(custom(problem))


def test_netlists_and_ensembles_of_events_say_what_to_write_instead():
    circuit = compile(custom(neuron()))
    with pytest.raises(BadInput, match=r"take the engine block; or write .*hysteresis\(v, reset, threshold\)"):
        netlist(circuit)
    with pytest.raises(BadInput, match="one sample after another"):
        ensemble(circuit, 3)
    with pytest.raises(BadInput, match="leave them out"):
        degrade(circuit, noise=Noise(1e-3))


def test_vacask_is_told_that_it_has_no_switch_that_remembers():
    from analogflow.netlister import verilog_a

    circuit = compile(custom(triangle()))
    with pytest.raises(BadInput, match="take the engine ngspice or block"):
        simulate(netlist(circuit), engine="vacask")
    assert verilog_a is not None


@pytest.mark.parametrize("problem", [triangle(), astable(0.5), neuron(), ball(3.0)], ids=["tri", "rc", "neuron", "ball"])
def test_files_hold_what_switches_and_jumps(problem):
    again = problem_of_keys("custom", json.loads(json.dumps(keys_of(problem))), "here")
    assert again.fingerprint == problem.fingerprint
    assert problem.replaced().fingerprint == problem.fingerprint


def test_events_tell_problems_apart():
    assert neuron().fingerprint != neuron(events=[{**SPIKE, "then": {"v": "0.1"}}]).fingerprint
    flow = custom(neuron())
    assert dataclasses.replace(flow, jumps=()).graph().fingerprint() == flow.graph().fingerprint()


def test_command_line_solves_the_examples(capsys):
    assert main(["solve", TRIANGLE, "--engine", "block", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert abs(told["motion"]["period"] - 4) < 1e-9
    problem = read_problem("examples/flows/integrate_and_fire.toml")
    assert [event.name for event in problem.events] == ["spike"]
    assert main(["solve", "examples/flows/integrate_and_fire.toml", "--engine", "block"]) == 0


@pytest.mark.slow
def test_a_neuron_that_would_run_away_spikes_first():
    """Izhikevich 2003: v' grows like v² to infinity, but for the event at 30 mV; SciPy stops at each."""
    neuron = Equations(
        {"v": -65.0, "u": -13.0},
        {"v": "0.04*v**2 + 5*v + 150 - u", "u": "0.02*(0.2*v - u)"},
        events=[{"when": "v - 30", "direction": "rising", "then": {"v": "-65", "u": "u + 8"}}],
        time=20.0,
    )

    def rates(_, y):
        return [0.04 * y[0] ** 2 + 5 * y[0] + 150 - y[1], 0.02 * (0.2 * y[0] - y[1])]

    def spike(_, y):
        return y[0] - 30

    spike.terminal, spike.direction = True, 1
    t, y, spikes = 0.0, np.array([-65.0, -13.0]), 0
    while t < 20.0:
        run = solve_ivp(rates, (t, 20.0), y, events=spike, rtol=1e-11, atol=1e-11, method="DOP853")
        t, y = run.t[-1], run.y[:, -1]
        if run.status == 1:
            y, spikes = np.array([-65.0, y[1] + 8]), spikes + 1
    solution = solve(neuron, engine="block")
    assert spikes >= 1
    assert solution.passed
    assert [solution.run.final[name][0] for name in ("v", "u")] == pytest.approx(y, rel=1e-7)
