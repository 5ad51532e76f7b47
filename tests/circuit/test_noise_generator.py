"""What has to make a circuit's noise: the density and band that it plays, and a resistor that has as much."""

import dataclasses
import math
import subprocess

import numpy as np
import pytest
import scipy

import analogflow as af
from analogflow.circuit import NoiseVoltage
from analogflow.circuit.noise_generator import noise_generator, noises_of_the_flow
from analogflow.netlister.deck import noise_table
from analogflow.report import draw_circuit

LAW = af.Hopfield(U=[[0.6]], I=[0.5], temperature=0.2)
CIRCUIT = af.compile(af.flows.hopfield(LAW), technology="opamp")


def made_for(circuit):
    return [noise_generator(circuit, source) for source in noises_of_the_flow(circuit)]


def test_the_spectrum_that_is_played_has_that_density_in_that_band():
    """Of the very table that the simulator plays, by Welch's method of SciPy, one-sided as data sheets give it."""
    source, (made, _) = noises_of_the_flow(CIRCUIT)[0], made_for(CIRCUIT)
    _, tables = noise_table(CIRCUIT, 4000.0)
    ((time, column, _),) = (table.T for table in tables.values())
    fine = np.linspace(time[0], time[-1], 8 * (len(time) - 1) + 1)
    volts = np.interp(fine, time, column * CIRCUIT.noise.amplitude(source.density))
    frequency, power = scipy.signal.welch(volts, 1 / (fine[1] - fine[0]), nperseg=2**13)
    low, edge = frequency < 0.1 * made.highest, abs(frequency / made.highest - 1) < 0.1
    assert math.sqrt(power[low][1:].mean()) == pytest.approx(made.density, rel=0.03)
    assert power[edge].mean() / power[low][1:].mean() == pytest.approx(0.5, abs=0.03)
    assert frequency[1] < made.highest
    assert 0.75 < volts.std() / made.rms < 1  # a pole lets more of it through than straight lines do


@pytest.mark.ngspice
@pytest.mark.parametrize("celsius", [27.0, 85.0])
def test_the_noise_of_its_resistor_is_what_ngspice_says(celsius, tmp_path):
    circuit = af.compile(af.flows.hopfield(LAW), technology="opamp", temperature_celsius=celsius)
    made = made_for(circuit)[0]
    deck = tmp_path / "a.cir"
    deck.write_text(
        f"* noise of a resistor\nVs in 0 dc 0 ac 1\nRs in a {made.resistance!r}\nRl a 0 1e15\n.temp {celsius}\n"
        ".control\nnoise v(a) Vs lin 1 1000 1000\nsetplot noise1\nprint onoise_spectrum\nquit\n.endc\n.end\n"
    )
    said = subprocess.run(["ngspice", "-b", str(deck)], capture_output=True, text=True, check=True).stdout
    resistor = float(next(line for line in said.splitlines() if line.startswith("onoise_spectrum =")).split("=")[1])
    op_amp = made.op_amp
    bias = math.sqrt(2 * 1.602176634e-19 * math.hypot(op_amp.bias_current, op_amp.bias_spread)) * made.resistance
    assert made.gain * math.hypot(resistor, op_amp.noise, bias) == pytest.approx(made.density, rel=1e-4)
    assert resistor > 3 * op_amp.noise


@pytest.mark.parametrize("parts", ["precision", "general", "fast"])
def test_its_stages_have_the_bandwidth_and_one_fewer_have_not(parts):
    made = made_for(af.compile(af.flows.hopfield(LAW), technology="opamp", parts=parts))[0]
    assert made.stages > 1

    def left(stages):
        """Share of the amplitude at the end of the band, behind as many poles."""
        pole = made.op_amp.bandwidth / made.gain ** (1 / stages)
        return abs(1 / (1 + 1j * made.highest / pole)) ** stages

    assert left(made.stages) >= math.sqrt(0.5) > left(made.stages - 1)


def test_noise_that_no_resistor_makes_is_external():
    slow = dataclasses.replace(CIRCUIT.parts, op_amp=dataclasses.replace(CIRCUIT.parts.op_amp, bandwidth=1e4))
    starved = dataclasses.replace(CIRCUIT, build=dataclasses.replace(CIRCUIT.build, parts=slow))
    low = dataclasses.replace(CIRCUIT.parts, supply=5.0)
    clipped = dataclasses.replace(CIRCUIT, build=dataclasses.replace(CIRCUIT.build, parts=low))
    for circuit in (starved, clipped):
        assert {made.stages for made in made_for(circuit)} == {0}
        (line,) = [entry for entry in af.parts_list(circuit).entries if entry.part == "noise generator"]
        assert "external: no resistor and 6 stages of opa2277 make it" in line.value
        assert line.current == 0


def test_the_parts_list_names_generators_and_their_amplifiers_draw_power():
    made = made_for(CIRCUIT)
    (line,) = [entry for entry in af.parts_list(CIRCUIT).entries if entry.part == "noise generator"]
    assert line.count == len(made) == sum(isinstance(element, NoiseVoltage) for element in CIRCUIT.elements)
    assert line.value.startswith(f"{1e3 * made[0].density:.4g}mV/√Hz from ")
    assert line.current == pytest.approx(len(made) * made[0].stages * CIRCUIT.parts.op_amp.supply_current)
    others = sum(entry.current for entry in af.parts_list(CIRCUIT).entries if entry is not line)
    assert af.parts_list(CIRCUIT).power > 2 * CIRCUIT.parts.supply * others * 0.999


def test_noise_that_conditions_assume_is_nothing_to_buy():
    quiet = dataclasses.replace(LAW, temperature=0.0)
    shaken = af.degrade(af.compile(af.flows.hopfield(quiet), technology="opamp"), noise=af.Noise(0.01))
    assert noises_of_the_flow(shaken) == []
    assert af.parts_list(shaken).count("assumed noise") == 2
    assert af.parts_list(shaken).count("noise generator") == 0
    both = af.degrade(CIRCUIT, noise=af.Noise(0.01, step=CIRCUIT.noise.step))
    assert [source.name for source in noises_of_the_flow(both)] == [source.name for source in noises_of_the_flow(CIRCUIT)]
    assert af.parts_list(both).count("noise generator") == af.parts_list(both).count("assumed noise") == 2


def test_the_schematic_says_it_as_data_sheets_do(tmp_path):
    af.save_figure(draw_circuit(CIRCUIT), tmp_path / "a.svg")
    assert f"{1e3 * made_for(CIRCUIT)[0].density:.4g}mV/√Hz" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_the_header_of_a_netlist_says_what_a_bench_needs():
    made = made_for(CIRCUIT)
    said = [line for line in af.netlist(CIRCUIT).header if "noise" in line]
    density = f"{1e3 * made[0].density:.4g}mV/sqrtHz"
    assert said[0].startswith(f"* noise:     on a bench 2 generators of {density} from ")
    assert said[1].endswith(f"kohm, its noise amplified {made[0].gain:.3g} times in {made[0].stages} stages of opa2277")
    quiet = af.compile(af.flows.hopfield(dataclasses.replace(LAW, temperature=0.0)), technology="opamp")
    assert not [line for line in af.netlist(quiet).header if "noise" in line]
    assert not [line for line in af.netlist(af.compile(af.flows.hopfield(LAW))).header if "bench" in line]


def test_a_table_begins_with_the_run_where_the_circuit_is_held_first():
    """Before its first row ngspice reads memory before the table, which may be nobody's."""
    circuit = af.degrade(
        af.compile(af.flows.langevin(af.Langevin("x**2/2", ["x"], 0.5)), technology="opamp"),
        noise=af.Noise(0.0, 1, step=0.1),
    )
    assert circuit.release > 0
    (table,) = noise_table(circuit, 20.0)[1].values()
    assert (table[0, 0], table[1, 0]) == (0.0, pytest.approx(circuit.release))
    assert (table[0, 1:] == table[1, 1:]).all()
    assert (np.diff(table[:, 0]) > 0).all()
