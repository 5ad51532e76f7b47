"""Noise of parts: densities against closed formulas and against what simulators work out themselves, in every engine."""

import json
import subprocess

import numpy as np
import pytest
from part_bench import PARTS, ROOM, TAU, bench, even, logarithm, played
from scipy import constants
from scipy.signal import welch
from zoo import PAPER

import analogflow as af
from analogflow.circuit import (
    BipolarTransistor,
    Capacitor,
    Instance,
    NoiseVoltage,
    Resistor,
    VoltageSource,
)
from analogflow.circuit.build import kelvin_of, thermal_voltage
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.noise import DEVICE_STREAMS, Noise
from analogflow.passes.device_noise import saturation_current
from analogflow.simulators.ngspice.library import find_program

ENGINE = [pytest.param("ngspice", marks=pytest.mark.ngspice), pytest.param("vacask", marks=pytest.mark.vacask)]


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("ngspice", marks=pytest.mark.ngspice),
        pytest.param("vacask", marks=[pytest.mark.vacask, pytest.mark.slow]),
    ],
)
def test_a_resistor_across_a_capacitor_makes_kt_over_c(engine):
    """⟨v²⟩ = kT/C whatever R is (Nyquist, Phys. Rev. 32, 110, 1928), less what noise lacks that is linear between knots."""
    count, capacitance, celsius = 128, 1e-9, 85.0
    elements = []
    for k in range(count):
        elements += [
            Resistor(f"r{k}", (f"x{k}", "0"), TAU / capacitance),
            Capacitor(f"c{k}", (f"x{k}", "0"), capacitance, 0.0),
        ]
    circuit = bench(elements, [f"x{k}" for k in range(count)], celsius=celsius, step=0.25)
    time, values = played(circuit, engine, 1000.0)
    some = np.stack([even(time, values[f"x{k}"], 0.1)[100:] for k in range(count)])
    expected = constants.k * kelvin_of(celsius) / capacitance * circuit.noise.variance_share()
    # Of 128 times 990 τ, each worth an independent number for every τ: a standard error of √(2/127,000), 0.4 %.
    assert some.var() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("engine", ENGINE)
@pytest.mark.parametrize("celsius", [-40.0, 27.0, 125.0])
@pytest.mark.parametrize("kind", ["npn", "pnp"])
def test_shot_noise_of_a_transistor_is_that_of_the_current_it_carries(engine, celsius, kind):
    """The simulator's own I_C at three currents, against the amplitude with which our knots come out of its collector."""
    parts, kelvin = PARTS, kelvin_of(celsius)
    model = parts.npn if kind == "npn" else parts.pnp
    sign, v_t = (1.0 if kind == "npn" else -1.0), thermal_voltage(kelvin)
    elements, read, wanted = [], [], (1e-6, 1e-5, 5e-5)
    for k, current in enumerate(wanted):
        volts = sign * v_t * np.log(current / saturation_current(model, kelvin) / 2.0)
        elements += [
            VoltageSource(f"b{k}", (f"b{k}", "0"), volts),
            VoltageSource(f"c{k}", (f"c{k}", "0"), sign * 2.0),
            BipolarTransistor(f"q{k}", (f"c{k}", f"b{k}", "0"), model.name, 2.0),
        ]
        read += [f"i(vc{k})", f"i(vb{k})", f"nc_q{k}", f"nb_q{k}"]
    circuit = bench(elements, read, celsius=celsius)
    time, values = played(circuit, engine, 60.0)
    values = {name: even(time, value, 0.01)[100:] for name, value in values.items()}
    for k, current in enumerate(wanted):
        collector = np.polynomial.Polynomial.fit(values[f"nc_q{k}"], values[f"i(vc{k})"], 1).convert().coef
        assert abs(collector[0]) == pytest.approx(current, rel=0.1)
        ohms = (dict(model.parameters)["rb"] + dict(model.parameters)["re"]) / 2.0
        power = 2 * constants.e * abs(collector[0]) + 4 * constants.k * kelvin * ohms * (collector[0] / v_t) ** 2
        assert abs(collector[1]) == pytest.approx(np.sqrt(power), rel=0.01)
        base = np.polynomial.Polynomial.fit(values[f"nb_q{k}"], values[f"i(vb{k})"], 1).convert().coef
        assert abs(base[1]) == pytest.approx(np.sqrt(2 * constants.e * abs(base[0])), rel=0.02)
    knots = values["nc_q0"]
    assert np.std(knots) == pytest.approx(np.sqrt(2 / 3 / (2 * TAU * circuit.noise.step)), rel=0.2)


def small_signal(folder, circuit, output, source, frequencies):
    """Density at a node as ngspice's own analysis of noise finds it, V/√Hz, at equally spaced frequencies."""
    skipped = (".tran", ".save", ".ic")
    body = [line for line in af.netlist(circuit, time_constants=1.0).body if not line.startswith(skipped)]
    script = [
        f"alter @{source}[acmag]=1",
        f"noise v({output}) {source} lin {len(frequencies)} {float(frequencies[0])!r} {float(frequencies[-1])!r}",
        "setplot noise1",
        "set wr_singlescale",
        "set numdgt=12",
        "wrdata density.txt onoise_spectrum",
    ]
    (folder / "noise.cir").write_text("\n".join(["* noise", *body, ".control", *script, "quit", ".endc", ".end", ""]))
    subprocess.run([find_program().path, "-b", "noise.cir"], cwd=folder, capture_output=True, check=False, timeout=120)
    found = np.loadtxt(folder / "density.txt")
    np.testing.assert_allclose(found[:, 0], frequencies)
    return found[:, 1]


@pytest.mark.parametrize(
    ("engine", "length", "count"),
    [
        pytest.param("ngspice", 400.0, 4, marks=[pytest.mark.ngspice, pytest.mark.slow]),
        pytest.param("ngspice", 1600.0, 8, marks=[pytest.mark.ngspice, pytest.mark.slow]),
        pytest.param("vacask", 400.0, 4, marks=[pytest.mark.vacask, pytest.mark.ngspice, pytest.mark.slow]),
    ],
)
def test_the_spectrum_of_a_cell_is_that_which_ngspice_works_out(tmp_path, engine, length, count):
    """Bands of what is played to resistors, a transistor, amplifiers and a multiplier, against ``.noise`` of their models.

    Current noise is left out: the macro-models, whose own noise that analysis knows, have none.
    """
    cells, end = 16, 16e3
    elements = [element for k in range(cells) for element in logarithm(k)]
    circuit = bench(elements, [f"out{k}" for k in range(cells)], reltol=1e-4, current_noise=0.0, noise_corner=0.0)
    step = circuit.noise.step
    time, values = played(circuit, engine, length, step / 4)
    some = np.stack([even(time, value, step) for value in values.values()])[:, 50:]
    frequency, power = welch(some, fs=1 / (step * TAU), nperseg=400)
    inside = (frequency > 0) & (frequency <= end)
    exact = small_signal(tmp_path, bench(logarithm(), ["out0"], noisy=False), "out0", "vv0", frequency[inside])
    # Noise that is linear between knots has the spectrum sinc⁴ of what is white.
    exact = exact**2 * np.sinc(frequency[inside] * step * TAU) ** 4
    error = np.sqrt(count / (cells * some.shape[1] * step * TAU * end))
    for wanted, found in zip(np.array_split(exact, count), np.array_split(power.mean(axis=0)[inside], count), strict=True):
        assert found.mean() == pytest.approx(wanted.mean(), rel=min(3 * error, 0.05))


@pytest.mark.slow
@pytest.mark.ngspice
def test_current_noise_of_an_amplifier_is_that_of_its_record():
    """A follower with R at both inputs: e_n² + 2 (i_n R)² + 2·4kTR, in a band far below its own bandwidth."""
    ohms, count, current = 100e3, 16, 1e-12
    elements = []
    for k in range(count):
        elements += [
            Resistor(f"p{k}", (f"p{k}", "0"), ohms),
            Resistor(f"m{k}", (f"m{k}", f"o{k}"), ohms),
            Instance(f"x{k}", (f"p{k}", f"m{k}", f"o{k}"), PARTS.op_amp.name),
        ]
    nodes = [f"o{k}" for k in range(count)]
    circuit = bench(elements, nodes, reltol=1e-4, current_noise=current, noise_corner=0.0)
    time, values = played(circuit, "ngspice", 400.0, circuit.noise.step / 4)
    some = np.stack([even(time, value, circuit.noise.step) for value in values.values()])[:, 50:]
    frequency, power = welch(some, fs=1 / (circuit.noise.step * TAU), nperseg=200)
    low = (frequency > 0) & (frequency < 10e3)
    wanted = PARTS.op_amp.noise**2 + 2 * (current * ohms) ** 2 + 8 * constants.k * ROOM * ohms
    seen = power.mean(axis=0)[low] / np.sinc(frequency[low] * circuit.noise.step * TAU) ** 4
    assert seen.mean() == pytest.approx(wanted, rel=0.03)


def test_sources_of_a_circuit_have_streams_of_their_own_and_the_same_bytes_for_a_seed():
    first, again, other = (bench(logarithm(), ["out0"], seed=seed) for seed in (3, 3, 4))
    streams = [source.stream for source in first.noises()]
    assert len(set(streams)) == len(streams)
    assert max(np.diff(sorted(streams))) == DEVICE_STREAMS
    tables = [af.netlist(circuit, time_constants=5.0).tables for circuit in (first, again, other)]
    assert list(tables[0]) == list(tables[1])
    assert list(tables[0]) != list(tables[2])


def test_a_circuit_without_noise_of_parts_is_written_as_before_and_one_with_it_has_the_same_parts():
    circuit = af.compile(af.flows.capacity(PAPER), technology="translinear")
    noisy = af.degrade(circuit, noise=Noise(0.0, seed=1, parts=True))
    kinds = (Resistor, BipolarTransistor, Capacitor, Instance)
    for kind in kinds:
        before, after = ([e for e in c.elements if isinstance(e, kind)] for c in (circuit, noisy))
        assert [e.name for e in before] == [e.name for e in after]
    sources = [e for e in noisy.elements if isinstance(e, NoiseVoltage)]
    counts = [len([e for e in circuit.elements if isinstance(e, kind)]) for kind in kinds]
    inputs = sum(node != "0" for e in circuit.elements if isinstance(e, Instance) for node in e.nodes[:2])
    assert len(sources) == counts[0] + 2 * counts[1] + counts[3] + inputs
    assert not circuit.noisy
    assert noisy.noisy
    assert not noisy.nominal


def test_noise_of_parts_is_refused_where_there_are_none():
    with pytest.raises(BadInput, match=r"the technology 'ideal' has no parts whose noise could be played; take 'opamp'"):
        af.degrade(af.compile(af.flows.capacity(PAPER)), noise=Noise(0.0, parts=True))


def test_a_study_whose_noise_is_that_of_parts_is_refused():
    with pytest.raises(BadInput, match=r"study: noise 'parts' is what parts make, and no σ that a study could vary"):
        af.Study(PAPER, noise=["parts"], samples=2)


@pytest.mark.ngspice
def test_the_command_line_plays_it_beside_sigma(capsys):
    asked = ["solve", "capacity", "examples/data/paper_channel.csv", "--technology", "translinear", "--engine", "ngspice"]
    assert main([*asked, "--noise", "parts", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["noise"] == 0
    assert said["noise_of_parts"] is True
    assert main([*asked[:3], "--noise", "parts"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_noise_of_parts_is_nothing_to_buy():
    circuit = af.compile(af.flows.capacity(PAPER), technology="opamp")
    noisy = af.degrade(circuit, noise=Noise(0.0, parts=True))
    assert af.parts_list(noisy).entries == af.parts_list(circuit).entries
