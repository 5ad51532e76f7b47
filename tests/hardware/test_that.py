"""Patch plans of THE ANALOG THING, integrated by the rules of its manual written down here, follow the right paths."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from analogflow.families.files import read_problem
from analogflow.flows import Flow, custom
from analogflow.hardware import map_flow
from analogflow.problems import Equations

DATA = Path(__file__).parents[1] / "data" / "ode"


def integrated(plan, times):
    """Outputs of the integrators at `times`, in units of 1/k0, by the rules of the machine and no code of ours.

    the-analog-thing.org/wiki: an integrator delivers minus the integral of its inputs, times 1 or 10, and starts at minus
    what is at IC; summers and inverters deliver minus the sum of theirs; a potentiometer its input times its setting; a
    multiplier the product, for a machine unit is 1; a comparator what is at >0 where A + B is positive, else what is at <0.
    """
    cable = {target: source for source, target in plan["cables"]}
    elements = sorted({end.split(":")[0] for pair in plan["cables"] for end in pair} - {"+1", "-1"})
    held = [name for name in elements if name.startswith("INT")]

    def settled(outputs):
        volts = {name: 0.0 for name in elements} | {"+1": 1.0, "-1": -1.0} | dict(zip(held, outputs, strict=True))

        def at(jack):
            return volts[cable[jack]] if jack in cable else 0.0

        def weighted(name):
            return sum(at(f"{name}:1{k}") + 10 * at(f"{name}:10{k}") for k in ("", *"abcd"))

        # Nothing but integrators is in a circle: after as many rounds as there are elements all is settled.
        for _ in elements:
            for name in elements:
                if name.startswith("COEFF"):
                    volts[name] = plan["potentiometers"][name] * at(name)
                elif name.startswith(("SUM", "INV")):
                    volts[name] = -weighted(name)
                elif name.startswith("MUL"):
                    volts[name] = at(f"{name}:X") * at(f"{name}:Y")
                elif name.startswith("CMP"):
                    volts[name] = at(f"{name}:>0") if at(f"{name}:A") + at(f"{name}:B") > 0 else at(f"{name}:<0")
        return volts, at, weighted

    _, at, _ = settled(np.zeros(len(held)))
    starts = [-at(f"{name}:IC") for name in held]

    def rates(_, outputs):
        weighted = settled(outputs)[2]
        return [-weighted(name) for name in held]

    run = solve_ivp(rates, (0, times[-1]), starts, t_eval=times, method="LSODA", rtol=1e-10, atol=1e-12)
    return {int(name[3:]) - 1: row for name, row in zip(held, run.y, strict=True)}


def farthest(flow, mapping: Any, times, states):
    """Largest distance of a patched machine from the right `states`, a component a row, relative to the peak of each."""
    plan = json.loads(json.dumps(mapping.configuration))
    found = integrated(plan, times * mapping.seconds_per_time_constant * 1000)
    places = {(entry.state, entry.index): entry for entry in mapping.readout}
    order = [(state, k) for state, start in flow.states.items() for k in range(start.size)]
    rows = np.array([found[places[key].integrator] * places[key].unit for key in order])
    return float((abs(rows - states).max(axis=1) / abs(states).max(axis=1)).max())


@pytest.mark.parametrize(
    "name, until, limit",
    [
        ("heat1d", 60, 1e-6),
        pytest.param("lorenz", 8, 1e-3, marks=pytest.mark.slow),
        ("massspring", 10, 1e-6),
        ("pend", 20, 1e-6),
        ("bouncing", 6, 1e-6),
        pytest.param("pid", 50, 1e-6, marks=pytest.mark.slow),
        pytest.param("jerk", 20, 1e-6, marks=pytest.mark.slow),
        pytest.param("mathieu", 20, 1e-6, marks=pytest.mark.slow),
        pytest.param("vdp", 40, 1e-6, marks=pytest.mark.slow),
        pytest.param("fhn", 100, 1e-6, marks=pytest.mark.slow),
    ],
)
def test_a_patched_machine_follows_the_right_path(name, until, limit):
    # Also where the settings are too coarse: the plan itself is held to what its potentiometers say.
    flow = custom(read_problem(str(DATA / f"{name}.toml")))
    with np.load(DATA / "paths.npz") as paths:
        times, states = paths[f"{name}.t"], paths[f"{name}.y"]
    seen = times <= until
    assert farthest(flow, map_flow(flow, "that"), times[seen], states[:, seen]) <= limit


def decided_path(times):
    """x'' = -x/2 - x'/5 - 0.3 where x > 0.1, from one crossing to the next."""
    begin, state, found = 0.0, np.array([0.5, 0.2]), []
    for on in (1, 0, 1, 0, 1, 0):

        def crossed(_, y):
            return y[0] - 0.1

        crossed.terminal, crossed.direction = True, -1 if on else 1  # pyright: ignore[reportFunctionMemberAccess]
        leg = solve_ivp(
            lambda _, y, on=on: (y[1], -0.5 * y[0] - 0.2 * y[1] - 0.3 * on), (begin, times[-1] + 1e-9), state,
            method="DOP853", rtol=1e-11, atol=1e-13, events=crossed, dense_output=True,
        )  # fmt: skip
        assert leg.sol is not None
        found.append(leg.sol(times[(times >= begin) & (times < leg.t[-1])]))
        begin, state = leg.t[-1], leg.y[:, -1]
        if begin > times[-1]:
            break
    return np.concatenate(found, axis=1)


def test_a_moving_comparator_is_held_against_one_that_decides_at_once():
    """The width of a flow's comparator is for simulators: over it a machine is off, and would be said not to fit."""
    flow = custom(Equations({"x": 0.5, "v": 0.2}, {"x": "v", "v": "-0.5*x - 0.2*v - 0.3*comparator(x, 0.1)"}, time=10.0))
    mapping = map_flow(flow, "that")
    assert mapping.fits, mapping.binding
    assert mapping.followed["ideal"].relative < 1e-8
    times = np.linspace(0, 10, 61)
    assert farthest(flow, mapping, times, decided_path(times)) < 1e-6


@pytest.mark.parametrize(
    ("start", "equations"),
    [
        pytest.param({"x": 0.5}, {"x": "1 - 2*comparator(x, 0.2) - 0.2*x"}, marks=pytest.mark.slow),
        ({"x": 0.5, "v": 0.0}, {"x": "v", "v": "-x - 0.3*comparator(v, 0)"}),
    ],
)
def test_a_comparator_that_would_switch_to_and_fro_for_ever_does_not_fit(start, equations):
    mapping = map_flow(custom(Equations(start, equations, time=10.0)), "that")
    assert not mapping.fits
    assert "switches to and fro" in mapping.binding[0]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_step_and_an_absolute_value_are_comparators(sign):
    def rates(x, y):
        return 0.5 * y, 0.3 - sign * 0.5 * np.maximum(x, 0) - sign * 0.2 * np.maximum(-x, 0) - 0.2 * y - 0.5 * x

    flow = Flow(rates, {"x": np.array([-0.8]), "y": np.array([0.4])}, end_time=15.0)
    mapping = map_flow(flow, "that")
    assert mapping.fits
    assert mapping.needs["comparators"] == 1
    times = np.linspace(0, 15, 61)
    by_hand = solve_ivp(
        lambda _, s: rates(*s), (0, 15), [-0.8, 0.4], t_eval=times, method="DOP853", rtol=1e-11, atol=1e-13, max_step=0.01
    )
    assert farthest(flow, mapping, times, by_hand.y) < 1e-6
