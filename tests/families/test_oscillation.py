"""Period, amplitudes, harmonics and the points of a section, of motions whose own are known by formulas or by shooting."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ellipk

import analogflow as af
from analogflow.cli import main
from analogflow.families.oscillation import oscillation_in, spectrum_of
from analogflow.reference.cycles import cycle_of
from analogflow.reference.equations import path_to
from analogflow.run import Run

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

TIMES = np.unique(np.concatenate([np.linspace(0.0, 50.0, 3001), np.geomspace(0.01, 50.0, 500)]))


@pytest.fixture(scope="module")
def oscillators():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("oscillators", BENCHMARKS / "oscillators.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


NAMES = ("Van der Pol, μ = 1", "FitzHugh–Nagumo, I = 0.5", "Brusselator, A = 1, B = 3", "Rayleigh, μ = 1",
         "Stuart–Landau, ω = 2", "Lotka–Volterra")  # fmt: skip


@pytest.mark.few(3)
@pytest.mark.parametrize("name", NAMES)
def test_period_and_amplitudes_are_those_that_scipy_shoots_at(oscillators, name):
    problem, field = oscillators.OSCILLATORS[name]
    motion = af.solve(problem, engine="block").certificate.motion
    start = np.array([value[0] for value in problem.states.values()])
    closed = name.startswith("Lotka")
    period, amplitude = oscillators.shot(field, start, problem.time, motion.found.level, conserves=closed)
    found = [motion.found.amplitude[state][0] for state in problem.states]
    exact = [motion.exact.amplitude[state][0] for state in problem.states]
    assert motion.found.period == pytest.approx(period, rel=1e-4)
    assert found == pytest.approx(amplitude, rel=1e-4)
    assert motion.exact.period == pytest.approx(period, rel=1e-6)
    assert exact == pytest.approx(amplitude, rel=1e-6)
    assert max(motion.errors.values()) < 1e-4


def test_every_oscillator_is_tried(oscillators):
    assert set(NAMES) == set(oscillators.OSCILLATORS)


def test_rayleigh_and_van_der_pol_have_one_period(oscillators):
    """The derivative of Rayleigh's equation is Van der Pol's."""
    periods = [
        af.solve(oscillators.OSCILLATORS[name][0], engine="block").certificate.motion.found.period
        for name in ("Van der Pol, μ = 1", "Rayleigh, μ = 1")
    ]
    assert periods[0] == pytest.approx(periods[1], rel=1e-6)


@pytest.mark.parametrize("frequency", [0.5, 2.0, 9.0])
def test_amplitude_of_a_driven_resistor_and_capacitor_is_the_formula_s(frequency):
    """Of what is so smooth that the steps between which it is read are long."""
    driven = af.Equations({"x": 0.0}, {"x": f"-x + sin({frequency} * t)"}, time=60.0)
    certificate = af.solve(driven, engine="block").certificate
    assert certificate.passed
    assert certificate.motion.found.period == pytest.approx(2 * np.pi / frequency, rel=1e-7)
    assert certificate.motion.found.amplitude["x"][0] == pytest.approx(1 / np.hypot(1.0, frequency), rel=1e-6)
    assert max(certificate.motion.errors.values()) < 1e-6


def test_the_period_of_a_hardening_spring_is_an_elliptic_integral():
    """ẍ = −x − x³ from (A, 0): T = 4 K(m)/√(1 + A²), m = A²/(2 (1 + A²))."""
    amplitude = 1.5
    spring = af.Equations({"x": amplitude, "x'": 0.0}, {"x''": "-x - x ** 3"}, time=40.0)
    motion = af.solve(spring, engine="block").certificate.motion
    square = amplitude**2
    assert motion.found.period == pytest.approx(4 * ellipk(square / (2 * (1 + square))) / np.sqrt(1 + square), rel=1e-5)
    assert motion.found.amplitude["x"][0] == pytest.approx(amplitude, rel=1e-5)
    speed = np.sqrt(square + square**2 / 2)  # from the energy
    assert motion.found.amplitude["x_dot"][0] == pytest.approx(speed, rel=1e-5)


def test_harmonics_are_the_coefficients_of_a_series():
    x = 0.7 + 2.0 * np.sin(3 * TIMES) + 0.5 * np.cos(6 * TIMES) - 0.1 * np.sin(12 * TIMES)
    found = oscillation_in(TIMES, {"x": x[:, None], "y": np.cos(3 * TIMES)[:, None]}, ["x"])
    assert found.period == pytest.approx(2 * np.pi / 3, rel=1e-7)
    assert found.returns == 1
    assert found.harmonics == pytest.approx([2.0, 0.5, 0.0, 0.1, 0, 0, 0, 0], abs=1e-5)
    assert found.mean["x"][0] == pytest.approx(0.7, abs=1e-5)
    assert found.amplitude["y"][0] == pytest.approx(1.0, abs=1e-6)


def test_a_period_of_two_returns_is_one_period():
    x = np.sin(3 * TIMES) + 0.3 * np.sin(1.5 * TIMES)
    y = np.cos(3 * TIMES) + 0.3 * np.cos(1.5 * TIMES)
    found = oscillation_in(TIMES, {"x": x[:, None], "y": y[:, None]}, ["x"])
    assert found.returns == 2
    assert found.period == pytest.approx(4 * np.pi / 3, rel=1e-7)


def test_points_of_the_section_are_where_it_is_crossed_upwards():
    found = oscillation_in(TIMES, {"x": np.sin(TIMES)[:, None], "y": np.cos(TIMES)[:, None]}, ["x"])
    assert found.times == pytest.approx(2 * np.pi * np.arange(len(found.times)), abs=1e-5)
    assert found.points["x"][:, 0] == pytest.approx(found.level, abs=1e-9)
    assert found.points["y"][:, 0] == pytest.approx(1.0, abs=1e-6)


def test_two_frequencies_that_share_no_period_do_not_repeat():
    x, y = np.sin(4 * TIMES) + 0.4 * np.sin(np.sqrt(2) * TIMES), np.cos(np.sqrt(2) * TIMES)
    found = oscillation_in(TIMES, {"x": x[:, None], "y": y[:, None]}, ["x"])
    assert found.period is None
    assert found.to_dict()["periodic"] is False
    frequencies, amplitudes = spectrum_of(TIMES, x)
    assert frequencies[np.argmax(amplitudes)] == pytest.approx(4 / (2 * np.pi), abs=0.04)


@pytest.mark.parametrize(
    "x",
    [
        np.exp(-TIMES),
        np.exp(-0.2 * TIMES) * np.sin(4 * TIMES),
        np.ones_like(TIMES),
        TIMES,
        np.where(TIMES > 40, np.nan, 1.0),
    ],
    ids=["decays", "rings down", "rests", "drifts", "is no number"],
)
def test_what_does_not_swing_is_no_oscillation(x):
    assert oscillation_in(TIMES, {"x": x[:, None]}, ["x"]) is None


def test_a_path_that_never_comes_back_is_no_cycle():
    path = path_to(lambda at: {"x": at["y"], "y": -at["x"] - 0.2 * at["y"]}, {"x": np.ones(1), "y": np.zeros(1)}, 30.0)
    assert cycle_of(path, "x", 0.0, 1) is None
    assert cycle_of(path, "x", 10.0, 1) is None


@pytest.mark.slow
@pytest.mark.parametrize(("constant", "share"), [("mu", 0.1), ("k", 0.01)])
def test_a_wrong_coefficient_is_seen_in_period_or_amplitude(constant, share):
    problem = af.Equations(
        {"x": 0.5, "v": 0.0}, {"x": "v", "v": "mu * (1 - x ** 2) * v - k * x"}, constants={"mu": 1.0, "k": 1.0}, time=40.0
    )
    wrong = problem.replaced(**{constant: 1 + share})
    run = af.solve(wrong, engine="block").run
    other = af.solve(problem, engine="block")
    from analogflow.judgement.certificate import certificate_of

    certificate = certificate_of(other.circuit, Run(run.time, dict(run.values), run.outcome))
    check = next(check for check in certificate.checks if check.name == "period and amplitudes agree")
    assert not check.passed


@pytest.mark.ngspice
@pytest.mark.parametrize("name", [NAMES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1:])])
def test_op_amps_keep_period_and_amplitudes_to_half_a_percent(oscillators, name):
    # Gains of the Brusselator nearly cancel: of ratios of E96 alone, 0.8 % off, its period came out 3 % long.
    problem = oscillators.OSCILLATORS[name][0]
    if name in oscillators.NEUTRAL:
        problem = oscillators.said(name)
    motion = af.solve(problem, technology="opamp").certificate.motion
    assert max(motion.errors.values()) < 5e-3


def test_the_command_line_tells_period_and_amplitude(tmp_path, capsys):
    path = tmp_path / "circle.toml"
    path.write_text('time = 20.0\n[states]\nx = 1.0\ny = 0.0\n[equations]\nx = "-2 * y"\ny = "2 * x"\n', encoding="utf-8")
    assert main(["solve", str(path), "--engine", "block", "--json", "--figure", str(tmp_path / "circle.svg")]) == 0
    motion = json.loads(capsys.readouterr().out)["motion"]
    assert motion["period"] == pytest.approx(np.pi, rel=1e-5)
    assert motion["amplitude"] == {"x": [pytest.approx(1.0, rel=1e-5)], "y": [pytest.approx(1.0, rel=1e-5)]}
    assert motion["reference"]["period"] == pytest.approx(np.pi, rel=1e-9)
    assert "period 3.1416" in (tmp_path / "circle.svg").read_text(encoding="utf-8")
    assert main(["solve", str(path), "--engine", "block"]) == 0
    said = capsys.readouterr().out
    assert "period, block" in said
    assert "amplitude of y, reference" in said


def test_what_comes_to_rest_has_no_motion():
    solution = af.solve(af.Equations({"x": 1.0}, {"x": "-x"}, time=8.0), engine="block")
    assert solution.certificate.motion is None
    assert "motion" not in solution.to_dict()
