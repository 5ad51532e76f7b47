"""Which parts make the noise of an answer: against ngspice's analysis of the whole circuit, and against what is played."""

import dataclasses
import json
import re
import subprocess

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.circuit import NoiseVoltage
from analogflow.circuit.circuit import Reading
from analogflow.cli import main
from analogflow.compiler import circuit_of, rebuilt
from analogflow.errors import BadInput
from analogflow.judgement import noise_budget
from analogflow.noise import Noise
from analogflow.passes.small_signal import linearised
from analogflow.simulators.ngspice.library import find_program
from analogflow.technology import part_set

PARTS = part_set("precision")
# The macro-models, whose noise ngspice works out, have neither of these.
KNOWN = dataclasses.replace(PARTS, op_amp=dataclasses.replace(PARTS.op_amp, current_noise=0.0, noise_corner=0.0))
CHANNEL = "examples/data/paper_channel.csv"


def settled(circuit):
    """Volts of every node at the end of a run."""
    nodes = sorted({node for element in circuit.elements for node in element.nodes} - {"0"})
    probed = dataclasses.replace(circuit, readings={**circuit.readings, "all": Reading(tuple(nodes), np.ones(len(nodes)))})
    run = af.simulate(af.netlist(probed, time_constants=80.0), engine="ngspice")
    return dict(zip(nodes, run.values["all"][-1].tolist(), strict=True))


def foreign(folder, circuit, volts, nodes, vectors):
    """Frequencies and densities, V/√Hz, between two nodes, of the whole deck, by ngspice's analysis of noise.

    An inductor in place of each switch holds its integrator where it settled for direct currents, and lets go of it above.
    """
    skipped = (".tran", ".save", ".ic")
    text = "\n".join(line for line in af.netlist(circuit, time_constants=1.0).body if not line.startswith(skipped))
    text = re.sub(r"(?m)^Vhold .*$", "Vhold hold 0 0", text)
    for name, node, _ in re.findall(r"(?m)^S(\w+)_hold (\w+) (\w+) ", text):
        text = re.sub(rf"(?m)^S{name}_hold (\S+) (\S+) .*$", rf"L{name}_hold \1 \2 1e9", text)
        text = re.sub(rf"(?m)^V{name}_set (\S+) (\S+) .*$", rf"V{name}_set \1 \2 {volts[name] - volts[node]!r}", text)
        volts = {**volts, f"{name}_set": volts[node]}
    near = "\n".join(f".nodeset v({node})={value!r}" for node, value in volts.items())
    script = [f"noise v({nodes[0]},{nodes[1]}) vac dec 4 1 1e5 1", "setplot noise1", "set wr_singlescale", "set numdgt=12"]
    script += [f"wrdata density.txt {' '.join(vectors)}", "quit"]
    lines = ["* noise", text, near, "Vac vac 0 dc 0 ac 1", "Rac vac 0 1", ".control", *script, ".endc", ".end", ""]
    (folder / "noise.cir").write_text("\n".join(lines))
    subprocess.run([find_program().path, "-b", "noise.cir"], cwd=folder, capture_output=True, check=False, timeout=120)
    found = np.loadtxt(folder / "density.txt")
    return found[:, 0], found[:, 1:]


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("technology", "parts"),
    [
        ("translinear", {"u0_v1": "onoise_ru0_v1", "z1": "onoise_qz1", "u1_amp": "onoise_r.xu1_amp.ren"}),
        pytest.param(
            "opamp",
            {"softmax0_b0_f": "onoise_rsoftmax0_b0_f", "softmax0_1": "onoise_qsoftmax0_1"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_whole_circuit_and_each_part_of_it_make_the_noise_that_ngspice_works_out(tmp_path, technology, parts):
    celsius = 60.0
    circuit = circuit_of(PAPER, technology=technology, parts=KNOWN, temperature_celsius=celsius)
    volts = settled(circuit)
    noisy = circuit_of(PAPER, technology=technology, parts=KNOWN, temperature_celsius=celsius, noise=Noise(0.0, parts=True))
    # In the macro-model a resistor makes the voltage noise, which is that of the record at 300 K.
    colder = KNOWN.op_amp.noise * np.sqrt(300 / (celsius + 273.15))
    colder = dataclasses.replace(KNOWN, op_amp=dataclasses.replace(KNOWN.op_amp, noise=float(colder)))
    circuit = circuit_of(PAPER, technology=technology, parts=colder, temperature_celsius=celsius)
    linear = linearised(noisy, volts)
    one, other, *_ = noisy.readings["u"].vectors
    gradient = np.zeros((1, len(linear.rest)))
    gradient[0, [linear.rows[one], linear.rows[other]]] = 1.0, -1.0
    vectors = ["onoise_spectrum", *parts.values()]
    frequency, wanted = foreign(tmp_path, circuit, volts, (one, other), vectors)
    densities = {source.name: 2 * noisy.units.time_constant * source.density**2 for source in sources(noisy)}
    white = np.array([densities[name] for name in linear.sources])
    own = np.array([abs(linear.transfer(gradient, f)[0]) ** 2 * white for f in frequency])
    np.testing.assert_allclose(np.sqrt(own.sum(axis=1)), wanted[:, 0], rtol=2e-3)
    for k, part in enumerate(parts, start=1):
        mine = [j for j, name in enumerate(linear.sources) if name.partition("_")[2] == part and not name.startswith("ni")]
        slow = frequency < 3e4  # above, the capacitances of junctions begin to tell
        np.testing.assert_allclose(np.sqrt(own[:, mine].sum(axis=1))[slow], wanted[slow, k], rtol=2e-3)


def sources(circuit):
    return [element for element in circuit.elements if isinstance(element, NoiseVoltage)]


@pytest.mark.parametrize(
    ("engine", "samples"),
    [
        pytest.param("ngspice", 6, marks=[pytest.mark.ngspice, pytest.mark.slow]),
        pytest.param("vacask", 12, marks=[pytest.mark.vacask, pytest.mark.slow]),
    ],
)
def test_what_is_played_has_the_variance_of_the_budget(engine, samples):
    """Of the whole translinear circuit from where it rests, within three standard errors.

    They follow from the samples themselves, ten stretches each: with 12 of 200 τ they are some 4 %.
    """
    compiled = af.compile(af.flows.capacity(PAPER), technology="translinear")
    noise = Noise(0.0, seed=11, parts=True)
    budget = noise_budget(compiled, noise=noise, engine=engine)
    rest = af.simulate(compiled, engine=engine).final
    found, stretches = [], 10
    for sample in range(samples):
        circuit = circuit_of(PAPER, technology="translinear", noise=noise, sample=sample)
        circuit = rebuilt(circuit, starts={"u": rest["u"]})
        run = af.simulate(af.netlist(circuit, time_constants=220.0), engine=engine)
        at = np.arange(20.0, 220.0, 0.017)  # all places between knots alike
        z = np.stack([np.interp(at, run.time, value) for value in run.values["z"].T], axis=1)
        found += [((part - z.mean(axis=0)) ** 2).sum(axis=1).mean() for part in np.array_split(z, stretches)]
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx((budget.rms**2).sum(), abs=3 * error)
    assert error < 0.5 / np.sqrt(samples) * np.mean(found)


@pytest.mark.ngspice
@pytest.mark.vacask
def test_two_simulators_play_the_same_noise_along_the_same_path():
    """What noise moves in one of them is what it moves in the other, but for what their steps make of the fastest part."""
    rest = af.simulate(circuit_of(PAPER, technology="translinear"), engine="ngspice").final
    at, moved = np.arange(2.0, 20.0, 0.05), []
    for engine in ("ngspice", "vacask"):
        paths = []
        for noise in (Noise(0.0), Noise(0.0, seed=2, parts=True)):
            circuit = rebuilt(circuit_of(PAPER, technology="translinear", noise=noise), starts={"u": rest["u"]})
            run = af.simulate(af.netlist(circuit, time_constants=20.0, largest_step=0.025), engine=engine)
            paths.append(np.interp(at, run.time, run.values["u"][:, 0]))
        moved.append(paths[1] - paths[0])
    assert np.std(moved[0] - moved[1]) < 0.1 * np.std(moved[0])


@pytest.mark.slow
@pytest.mark.ngspice
def test_the_command_line_shows_which_parts_make_the_noise(capsys):
    asked = ["solve", "capacity", CHANNEL, "--technology", "translinear", "--engine", "ngspice", "--noise", "parts"]
    assert main([*asked, "--budget", "--json"]) == 0
    budget = json.loads(capsys.readouterr().out)["budget"]
    shares = [line["share"] for line in budget["devices"]]
    assert sum(shares) == pytest.approx(1.0)
    assert shares == sorted(shares, reverse=True)
    assert sum(line["rms"] ** 2 for line in budget["kinds"]) == pytest.approx(sum(x**2 for x in budget["rms"]))
    assert main([*asked, "--budget"]) == 0
    assert "voltage noise of amplifiers" in capsys.readouterr().out
    assert main([*asked, "--budget", "--samples", "3"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_budget_of_what_has_no_parts_or_no_rest_is_refused():
    noise = Noise(0.0, parts=True)
    with pytest.raises(BadInput, match="'ideal' has no parts whose noise could have a budget"):
        noise_budget(af.compile(af.flows.capacity(PAPER)), noise=noise)
    moving = af.Flow(lambda x: -x, {"x": np.array([0.5])}, end_time=2.0)
    with pytest.raises(BadInput, match="and the answer of this one is on its way"):
        noise_budget(af.compile(moving, technology="opamp"), noise=noise)


@pytest.mark.slow
@pytest.mark.ngspice
def test_steps_that_nobody_asked_for_are_short_enough_for_what_is_quick():
    """Of op-amps, whose noise reaches z mostly without an integrator on its way, ngspice would step over knots."""
    noise = Noise(0.0, seed=11, parts=True)
    budget = noise_budget(af.compile(af.flows.capacity(PAPER), technology="opamp"), noise=noise, engine="ngspice")
    rest = af.simulate(circuit_of(PAPER, technology="opamp"), engine="ngspice").final
    circuit = rebuilt(circuit_of(PAPER, technology="opamp", noise=noise), starts={"u": rest["u"]})
    run = af.simulate(af.netlist(circuit, time_constants=220.0), engine="ngspice")
    at = np.arange(20.0, 220.0, 0.017)
    z = np.stack([np.interp(at, run.time, value) for value in run.values["z"].T], axis=1)
    found = ((z - z.mean(axis=0)) ** 2).sum(axis=1).mean()
    assert found == pytest.approx((budget.rms**2).sum(), rel=0.06)
