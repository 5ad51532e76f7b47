"""The PySpice subcircuit has the circuit's elements and runs inside a design of the user's own."""

import subprocess
import sys

import pytest
from deck_zoo import ngspice, printed
from zoo import PAPER_ROWS

import analogflow as af

PROGRAM = """
import warnings; warnings.simplefilter("ignore")
from analogflow.simulators.ngspice.library import find_library
import os; os.environ["NGSPICE_LIBRARY_PATH"] = find_library().path
import logging; logging.disable(logging.CRITICAL)
from PySpice.Spice.Netlist import Circuit
from analogflow.compiler import compile
from analogflow.flows import capacity
from analogflow.netlister.pyspice import subcircuit
from analogflow.problems import Channel
circuit = compile(capacity(Channel([[.7, .2, .1], [.1, .8, .1], [.25, .25, .5]])))
sub = subcircuit(circuit, name="channel")
assert len(list(sub.elements)) == len(circuit.elements)
design = Circuit("a design of one's own")
design.subcircuit(sub)
design.X("1", "channel", *sub.external_nodes)
design.R("probe", circuit.signals["capacity_nats"][0], design.gnd, 1e9)
run = design.simulator().transient(step_time=0.5, end_time=60, max_time=0.5, use_initial_condition=True)
print(float(run[circuit.signals["capacity_nats"][0]][-1]))
"""


@pytest.mark.ngspice
def test_subcircuit_computes_the_capacity_in_a_users_design():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) == pytest.approx(0.252343625741, abs=1e-6)


def test_a_circuit_with_noise_is_not_handed_over():
    circuit = af.compile(af.flows.capacity(af.Channel([[0.9, 0.1], [0.2, 0.8]])))
    with pytest.raises(af.BadInput, match=r"plays noise from a file, which a PySpice subcircuit can not carry"):
        af.subcircuit(af.degrade(circuit, noise=af.Noise(0.1)))


PARTS = """
from analogflow.netlister import netlist
simulator = design.simulator()
words = dict(word.split("=") for line in netlist(circuit).body if line.startswith(".options") for word in line.split()[1:])
simulator.options(**words)
deck = netlist(circuit, time_constants=100)
run = simulator.transient(
    step_time=deck.largest_step, end_time=deck.end_time, max_time=deck.largest_step, use_initial_condition=True
)
name = list(circuit.flow.observables)[-1] if TECHNOLOGY == "opamp" else "capacity_readout"
reading = circuit.readings[name]
import numpy as np
print(reading.apply(np.array([float(run[node][-1]) for node in reading.vectors]))[0])
"""


@pytest.mark.slow
@pytest.mark.ngspice
@pytest.mark.parametrize("technology", ["opamp", "translinear"])
def test_a_subcircuit_of_parts_computes_as_its_netlist_does(tmp_path, technology):
    circuit = af.compile(af.flows.capacity(af.Channel(PAPER_ROWS)), technology=technology)
    alone = printed(ngspice(af.netlist(circuit, time_constants=100).write(tmp_path / "alone.cir")))
    head = PROGRAM.replace("[.25, .25, .5]])))", f'[.25, .25, .5]])), technology="{technology}")')
    head = head.replace("assert len(list(sub.elements)) == len(circuit.elements)\n", f"TECHNOLOGY = {technology!r}\n")
    head = head[: head.index('design.R("probe"')]
    done = subprocess.run([sys.executable, "-c", head + PARTS], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    wanted = alone["answer_capacity_nats" if technology == "opamp" else "answer_capacity_readout"]
    assert float(done.stdout.splitlines()[-1]) == pytest.approx(wanted, abs=1e-6)
