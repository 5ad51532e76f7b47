"""Noise of parts by VACASK's own analysis, beside ngspice's and what our sources make: three programs, one density."""

import re
import subprocess

import numpy as np
import pytest
from part_bench import bench, logarithm, played
from raw_reader import read_raw

import analogflow as af
from analogflow.circuit import BipolarTransistor, NoiseVoltage, Resistor, VoltageSource
from analogflow.netlister.verilog_a import write_verilog_a
from analogflow.passes.small_signal import linearised
from analogflow.simulators.ngspice.library import find_program
from analogflow.simulators.vacask.program import find_programs

FREQUENCIES = np.linspace(2e3, 4.2e4, 21)


def translinear():
    """Three transistors that share a current as exponentials of their bases, read across a resistor."""
    elements = [
        VoltageSource("cc", ("cc", "0"), 5.0),
        VoltageSource("ee", ("ee", "0"), -5.0),
        Resistor("tail", ("em", "ee"), 100e3),
    ]
    for k, volts in enumerate((0.01, 0.0, -0.02)):
        elements += [
            VoltageSource(f"b{k}", (f"d{k}", "0"), volts),
            Resistor(f"b{k}", (f"d{k}", f"b{k}"), 1e3),
            BipolarTransistor(f"q{k}", (f"c{k}", f"b{k}", "em"), "qn", 2.0),
            Resistor(f"c{k}", ("cc", f"c{k}"), 30e3),
        ]
    return elements, "c0", "b0"


def opamp():
    """A logarithm of op-amps with a multiplier."""
    return logarithm(), "out0", "v0"


def by_vacask(folder, circuit, node, source):
    """Density at a node, V/√Hz."""
    _, path = write_verilog_a(af.netlist(circuit, time_constants=1.0), folder / "circuit.va")
    low, high, count = float(FREQUENCIES[0]), float(FREQUENCIES[-1]), len(FREQUENCIES) - 1
    line = f'  analysis small noise out="{node}" in="v_{source}" from={low!r} to={high!r} mode="lin" points={count}'
    text = re.sub(r"(?m)^  save .*$", "  save default", path.read_text())
    path.write_text(re.sub(r"(?m)^  analysis .*$", line, text))
    command = [find_programs().simulator, "-qp", path.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-800:]
    found = read_raw(folder / "small.raw")[0].vectors
    return found["frequency"].real, np.sqrt(found["onoise"].real)


def by_ngspice(folder, circuit, node, source):
    """Density at a node, V/√Hz."""
    skipped = (".tran", ".save", ".ic")
    body = [line for line in af.netlist(circuit, time_constants=1.0).body if not line.startswith(skipped)]
    script = [
        f"alter @v{source}[acmag]=1",
        f"noise v({node}) v{source} lin {len(FREQUENCIES)} {float(FREQUENCIES[0])!r} {float(FREQUENCIES[-1])!r}",
        "setplot noise1", "set wr_singlescale", "set numdgt=12", "wrdata density.txt onoise_spectrum", "quit",
    ]  # fmt: skip
    (folder / "noise.cir").write_text("\n".join(["* noise", *body, ".control", *script, ".endc", ".end", ""]))
    subprocess.run([find_program().path, "-b", "noise.cir"], cwd=folder, capture_output=True, check=False, timeout=120)
    return np.loadtxt(folder / "density.txt").T


def by_our_sources(elements, node):
    """Density at a node, V/√Hz, of what is played there, by the transfer of each source."""
    every = sorted({end for element in elements for end in element.nodes} - {"0"})
    _, rest = played(bench(elements, every, noisy=False), "vacask", 20.0)
    circuit = bench(elements, [node], current_noise=0.0, noise_corner=0.0)
    linear = linearised(circuit, {end: float(value[-1]) for end, value in rest.items()})
    used = {source.name: source for source in circuit.elements if isinstance(source, NoiseVoltage)}
    white = np.array([2 * circuit.units.time_constant * used[name].density ** 2 for name in linear.sources])
    gradient = np.zeros((1, len(linear.rest)))
    gradient[0, linear.rows[node]] = 1.0
    return np.sqrt([float((abs(linear.transfer(gradient, f)) ** 2 @ white)[0]) for f in FREQUENCIES])


@pytest.mark.vacask
@pytest.mark.ngspice
@pytest.mark.parametrize("deck", [opamp, translinear])
def test_three_programs_find_one_density_of_the_noise_of_parts(tmp_path, deck):
    elements, node, source = deck()
    circuit = bench(elements, [node], noisy=False)
    frequency, vacask = by_vacask(tmp_path, circuit, node, source)
    same, ngspice = by_ngspice(tmp_path, circuit, node, source)
    np.testing.assert_allclose(frequency, FREQUENCIES)
    np.testing.assert_allclose(same, FREQUENCIES)
    np.testing.assert_allclose(vacask, ngspice, rtol=1e-5)
    np.testing.assert_allclose(by_our_sources(elements, node), vacask, rtol=1e-3)
