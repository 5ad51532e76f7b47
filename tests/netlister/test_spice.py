"""SPICE text: deterministic, complete, free of anything a user wrote, and equal in meaning to the circuit."""

import dataclasses
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoo import PAPER_ROWS

from analogflow.circuit import Behavioural, Capacitor, Resistor, Transconductance
from analogflow.compiler import compile
from analogflow.errors import BadInput, NoCell
from analogflow.flows import Flow, capacity
from analogflow.names import comment, identifier, nodes_text, number
from analogflow.netlister import netlist
from analogflow.netlister.deck import table_text
from analogflow.noise import Noise
from analogflow.problems import Channel
from analogflow.technology.ideal import cell

CIRCUIT = compile(capacity(Channel(PAPER_ROWS)))
DECK = netlist(CIRCUIT, expected={"capacity_nats": 0.2523436257})

PROGRAM = """
from analogflow.blocks import Imperfections
from analogflow.compiler import compile, degrade
from analogflow.flows import capacity
from analogflow.netlister import netlist
from analogflow.noise import Noise
from analogflow.problems import Channel
circuit = compile(capacity(Channel([[.7, .2, .1], [.1, .8, .1], [.25, .25, .5]])))
print(netlist(circuit).text)
print(netlist(degrade(circuit, Imperfections(mismatch=0.01, bandwidth=10.0), noise=Noise(0.1, seed=3))).text)
"""


@pytest.mark.slow
def test_same_circuit_gives_the_same_bytes_under_any_hash_seed():
    texts = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(texts) == 1


def test_the_header_gives_one_unit_for_all_signals_or_one_for_each():
    scaled = compile(capacity(Channel(PAPER_ROWS)), scaled=True)
    for circuit, shared, own in ((CIRCUIT, 1, 0), (scaled, 0, len(scaled.readings))):
        lines = [line for line in netlist(circuit).text.splitlines() if "1 flow unit is" in line]
        assert sum(line.startswith("* scale:") for line in lines) == shared
        assert sum(line.startswith("* signal:") for line in lines) == own
        assert ("1 flow unit is 1 V" in circuit.history[-1].note) == bool(shared)


def test_crossbar_is_one_transconductance_for_each_weight():
    first = [e for e in CIRCUIT.elements if isinstance(e, Transconductance) and e.name.startswith("crossbar0_")]
    weights = {(e.nodes[1], e.control): e.gain for e in first}
    for i in range(3):
        for j in range(3):
            assert weights[f"crossbar0_{j}", f"softmax0_{i}"] == PAPER_ROWS[i][j]


def test_every_element_of_the_circuit_is_one_line_of_the_deck():
    lines = [line for line in DECK.body if line[0] in "RCGBIV"]
    assert len(lines) == len(CIRCUIT.elements)
    for element, line in zip(CIRCUIT.elements, lines, strict=True):
        name, *nodes, value = line.split(" ", 3)
        assert name == element.letter + element.name
        assert tuple(nodes) == element.nodes
        if isinstance(element, Resistor):
            assert float(value) == element.resistance
        elif isinstance(element, Capacitor):
            assert value == f"{element.capacitance!r} ic={element.initial!r}"
        elif isinstance(element, Behavioural):
            assert value == f"i={element.expression}"


def test_deck_has_header_source_lines_and_a_script_that_prints_the_answer():
    text = DECK.text
    for wanted in (
        "* equations: du_i/dt = w_i - sum_k z_k w_k, z = softmax(u)",
        "* expected:  capacity_nats = 0.2523436257",
        "* run:       ngspice -b FILE prints the answer",
        "* crossbar0: q = P.T @ z   (capacity.py:",
        "print answer_capacity_nats",
    ):
        assert wanted in text
    assert text.isascii()
    assert text.startswith("* analogflow: capacity logdomain")
    assert not any(line.startswith((".control", "*")) for line in DECK.embedded[1:])


def test_logs_are_clamped_at_their_floor():
    logs = [e.expression for e in CIRCUIT.elements if isinstance(e, Behavioural) and "ln(" in e.expression]
    assert logs
    assert all(re.fullmatch(r"ln\(max\(v\(\w+\),1e-12\)\)", expression) for expression in logs)


@pytest.mark.slow
@given(st.text(max_size=60))
def test_nothing_a_user_writes_becomes_a_line(text):
    flow = Flow(lambda x: -x, {"x": np.ones(2)}, family=text, form=text, equations=text)
    deck = netlist(compile(flow)).text
    plain = netlist(compile(Flow(lambda x: -x, {"x": np.ones(2)}))).text
    keep = [line for line in deck.splitlines() if not line.startswith("*")]
    assert keep == [line for line in plain.splitlines() if not line.startswith("*")]
    assert deck.isascii()


@pytest.mark.parametrize("name", ["a b", "x\n.control", "X", "0x", "gnd", "time", "", "é", "a" * 62, "a;b"])
def test_gate_refuses_names(name):
    with pytest.raises(BadInput, match="can not name a part of a circuit"):
        identifier(name)


NAMES = st.text("ab0_ 1A\n\t;-.é", max_size=5) | st.sampled_from(
    ["0", "gnd", "time", "time_0", "timer", "e", "e1", "i", "a" * 61, "a" * 62, "0a", "0 a"]
)


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_nodes_pass_the_gate_together_where_each_of_them_is_ground_or_passes_alone(nodes):
    try:
        alone = " ".join(node if node == "0" else identifier(node) for node in nodes)
    except BadInput:
        with pytest.raises(BadInput, match="can not name a part of a circuit"):
            nodes_text(nodes)
    else:
        assert nodes_text(nodes) == alone


FORMULAS = st.lists(
    st.sampled_from(["(", ")", "{", "}", "({a})", "{a}", "v(x_0)", "1e-12", "a", "_", "0", " ", "\n", ";", "[", "A", "é"]),
    max_size=8,
).map("".join)


@given(FORMULAS)
def test_a_formula_has_no_character_but_those_of_its_language(formula):
    """A parameter of a macro-model is named in two pairs of brackets; other braces and ends of lines are refused."""
    circuit = dataclasses.replace(
        CIRCUIT, groups=(dataclasses.replace(CIRCUIT.groups[0], elements=(Behavioural("b", ("0", "b"), formula),)),)
    )
    plain = re.sub(r"\(\{[a-z][a-z0-9_]*\}\)", "", formula)
    if set(plain) <= set("abcdefghijklmnopqrstuvwxyz0123456789_ .+-*/(),<>=?:"):
        assert f"Bb 0 b i={formula}" in netlist(circuit).body
    else:
        with pytest.raises(BadInput, match="a character that may not stand in a netlist"):
            netlist(circuit)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back_to_twelve_digits_and_carry_no_suffix(value):
    text = number(value)
    assert float(text) == pytest.approx(value, rel=5.1e-12, abs=1e-320)
    assert number(float(text)) == text
    assert re.fullmatch(r"-?[0-9.]+(e[+-]?[0-9]+)?", text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_gate_refuses_numbers_that_are_not_finite(value):
    with pytest.raises(BadInput, match="must be a finite number"):
        number(value)


@given(st.text())
def test_comments_are_one_printable_line(text):
    assert re.fullmatch(r"[ -~]*", comment(text))
    assert len(comment(text)) <= 110


@pytest.mark.parametrize("keyword", ["time_constants", "largest_step"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
def test_times_must_be_positive(keyword, value):
    with pytest.raises(BadInput, match=f"{keyword}: .* is not a positive number"):
        netlist(CIRCUIT, **{keyword: value})


def test_an_existing_file_is_kept_unless_forced(tmp_path):
    path = tmp_path / "a.cir"
    path.write_text("mine")
    with pytest.raises(BadInput, match="exists already; give force=True to"):
        DECK.write(path)
    assert path.read_text() == "mine"
    assert DECK.write(path, force=True).read_text() == DECK.text
    with pytest.raises(BadInput, match="can not be written"):
        DECK.write(tmp_path / "nowhere" / "a.cir")
    assert [p.name for p in tmp_path.iterdir()] == ["a.cir"]


def test_a_block_without_a_cell_is_named():
    class Unheard(type(CIRCUIT.graph.block("log0"))):
        def formula(self, *operands):
            return ""

    block = Unheard(size=1)  # pyright: ignore[reportAbstractUsage]
    object.__setattr__(block, "__class__", Unheard)
    with pytest.raises(NoCell, match="no cell for the block 'unheard'"):
        cell.dispatch(object)(block, type("Site", (), {"graph": CIRCUIT.graph, "node": "log0"})())


def noisy(sources: int, **keywords):
    def decay(x):
        return -x

    return netlist(compile(Flow(decay, {"x": np.zeros(sources)})), time_constants=3.0, noise=Noise(0.2, seed=5), **keywords)


def test_noise_is_played_from_tables_of_few_columns():
    deck = noisy(40)
    assert [table.shape for table in deck.tables.values()] == [(31, 17), (31, 17), (31, 9)]
    assert deck.largest_step == 0.1
    knots = Noise(0.2, seed=5).knots([0], range(40), 3.0)[0]
    np.testing.assert_array_equal(np.hstack([table[:, 1:] for table in deck.tables.values()]), knots)
    for table in deck.tables.values():
        longest = max(len(line) for line in table_text(table).splitlines())
        assert longest < 500  # what ngspice 39 reads of a line
    players = [line for line in deck.body if line.startswith("anoise_player")]
    assert len(players) == 3
    scale = re.search(r"amplscale=\[([^\]]*)\]", "\n".join(deck.body))
    assert scale is not None
    assert float(scale[1].split()[0]) == pytest.approx(0.2 / np.sqrt(0.1), rel=1e-11)


def test_a_table_reads_back_as_it_was():
    (table,) = noisy(3).tables.values()
    np.testing.assert_array_equal(np.loadtxt(table_text(table).splitlines()), table)


def test_a_step_longer_than_the_distance_of_the_knots_is_refused():
    with pytest.raises(BadInput, match=r"largest_step: 0.2 τ is longer than the distance of the noise's knots, 0.1 τ"):
        noisy(2, largest_step=0.2)
    assert noisy(2, largest_step=0.05).largest_step == 0.05


def test_writing_a_noisy_deck_touches_nothing_when_it_is_refused(tmp_path):
    (tmp_path / "a.cir").write_text("mine")
    with pytest.raises(BadInput, match="exists already"):
        noisy(2).write(tmp_path / "a.cir")
    assert [path.name for path in tmp_path.iterdir()] == ["a.cir"]
