"""What outputs must deliver at most is what ngspice finds them to deliver, or more, and too much is refused."""

import dataclasses
import re
import subprocess

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.circuit import Instance
from analogflow.circuit.loads import loads
from analogflow.errors import BadInput
from analogflow.technology import part_set
from analogflow.technology.opamp.bench import Bench


def delivered(folder, circuit):
    """Amperes of every amplifier at their largest once the integrators are released, from ngspice's own run."""
    op_amp = circuit.parts.op_amp
    amplifiers = {e.name: e.nodes[-1] for e in circuit.elements if isinstance(e, Instance) and e.macro == op_amp.name}
    last = "g" if np.isinf(op_amp.second_pole) else "h"
    deck = af.netlist(circuit, time_constants=10).text
    vectors = [f"v(x{name}.{last}) v({output})" for name, output in amplifiers.items()]
    deck = re.sub(r"\.save .*", f".save {' '.join(vectors)}", deck)
    found = [
        f"let q{k}=maximum((time gt {1.5 * circuit.release!r})*abs(v(x{name}.{last})-v({output})))\nprint q{k}"
        for k, (name, output) in enumerate(amplifiers.items())
    ]
    commands = "\n".join([".control", "set noaskquit", "run", *found, "quit", ".endc"])
    path = folder / "loads.cir"
    path.write_text(re.sub(r"\.control.*?\.endc", lambda _: commands, deck, flags=re.S))
    run = subprocess.run(["ngspice", "-b", path], capture_output=True, text=True, timeout=120, check=False)
    volts = [float(value) for value in re.findall(r"^q\d+ = (\S+)", run.stdout, re.M)]
    assert len(volts) == len(amplifiers), run.stdout + run.stderr
    return dict(zip(amplifiers, np.array(volts) / op_amp.output_resistance, strict=True))


@pytest.mark.ngspice
@pytest.mark.parametrize("technology", ["opamp", "translinear"])
def test_no_amplifier_delivers_more_than_was_worked_out(tmp_path, technology):
    circuit = af.choose_values(af.compile(af.flows.capacity(PAPER), technology=technology))
    at_most = loads(circuit.elements, circuit.levels, circuit.parts.op_amp.name)
    found = delivered(tmp_path, circuit)
    assert all(found[name] <= 1.05 * at_most[name] + 1e-6 for name in found)
    assert sum(at_most[name] for name in found) < 8 * sum(found.values())


def rated(amperes):
    parts = part_set()
    return dataclasses.replace(parts, op_amp=dataclasses.replace(parts.op_amp, output_current=amperes))


@pytest.mark.parametrize("technology, amperes", [("opamp", 1.6e-4), ("translinear", 2e-5)])
def test_a_current_beyond_what_an_output_is_rated_for_is_refused(technology, amperes):
    with pytest.raises(BadInput, match=r"'\w+_amp', which drives node '\w+', must deliver .* mA, and opa2277 is rated for"):
        af.compile(af.flows.capacity(PAPER), technology=technology, parts=rated(amperes))


@pytest.mark.parametrize("amperes, ohms", [(5e-3, 4e3), (2e-3, 10e3), (np.inf, 1e3)])
def test_a_machine_unit_across_the_smallest_leg_takes_half_of_the_rated_current(amperes, ohms):
    legs = [e.resistance for e in Bench(rated(amperes), 0.02585, 1e-3).adder("y", [(-11.0, "a")]) if e.letter == "R"]
    assert min(legs) == pytest.approx(ohms)
