"""Flows that depend on time: each input is held against what SciPy, or a formula, makes of the same waveform."""

import dataclasses

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.io import wavfile
from scipy.signal import lsim

import analogflow as af
from analogflow.blocks import Clock, Waveform
from analogflow.errors import BadInput
from analogflow.families import flow_of
from analogflow.families.files import read_problem
from analogflow.hardware import map_flow
from analogflow.hardware.parts_list import parts_list
from analogflow.judgement.restart import perturbed
from analogflow.netlister.verilog_a import write_bench
from analogflow.passes.degrade import graph_under

ENGINES = ["block", pytest.param("ngspice", marks=pytest.mark.ngspice), pytest.param("vacask", marks=pytest.mark.vacask)]
POINTS = {"u": {"times": [0, 1, 1.01, 3, 4], "values": [0, 1, -1, 2, 0.5]}}


def path_of(problem, engine, name):
    """Times and values on the whole path that an engine follows."""
    run = af.simulate(af.netlist(af.compile(flow_of(problem)), largest_step=1e-3), engine=engine)
    return run.time, run.values[name][:, 0]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sine_through_a_resistor_and_a_capacitor_is_the_formula(engine):
    t, x = path_of(af.Equations({"x": 0.0}, {"x": "-x + sin(2 * t)"}, time=20.0), engine, "x")
    np.testing.assert_allclose(x, (np.sin(2 * t) - 2 * np.cos(2 * t) + 2 * np.exp(-t)) / 5, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sound_through_a_filter_is_what_scipy_makes_of_it(tmp_path, engine):
    rate, n = 8000, 240
    second = np.arange(n) / rate
    tone = 0.6 * np.sin(2 * np.pi * 150 * second) + 0.3 * np.sin(2 * np.pi * 1200 * second)
    wavfile.write(tmp_path / "tone.wav", rate, np.round(tone * 32767).astype(np.int16))
    (tmp_path / "filter.toml").write_text(
        'time = 29.0\n[states]\ny = 0.0\n[inputs]\nu = { file = "tone.wav", seconds = 1e-3 }\n[equations]\ny = "-y + u"\n'
    )
    t, y = path_of(read_problem(str(tmp_path / "filter.toml")), engine, "y")
    # A first-order hold, which is exact for straight lines between samples.
    _, exact, _ = lsim(([1.0], [1.0, 1.0]), np.round(tone * 32767) / 32768, 1e3 * second, interp=True)
    knots = 1e3 * second[:232]
    np.testing.assert_allclose(np.interp(knots, t, y), exact[:232], atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_chirp_into_van_der_pol_is_what_scipy_makes_of_it(engine):
    chirped = af.Equations(
        {"y": 0.1, "v": 0.0}, {"y": "v", "v": "mu * (1 - y * y) * v - y + drive"},
        constants={"mu": 1.0, "start": 0.5, "sweep": 0.05}, time=15.0,
        inputs={"drive": "1.2 * sin((start + sweep * t) * t)"},
    )  # fmt: skip
    t, y = path_of(chirped, engine, "y")
    exact = solve_ivp(
        lambda t, z: [z[1], (1 - z[0] ** 2) * z[1] - z[0] + 1.2 * np.sin((0.5 + 0.05 * t) * t)],
        (0, 15), [0.1, 0.0], method="LSODA", rtol=1e-12, atol=1e-12, dense_output=True,
    ).sol(t)[0]  # fmt: skip
    np.testing.assert_allclose(y, exact, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_points_are_joined_by_lines_and_no_step_goes_over_a_corner(engine):
    t, x = path_of(af.Equations({"x": 0.0}, {"x": "u"}, inputs=POINTS, time=5.0), engine, "x")
    times, values = POINTS["u"]["times"], POINTS["u"]["values"]
    areas = np.concatenate([[0.0], np.cumsum(np.diff(times) * (np.array(values[1:]) + values[:-1]) / 2)])
    k = np.clip(np.searchsorted(times, t, side="right") - 1, 0, 4)
    exact = areas[k] + (t - np.array(times)[k]) * (np.array(values)[k] + np.interp(t, times, values)) / 2
    np.testing.assert_allclose(x, exact, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_flow_of_time_is_certified(engine):
    problem = af.Equations({"x": 1.0, "x'": 0.0}, {"x''": "-x - 0.4 * x' + u * cos(t)"}, inputs=POINTS, time=3.5)
    solution = af.solve(problem, engine=engine)
    assert solution.passed, solution


def test_a_wrong_waveform_is_not_certified():
    right, wrong = (af.Equations({"x": 0.0}, {"x": f"-x + sin({w} * t)"}, time=3.0) for w in ("2", "2.001"))
    run = af.simulate(af.netlist(af.compile(flow_of(wrong))), engine="block")
    assert not af.certify(right, run).passed
    assert af.certify(wrong, run).passed


@pytest.mark.slow
def test_both_ways_of_the_march_play_the_same(monkeypatch):
    from analogflow.block_engine import compiled, native

    if native.library() is None:
        pytest.skip("needs a C compiler")
    for stiffness in (1.0, 60.0):  # by the explicit method, and by the implicit one
        problem = af.Equations(
            {"x": 0.0}, {"x": f"-{stiffness} * x + u * cos(t)"}, inputs=POINTS, time=4.5, noise={"x": 0.1}
        )
        circuit = af.compile(flow_of(problem))
        options = {"time_constants": 4.5, "save": [1.0, 1.005, 2.0, 4.5], "step_accuracy": 1e-8}
        ours = af.ensemble(circuit, 5, **options)
        with monkeypatch.context() as patch:
            patch.setattr(compiled, "library", lambda: None)
            theirs = af.ensemble(circuit, 5, **options)
        assert (ours.record["evaluator"], theirs.record["evaluator"]) == ("compiled", "numpy")
        np.testing.assert_allclose(ours.values["x"], theirs.values["x"], rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(ours.values["t"][..., 0], np.broadcast_to(options["save"], (5, 4)), rtol=1e-13)


def test_noise_and_flaws_leave_what_a_generator_plays_as_it_is():
    circuit = af.compile(flow_of(af.Equations({"x": 0.0}, {"x": "-x + 3 * u + sin(2 * t)"}, inputs=POINTS, time=4.0)))
    flaws = af.Imperfections(gain_error=0.05, offset=0.1, bandwidth=1e3, dc_gain=100.0, mismatch=0.1, noise_density=1e-3)
    graph = graph_under(circuit, flaws, af.Noise(0.1), range(3))
    clock = graph.states[graph.clock]
    (rate,) = graph.inputs(clock)
    assert graph.block(rate).values.tolist() == [1.0]
    assert graph.integrator(clock).leak == 0
    waves = [node for node in graph if isinstance(graph.block(node), Waveform)]
    assert [graph.inputs(node) for node in waves] == [(clock,)]


def test_a_push_of_the_states_leaves_time_where_it_is():
    flow = flow_of(af.Equations({"x": 0.5}, {"x": "-x + sin(2 * t)"}, time=4.0))
    starts = perturbed(flow, {"x": np.full((3, 1), 0.4), "t": np.full((3, 1), 4.0)}, delta=0.1)
    assert not starts["t"].any()
    assert (starts["x"] != 0.5).all()


@pytest.mark.ngspice
def test_amplifiers_take_a_voltage_from_a_generator():
    circuit = af.compile(
        flow_of(af.Equations({"x": 0.0}, {"x": "-x + u + sin(2 * t)"}, inputs=POINTS, time=4.0)), technology="opamp"
    )
    assert af.solve(circuit, engine="ngspice").passed
    assert [line.count for line in parts_list(circuit).entries if line.part == "signal generator"] == [2]


@pytest.mark.ngspice
def test_a_fast_input_has_amplifiers_that_follow_it():
    slow, fast = (
        af.compile(flow_of(af.Equations({"x": 0.0}, {"x": f"-x + sin({w} * t)"}, time=4.0)), technology="opamp")
        for w in (2, 30)
    )
    assert fast.units.time_constant > 10 * slow.units.time_constant
    assert af.solve(fast, engine="ngspice").passed
    said = [line for line in af.netlist(fast).header if "input:" in line]
    assert len(said) == 1
    assert "patch a generator to v(sine0_0): dx/dt = -x + sin(30 * t)" in said[0]


def test_names_and_values_reach_a_netlist_as_numbers_alone():
    problem = af.Equations(
        {"x": 0.0}, {"x": "-x + Quit_me + Shell_me"}, constants={"Volts_me": 3.0}, time=2.0,
        inputs={"Quit_me": "Volts_me * exp(-t)", "Shell_me": {"times": [0, 1], "values": [0, 1]}},
    )  # fmt: skip
    deck = af.netlist(af.compile(flow_of(problem)))
    lines = [line for line in deck.text.splitlines() if not line.startswith("*")]
    assert not any("_me" in line for line in lines)
    assert any("pwl(0.0 0.0 1.0 1.0)" in line for line in lines)
    assert any("v=" in line and "exp(" in line and "time" in line for line in lines)
    assert "$abstime" in "".join(module.text for module in write_bench(deck).modules)


def test_a_board_makes_a_sine_by_itself_and_asks_for_a_generator_for_points():
    sine = flow_of(af.Equations({"x": 0.0}, {"x": "-x + sin(2 * t)"}, time=4.0))
    assert map_flow(sine, "lucidac").fits
    played = flow_of(af.Equations({"x": 0.0}, {"x": "-x + u"}, inputs=POINTS, time=4.0))
    found = map_flow(played, "lucidac")
    assert not found.fits
    assert "patch one for u(t) to where the rate of x is summed" in found.binding[0]


def test_a_clock_starts_at_0_and_has_an_end():
    flow = af.Flow(lambda x, t: (-x + np.sin(t), 1.0), {"x": np.zeros(1), "t": np.zeros(1)}, clock="t", end_time=2.0)
    assert isinstance(flow.graph().block(flow.graph().states["t"]), Clock)
    for change in ({"end_time": None}, {"clock": "time"}, {"states": {"x": np.zeros(1), "t": np.ones(1)}}):
        with pytest.raises(
            BadInput, match=r"must be a state of one element that starts at 0, and the flow needs an end_time"
        ):
            dataclasses.replace(flow, **change)
