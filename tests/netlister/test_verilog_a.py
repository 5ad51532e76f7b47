"""Verilog-A: modules that a compiler takes, a bench that runs alone, and instance parameters that do what they say."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from raw_reader import read_raw
from zoo import PAPER

from analogflow.blocks import Imperfections
from analogflow.cli import main
from analogflow.compiler import compile, degrade
from analogflow.errors import BadInput
from analogflow.flows import Flow, capacity
from analogflow.graph import comparator, log, normalise, softmax, switch
from analogflow.netlister import netlist
from analogflow.netlister.verilog_a import ANALYSIS, write_bench, write_verilog_a
from analogflow.netlister.verilog_modules import skeleton
from analogflow.noise import Noise
from analogflow.simulators.block import follow
from analogflow.simulators.vacask.program import find_programs


@pytest.fixture
def alone(tmp_path):
    """Write a deck, change the bench's lines if asked, run it by the simulator's own program, and read the results."""

    def run(deck, change=lambda text: text, analysis=ANALYSIS):
        _, beside = write_verilog_a(deck, tmp_path / "circuit.va", force=True)
        beside.write_text(change(beside.read_text()))
        done = subprocess.run(
            [find_programs().simulator, "-qp", "circuit.sim"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-800:]
        return read_raw(tmp_path / f"{analysis}.raw")[0].vectors

    return run


def given(text, module, parameter):
    """The bench with a parameter added to every instance of a module."""
    changed = re.sub(rf"(?m)^(\w+ \([^)]*\) {module}\b.*)$", rf"\1 {parameter}", text)
    assert changed != text
    return changed


def every_block(x):
    y = np.sqrt(x) + np.tanh(x) - np.exp(-x) / (1 + x**2) + log(x) * 0.1 + np.sin(x)
    gated = switch(x, comparator(x, 0.5, width=0.2)) + np.maximum(x - 0.6, 0) + normalise(x)[::-1] + softmax(x)
    return y + gated - 3 * x


@pytest.mark.vacask
def test_every_kind_of_block_is_compiled_and_runs_alone(alone, tmp_path):
    flow = Flow(every_block, {"x": np.array([0.3, 0.6, 0.9])})
    circuit = compile(flow)
    found = alone(netlist(circuit, time_constants=2, largest_step=0.01))
    exact = follow(circuit, np.array([0.0, 2.0]), step_accuracy=1e-10).final["x"]
    nodes = circuit.readings["x"].vectors
    np.testing.assert_allclose([found[node][-1] for node in nodes], exact, rtol=1e-7)
    text = (tmp_path / "circuit.va").read_text()
    for kind in ("log", "exp", "tanh", "divider", "multiplier", "square_root", "positive_part", "comparator", "switch"):
        assert f"module af_{kind}(" in text
    assert text.count("\nmodule ") == text.count("\nendmodule") >= 12


def test_no_logarithm_of_what_is_not_positive():
    """Each ln is of a maximum with a positive floor, each root and divisor too."""
    deck = netlist(compile(capacity(PAPER)))
    texts = "\n".join(module.text for module in write_bench(deck).modules)
    assert texts.count("ln(") == texts.count("ln(max(V(x0),p0))") > 0
    assert re.search(r"af_log p0=1e-12$", "\n".join(write_bench(deck).body), re.MULTILINE)


@pytest.mark.vacask
def test_temperature_of_an_instance_is_that_of_the_block_engine(alone):
    circuit = compile(capacity(PAPER))
    warm = degrade(circuit, Imperfections(temperature_kelvin=330.0))
    exact = follow(warm, np.array([0.0, 6.0]), step_accuracy=1e-10).final["z"]

    def heated(text):
        for name in ("af_log", "af_softmax_2"):
            text = given(text, name, "temperature=330.0")
        return text

    found = alone(netlist(circuit, time_constants=6, largest_step=0.02), heated)
    np.testing.assert_allclose([found[node][-1] for node in circuit.readings["z"].vectors], exact, atol=1e-7)
    cold = follow(circuit, np.array([0.0, 6.0])).final["z"]
    assert abs(cold - exact).max() > 1e-3


@pytest.mark.vacask
def test_mismatch_of_an_instance_scales_its_output(alone):
    flow = Flow(lambda x: 1.0 - np.exp(x), {"x": np.array([0.5])})
    deck = netlist(compile(flow), time_constants=40)
    found = alone(deck, lambda text: given(text, "af_exp", "mismatch=0.1"))
    assert found[deck.readings["x"].vectors[0]][-1] == pytest.approx(-np.log(1.1), abs=1e-9)


@pytest.mark.vacask
def test_small_signal_noise_is_that_of_the_equation(alone):
    """ẋ = −2x + σ dW has the one-sided spectrum 2σ²/(4 + ω²), here from the modules' white noise."""
    sigma = 0.3
    circuit = degrade(compile(Flow(lambda x: -2.0 * x, {"x": np.array([0.0])})), noise=Noise(sigma, 1))
    deck = netlist(circuit, time_constants=1)
    node = deck.readings["x"].vectors[0]

    def small(text):
        source = re.search(r"(?m)^(\w+) \(0 \w+\) isource", text)[1]
        lines = f'  analysis small noise out="{node}" in="{source}" from=0.01 to=10 mode="dec" points=5'
        text = re.sub(r"(?m)^  save .*$", "  save default", text)
        return re.sub(r"(?m)^  analysis .*$", lines, text)

    found = alone(deck, small, "small")
    omega = 2 * np.pi * found["frequency"].real
    np.testing.assert_allclose(found["onoise"].real, 2 * sigma**2 / (4 + omega**2), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.vacask
def test_command_line_writes_two_files_for_every_technology(tmp_path, capsys):
    channel = str(Path(__file__).parents[2] / "examples/data/paper_channel.csv")
    for technology in ("ideal", "opamp", "translinear"):
        path = tmp_path / f"{technology}.va"
        asked = ["netlist", "capacity", channel, "--format", "verilog-a", "--technology", technology, "-o", str(path)]
        assert main(asked) == 0
        assert "run it with: vacask" in capsys.readouterr().out
        made = path.with_suffix(".osdi")
        subprocess.run([find_programs().compiler, str(path), "-o", str(made)], check=True, capture_output=True)
        assert made.stat().st_size > 1000
        assert main(asked) == 2
        assert "exists already" in capsys.readouterr().err


def test_two_writings_are_the_same_bytes(tmp_path):
    deck = netlist(compile(capacity(PAPER)), noise=Noise(0.01, 2))
    first, second = (write_verilog_a(deck, tmp_path / folder / "a.va") for folder in map(made(tmp_path), "xy"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def made(root):
    def folder(name):
        (root / name).mkdir()
        return name

    return folder


def test_a_name_that_could_be_read_as_more_than_a_name_is_refused(tmp_path):
    deck = netlist(compile(capacity(PAPER)))
    for name in ('a"\nembed.va', "a b.va", "a.cir"):
        with pytest.raises(BadInput, match="can not name a file of Verilog-A"):
            write_verilog_a(deck, tmp_path / name)


def test_a_formula_becomes_ports_and_parameters():
    shape, nodes, numbers = skeleton("0.25*max(v(a_0),1e-12)/(-3.5)+v(b_1)*v(a_0)-1")
    assert shape.text == "p0*max(V(x0),p1)/(p2)+V(x1)*V(x0)-1.0"
    assert nodes == ("a_0", "b_1")
    assert numbers == (0.25, 1e-12, -3.5)
    warm, _, _ = skeleton("ln(max(v(a_0),1e-12))*exp(v(b_0))", junctions=True)
    assert warm.text == "warm*ln(max(V(x0),p0))*exp((V(x1))/warm)"


@pytest.mark.parametrize("formula", ["system(1)", "v(a_0);", "v(a", "limit(v(a_0),0,1)", "time"])
def test_a_formula_that_is_none_is_refused(formula):
    with pytest.raises(BadInput, match="is not among what is written as Verilog-A here"):
        skeleton(formula)
