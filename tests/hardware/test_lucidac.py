"""The vendor's own simulator and emulated device run our configurations, and ours reads a circuit of the vendor's API."""

import copy
import functools
import json
from pathlib import Path
from typing import Any

import lucipy
import numpy as np
import pytest
from board_zoo import mapped, written
from scipy.integrate import solve_ivp

from analogflow.families.files import read_problem
from analogflow.flows import custom
from analogflow.hardware import lucidac, map_flow

DATA = Path(__file__).parents[1] / "data" / "ode"
K0 = 10_000
EXACT = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-13}

FLOWS = {
    "epor": (100.0, 1e-6),
    "fhn": (100.0, 1e-6),
    "heat1d": (60.0, 1e-6),
    "henon_heiles": (100.0, 1e-6),
    "jerk": (20.0, 1e-6),
    "lorenz": (8.0, 1e-6),
    "massspring": (10.0, 1e-6),
    "mathieu": (20.0, 1e-6),
    "pend": (20.0, 1e-6),
    "pid": (50.0, 1e-6),
    "vdp": (40.0, 1e-6),
}
"""Until when, in τ, the vendor's simulator has to follow the right path, and how closely, relative to each peak."""


@functools.cache
def laid_out(name):
    """Flow, what a LUCIDAC is set to for it, its seconds for one τ, and where the states are."""
    flow, mapping = written(name), mapped(f"ode/{name}", "lucidac")
    assert mapping.configuration is not None
    assert mapping.seconds_per_time_constant is not None
    return flow, mapping.configuration, mapping.seconds_per_time_constant, mapping.readout


def right(name, until):
    """Times and states of the right path, a component a row, in the order of the file."""
    with np.load(DATA / "paths.npz") as paths:
        times, states = paths[f"{name}.t"], paths[f"{name}.y"]
    return times[times <= until], states[:, times <= until]


def circuit_of(configuration):
    """The vendor's circuit of a configuration; its `load` multiplies the lists that it is given."""
    return lucipy.Circuit().load(copy.deepcopy(json.loads(json.dumps(configuration))))


def states_of(flow, readout, outputs):
    """States, a component a row, in the flow's order, from outputs of the integrators, shape (integrators, times)."""
    order = [(state, index) for state, start in flow.states.items() for index in range(start.size)]
    places = {(entry.state, entry.index): entry for entry in readout}
    return np.array([outputs[places[key].integrator] * places[key].unit for key in order])


def farthest(found, states):
    """Largest distance from `states`, relative to the peak of each."""
    return float((abs(found - states).max(axis=1) / abs(states).max(axis=1)).max())


LONG = ("jerk", "henon_heiles", "lorenz", "vdp")
SOME = [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in FLOWS]


@pytest.mark.few(4)
@pytest.mark.parametrize("name", SOME)
def test_the_vendors_simulator_follows_the_right_path(name, capsys):
    until, limit = FLOWS[name]
    flow, configuration, seconds, readout = laid_out(name)
    times, states = right(name, until)
    simulation = lucipy.Simulation(circuit_of(configuration))
    assert capsys.readouterr().out == ""  # its sanity check found nothing
    machine_times = times * seconds * K0
    run = simulation.solve_ivp(machine_times[-1], t_eval=machine_times, **EXACT)
    assert run.success
    assert farthest(states_of(flow, readout, run.y), states) <= limit


@pytest.mark.parametrize(
    "equations, states, until, exact",
    [
        ({"y": "0.01 * r", "r": "0.0 * r"}, {"y": 0.0, "r": 1.0}, 100.0, lambda t: 0.01 * t),
        # ẋ = −x + sin 2t from 0: x = (sin 2t − 2 cos 2t + 2 e⁻ᵗ)/5.
        ({"x": "-x + sin(2 * t)"}, {"x": 0.0}, 20.0, lambda t: (np.sin(2 * t) - 2 * np.cos(2 * t) + 2 * np.exp(-t)) / 5),
    ],
    ids=["ramp", "forced"],
)
def test_the_vendors_simulator_follows_what_has_a_formula(equations, states, until, exact, tmp_path):
    lines = [f"time = {until}", "[states]", *(f"{name} = {value}" for name, value in states.items())]
    lines += ["[equations]", *(f'{name} = "{text}"' for name, text in equations.items())]
    (tmp_path / "flow.toml").write_text("\n".join(lines) + "\n")
    mapping: Any = map_flow(custom(read_problem(str(tmp_path / "flow.toml"))), "lucidac")
    assert mapping.fits
    (entry,) = [entry for entry in mapping.readout if entry.state == next(iter(states))]
    times = np.linspace(0, until, 201)
    seconds = times * mapping.seconds_per_time_constant
    run = lucipy.Simulation(circuit_of(mapping.configuration), realtime=True).solve_ivp(seconds[-1], t_eval=seconds, **EXACT)
    right = exact(times)
    assert abs(run.y[entry.integrator] * entry.unit - right).max() <= 1e-6 * abs(right).max()


def test_a_start_of_the_wrong_sign_is_seen():
    # The twin: what was written before, a start that is not negated, is far from the path.
    flow, configuration, seconds, readout = laid_out("massspring")
    wrong = copy.deepcopy(configuration)
    for setting in wrong["/0"]["/M0"]["elements"]:
        setting["ic"] = -setting["ic"]
    times, states = right("massspring", 10.0)
    machine_times = times * seconds * K0
    run = lucipy.Simulation(circuit_of(wrong)).solve_ivp(machine_times[-1], t_eval=machine_times, **EXACT)
    assert farthest(states_of(flow, readout, run.y), states) > 0.5


@pytest.mark.parametrize("name", SOME)
def test_the_emulated_device_measures_the_same(name, capsys, monkeypatch):
    # It integrates at SciPy's default tolerance of 1e-3 unless it is told otherwise.
    monkeypatch.setattr(lucipy.Simulation, "solve_ivp", functools.partialmethod(lucipy.Simulation.solve_ivp, **EXACT))
    flow, configuration, seconds, readout = laid_out(name)
    device = lucipy.LUCIDAC("emu:/")
    device.set_circuit(json.loads(json.dumps(configuration)))
    nanoseconds = round(FLOWS[name][0] * seconds * 1e9)
    device.set_run(op_time=nanoseconds, halt_on_overload=True)
    device.set_daq(sample_rate=100_000)
    samples = np.array(device.run().data())
    capsys.readouterr()
    held = sum(start.size for start in flow.states.values())
    assert samples.shape[1] >= held
    times = np.linspace(0, 1e-9 * nanoseconds, len(samples))
    simulation = lucipy.Simulation(circuit_of(configuration), realtime=True)
    expected = simulation.solve_ivp(times[-1], dense_output=True).sol(times)
    assert abs(samples.T - expected[: samples.shape[1]]).max() < 1e-9
    # At the end, 1 ns of a run that lasts a millisecond or more away, it is where the right path is.
    found, states = (
        states_of(flow, readout, np.pad(samples.T, ((0, 8 - samples.shape[1]), (0, 0)))),
        right(name, FLOWS[name][0])[1],
    )
    assert (abs(found[:, -1] - states[:, -1]) <= max(FLOWS[name][1], 1e-4) * abs(states).max(axis=1)).all()


@pytest.mark.parametrize(
    "name, rate, largest, broken",
    [
        ("massspring", 100, 1, []),
        ("pend", 100, 10, [0, 3]),
        ("fhn", 10_000, 10, list(range(16))),  # constants on the other half of the lanes, where they come from output 14
        ("heat1d", 10_000, 1, list(range(16))),
        pytest.param("lorenz", 10_000, 1, list(range(21)), marks=pytest.mark.slow),
    ],
)
def test_boards_of_ones_own_are_set_right_too(name, rate, largest, broken, tmp_path, capsys):
    (tmp_path / "own.toml").write_text(
        f"""
        kind = "crossbar"
        units = {{ integrators = 8, multipliers = 4, lanes = 32 }}
        largest_coefficient = {largest}
        coefficient_bits = 12
        rate_per_second = {rate}
        machine_unit_volts = 1
        broken_lanes = {broken}
        """
    )
    flow = written(name)
    mapping: Any = map_flow(flow, tmp_path / "own.toml", suggest=False)
    circuit = circuit_of(mapping.configuration)
    assert {route.lane for route in circuit.routes}.isdisjoint(broken)
    assert max(abs(route.coeff) for route in circuit.routes) <= largest * (1 + 1e-12)
    times, states = right(name, FLOWS[name][0])
    seconds = times * mapping.seconds_per_time_constant
    run = lucipy.Simulation(circuit, realtime=True).solve_ivp(seconds[-1], t_eval=seconds, **EXACT)
    assert capsys.readouterr().out == ""
    assert farthest(states_of(flow, mapping.readout, run.y), states) <= FLOWS[name][1]


def oscillator_with_a_product():
    """ẋ = y, ẏ = −x + (1/4 − y²)·y + 1/10 and a slow integrator, by the vendor's API, its starts included."""
    circuit: Any = lucipy.Circuit()
    x, y, slow = circuit.int(ic=0.3), circuit.int(ic=-0.2), circuit.int(ic=-0.5, slow=True)
    square, cube, one = circuit.mul(), circuit.mul(), circuit.const()
    circuit.connect(y, x, weight=-1)
    circuit.connect(x, y)
    circuit.connect(y, y, weight=-0.25)
    circuit.connect(one, y, weight=-0.1)
    circuit.connect(y, square.a, weight=2.5)
    circuit.connect(y, square.b)
    circuit.connect(square, cube.a)
    circuit.connect(y, cube.b)
    circuit.connect(cube, y, weight=0.4)
    circuit.connect(x, slow, weight=7.5)
    circuit.connect(slow, slow, weight=0.5)
    return circuit


def test_a_circuit_of_the_vendors_api_is_read():
    circuit = oscillator_with_a_product()
    simulation = lucipy.Simulation(circuit)
    machine = lucidac.machine(json.loads(json.dumps(circuit.generate())))
    assert machine.initial[:3].tolist() == [-0.3, 0.2, 0.5]
    for point in np.random.default_rng(20260101).uniform(-1, 1, (20, 8)):
        assert np.allclose(machine.rates(point), simulation.rhs(0.0, point), rtol=1e-12, atol=1e-12)
    times = np.linspace(0, 40, 81)
    theirs = simulation.solve_ivp(40.0, t_eval=times, **EXACT)
    ours = solve_ivp(lambda _, y: machine.rates(y), (0, 40.0), machine.initial, t_eval=times, **EXACT)
    assert abs(ours.y - theirs.y).max() < 1e-9
    # By the equations that the docstring states, in time units of 1/k0.
    by_hand = solve_ivp(
        lambda _, s: [s[1], -s[0] + (0.25 - s[1] ** 2) * s[1] + 0.1, -0.01 * (7.5 * s[0] + 0.5 * s[2])],
        (0, 40.0), [-0.3, 0.2, 0.5], t_eval=times, **EXACT,
    )  # fmt: skip
    assert abs(ours.y[:3] - by_hand.y).max() < 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_random_circuits_of_the_vendors_api_are_read(seed):
    # Linear ones, for a product among random routes may lie in a circle, of which the vendor's simulator says so.
    random = np.random.default_rng(seed)
    circuit: Any = lucipy.Circuit()
    held = [circuit.int(ic=float(random.uniform(-1, 1)), slow=bool(random.integers(2))) for _ in range(8)]
    givers = circuit.const(), circuit.const()
    for giver in givers:
        circuit.connect(giver, held[int(random.integers(8))], weight=float(random.uniform(-1, 1)))
    for _ in range(24):
        source, target = random.choice(8, 2)
        circuit.connect(held[source], held[target], weight=float(random.uniform(-10, 10)))
    simulation = lucipy.Simulation(circuit)
    machine = lucidac.machine(circuit.generate())
    for point in random.uniform(-1, 1, (5, 8)):
        assert np.allclose(machine.rates(point), simulation.rhs(0.0, point), rtol=1e-12, atol=1e-11)
    assert np.allclose(machine.initial, -np.array(circuit.ics))
