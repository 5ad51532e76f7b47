"""What noise of parts does as it is played: through time, at any distance of its knots, by Lyapunov's equation."""

import itertools

import numpy as np
import pytest
from part_bench import PARTS, ROOM, TAU, bench, even, logarithm, played
from scipy import constants, linalg

from analogflow.circuit import (
    BipolarTransistor,
    Capacitor,
    Instance,
    NoiseVoltage,
    Resistor,
    TimedVoltage,
    VoltageSource,
)
from analogflow.circuit.build import thermal_voltage
from analogflow.passes.small_signal import linearised

ENGINE = [
    pytest.param("ngspice", marks=pytest.mark.ngspice),
    pytest.param("vacask", marks=[pytest.mark.vacask, pytest.mark.slow]),
]


def predicted(elements, nodes, step):
    """Variance of each node by the transfer of every source, of noise that is linear between knots and of white noise."""
    every = sorted({node for element in elements for node in element.nodes} - {"0"})
    _, rest = played(bench(elements, every, noisy=False), "ngspice", 20.0)
    circuit = bench(elements, nodes, current_noise=0.0, noise_corner=0.0)
    linear = linearised(circuit, {node: float(value[-1]) for node, value in rest.items()})
    used = {source.name: source for source in circuit.elements if isinstance(source, NoiseVoltage)}
    white = np.array([2 * circuit.units.time_constant * used[name].density ** 2 for name in linear.sources])
    gradient = np.zeros((len(nodes), len(linear.rest)))
    gradient[range(len(nodes)), [linear.rows[node] for node in nodes]] = 1.0
    frequency = np.geomspace(1e-3 / TAU, 1e3 / TAU, 400)
    density = np.array([abs(linear.transfer(gradient, f)) ** 2 @ white for f in frequency])
    kept = np.sinc(frequency * step * TAU)[:, None] ** 4
    weighed = density * frequency[:, None]
    return (np.trapezoid(each, np.log(frequency), axis=0) + each[0] for each in (weighed * kept, weighed))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINE)
def test_shot_noise_follows_a_current_that_swings(engine):
    """Cyclostationary: by the phase of a sine at the bases of many transistors, 2qI_C of the current of that moment."""
    count, period, phases = 24, 4.0, 8
    model, v_t = PARTS.npn, thermal_voltage(ROOM)
    elements = [
        TimedVoltage("b", ("b", "0"), f"0.6+0.03*sin({2 * np.pi / (period * TAU)!r}*time)"),
        VoltageSource("cc", ("cc", "0"), 2.0),
    ]
    read = []
    for k in range(count):
        elements += [
            VoltageSource(f"c{k}", ("cc", f"c{k}"), 0.0),
            BipolarTransistor(f"q{k}", (f"c{k}", "b", "0"), model.name),
        ]
        read.append(f"i(vc{k})")
    circuit = bench(elements, read)
    time, values = played(circuit, engine, 204.0, 0.01)
    at = np.arange(4.0, 204.0, 0.017)  # all places between knots alike
    current = np.stack([np.interp(at, time, value) for value in values.values()])
    mean = current.mean(axis=0)
    variance = ((current - mean) ** 2).sum(axis=0) / (count - 1)
    ohms = dict(model.parameters)["rb"] + dict(model.parameters)["re"]
    power = 2 * constants.e * mean + 4 * constants.k * ROOM * ohms * (mean / v_t) ** 2
    # A knot has half the one-sided density over its distance; straight lines between knots keep two thirds of that.
    expected = power / (2 * circuit.noise.step * TAU) * 2 / 3
    phase = (at % period / period * phases).astype(int)
    assert mean.max() > 8 * mean.min()
    ratios = np.array([variance[phase == k].mean() / expected[phase == k].mean() for k in range(phases)])
    knots = 200.0 / circuit.noise.step / phases * (count - 1)
    np.testing.assert_allclose(ratios, 1.0, atol=min(3 * np.sqrt(2 / knots), 0.05))


@pytest.mark.slow
@pytest.mark.ngspice
def test_the_distance_of_knots_moves_neither_a_variance_nor_a_mean():
    """A cell with every kind of source at three distances: its variance is that of its own prediction, its mean one."""
    cells, length, means = 8, 800.0, []
    elements = [element for k in range(cells) for element in logarithm(k)]
    for step in (0.4, 0.2, 0.1):
        circuit = bench(
            elements, [f"out{k}" for k in range(cells)], reltol=1e-4, step=step, seed=5, current_noise=0.0, noise_corner=0.0
        )
        time, values = played(circuit, "ngspice", length, step / 8)
        some = np.stack([even(time, value, 0.037)[300:] for value in values.values()])
        wanted, _ = predicted(logarithm(), ["out0"], step)
        # The cell forgets within some 0.3 τ, and a knot moves it for as long as knots are apart.
        error = np.sqrt(2 * (0.3 + step) / (cells * length))
        assert some.var(axis=1).mean() == pytest.approx(wanted[0], rel=min(3 * error, 0.05))
        means.append((some.mean(), some.std() * error))
    for (one, error), (other, beside) in itertools.pairwise(means):
        assert abs(one - other) < 3 * np.hypot(error, beside)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINE)
def test_two_poles_have_the_covariance_of_lyapunovs_equation(engine):
    """Noise of an amplifier and of two resistors, each with a capacitor: A Σ + Σ Aᵀ + B Bᵀ/2 = 0, of one-sided densities."""
    count, r_1, r_2, c_1, c_2, step = 16, 1e3, 2e3, 100e-9, 30e-9, 0.1
    elements, read = [], []
    for k in range(count):
        elements += [
            Instance(f"x{k}", ("0", f"o{k}", f"o{k}"), PARTS.op_amp.name),
            Resistor(f"r{k}", (f"o{k}", f"a{k}"), r_1),
            Capacitor(f"a{k}", (f"a{k}", "0"), c_1, 0.0),
            Resistor(f"s{k}", (f"a{k}", f"b{k}"), r_2),
            Capacitor(f"b{k}", (f"b{k}", "0"), c_2, 0.0),
        ]
        read += [f"a{k}", f"b{k}"]
    circuit = bench(elements, read, reltol=1e-4, step=step, current_noise=0.0, noise_corner=0.0)
    a = np.array([[-(1 / r_1 + 1 / r_2) / c_1, 1 / (r_2 * c_1)], [1 / (r_2 * c_2), -1 / (r_2 * c_2)]])
    thermal = np.sqrt(4 * constants.k * ROOM / np.array([r_1, r_2]))
    b = np.array([[PARTS.op_amp.noise / (r_1 * c_1), thermal[0] / c_1, thermal[1] / c_1], [0, 0, -thermal[1] / c_2]])
    exact = np.diag(linalg.solve_continuous_lyapunov(a, -b @ b.T / 2))
    kept, white = predicted(elements[:5], ["a0", "b0"], step)
    np.testing.assert_allclose(white, exact, rtol=5e-3)
    time, values = played(circuit, engine, 400.0)
    some = np.stack([even(time, value, 0.037)[300:] for value in values.values()])
    found = np.array([some[k::2].var(axis=1).mean() for k in range(2)])
    # Each τ of each copy is worth an independent number.
    np.testing.assert_allclose(found, exact * kept / white, rtol=min(3 * np.sqrt(2 / (count * 400.0)), 0.05))
