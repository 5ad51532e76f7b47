"""PySpice or InSpice, whichever can be loaded, drives ngspice, and a result says which."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import analogflow as af
from analogflow.bridge import bridge, bridge_version
from analogflow.flows import Flow

ROOT = Path(__file__).parents[3]


def said(hidden: str, program: str) -> str:
    """What a program prints where the packages `hidden` can not be imported."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({hidden.split()!r}))\n"
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", hide + program], env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_pyspice_is_taken_where_it_is_there():
    module, version = bridge("Spice.NgSpice.Shared")
    assert module.__name__ == "PySpice.Spice.NgSpice.Shared"
    assert version == bridge_version() == {"PySpice": "1.5"}


def test_where_neither_can_be_loaded_a_sentence_says_why_for_each():
    program = "from analogflow.bridge import bridge\ntry: bridge('Spice.Netlist')\nexcept ImportError as fault: print(fault)"
    found = said("PySpice InSpice", program)
    assert found.startswith("neither PySpice nor InSpice can be loaded (PySpice: ")
    assert "; InSpice: " in found
    assert found.endswith("pip install PySpice==1.5")


@pytest.mark.ngspice
def test_a_run_of_ngspice_says_which_bridge_drove_it():
    run = af.simulate(af.compile(Flow(lambda x: -x, {"x": np.ones(1)})), engine="ngspice")
    assert set(run.record["versions"]) == {"ngspice", "PySpice"}


INSPICE = """
import analogflow as af
channel = af.Channel([[0.9, 0.1], [0.2, 0.8]])
from analogflow.simulators.ngspice import worker
print(worker._BRIDGE, worker.Simulator.__mro__[1].__module__)
simulator = worker.Simulator(sys.argv[1] if len(sys.argv) > 1 else "libngspice.so.0")
from analogflow.netlister import netlist
from analogflow.simulators.ngspice.protocol import Request
deck = netlist(af.compile(af.flows.capacity(channel)), time_constants=100)
vector = deck.circuit.signals["capacity_nats"][0]
answer, arrays = simulator.simulate(Request(deck=deck.embedded, vectors=[vector], end_time=deck.end_time), lambda now: None)
print(answer["status"], float(arrays[vector][-1]))
"""


@pytest.mark.ngspice
def test_inspice_drives_ngspice_where_pyspice_is_missing():
    """InSpice 1.7 can be loaded from Python 3.12 on; the capacity is Blahut and Arimoto's."""
    pytest.importorskip("InSpice.Spice.NgSpice.Shared", exc_type=(ImportError, SyntaxError))
    first, second = said("PySpice", INSPICE).splitlines()
    assert first.startswith("{'InSpice': '")
    assert first.endswith("InSpice.Spice.NgSpice.Shared")
    status, value = second.split()
    assert status == "done"
    P = np.array([[0.9, 0.1], [0.2, 0.8]])
    z = np.full(2, 0.5)
    for _ in range(2000):
        worth = np.exp((P * np.log(P / (z @ P))).sum(1))
        z = z * worth / (z @ worth)
    assert float(value) == pytest.approx(float(np.log(z @ worth)), abs=1e-6)
