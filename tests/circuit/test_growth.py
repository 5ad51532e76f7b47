"""What grows with a circuit, and what does not: work is counted, and no test reads a clock."""

from __future__ import annotations

import dataclasses
import pickle
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import analogflow as af
from analogflow.circuit import Element, Made, NoiseVoltage, Row, Transconductance
from analogflow.circuit.circuit import Group
from analogflow.netlister import netlist, unwritten
from analogflow.netlister import spice as netlister
from analogflow.passes import preferred


def channel(n: int) -> af.Flow:
    return af.flows.capacity(af.Channel(np.random.default_rng(n).dirichlet(np.ones(n), n)))


def plan(n: int) -> af.Flow:
    rng = np.random.default_rng(n)
    return af.flows.transport(af.Transport(rng.random((n, n)), np.full(n, 1 / n), np.full(n, 1 / n), 0.2))


def tokens(n: int) -> af.Flow:
    x = np.random.default_rng(n).normal(size=(n, 3))
    return af.flows.attention(af.Attention(x / np.linalg.norm(x, axis=1, keepdims=True), np.eye(3), np.eye(3), 1.0))


FLOWS = {"capacity": channel, "transport": plan, "attention": tokens}


def calls(run: Callable[[], Any]) -> Counter[str]:
    """How often functions of the package and of the regular expressions are called while `run` runs, by name."""
    found: Counter[str] = Counter()

    def count(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            found[f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}"] += 1
        elif event == "c_call":
            found[getattr(argument, "__qualname__", "")] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(before)
    return found


@pytest.fixture
def no_elements(monkeypatch):
    """Makes every element of an ideal circuit a failure, but for the first of each block, which says that there are any."""
    made: list[Element] = []

    def counted(self: Made[Element]) -> Any:
        for piece in original(self):
            made.append(piece)
            yield piece

    original = Made.pieces
    monkeypatch.setattr(Made, "pieces", counted)
    return made


@pytest.mark.parametrize("name", FLOWS)
def test_compiling_makes_one_element_of_each_block(name, no_elements):
    circuit = af.compile(FLOWS[name](6))
    assert 0 < len(no_elements) <= len(circuit.graph)
    no_elements.clear()
    assert len([*circuit.elements]) > 5 * len(circuit.graph)  # those that were not made then
    assert len(no_elements) > 5 * len(circuit.graph)


@pytest.mark.parametrize("name", FLOWS)
def test_the_block_engine_solves_without_elements_and_lines(name, no_elements, monkeypatch):
    flow = FLOWS[name](6)
    monkeypatch.setattr(netlister, "card", lambda element: pytest.fail(f"a line was written: {element}"))
    solution = af.solve(flow, engine="block")
    assert solution.passed
    assert len(no_elements) <= len(solution.circuit.graph)
    assert af.simulate(solution.circuit, engine="block").ok


@pytest.mark.parametrize("name", FLOWS)
def test_the_netlister_does_as_much_for_each_entry_of_a_larger_matrix(name):
    """Twice as many symbols, points or tokens: about 4 times the work, and 16 times of what is quadratic in the entries."""
    work = []
    for n in (8, 16):
        circuit = af.compile(FLOWS[name](n))
        netlister.node_text.cache_clear()
        work.append(calls(lambda c=circuit: netlist(c).text))
    often = {called: count for called, count in work[1].items() if count > 200}
    assert len(often) > 5
    for called, count in often.items():
        assert count < 6 * work[0][called], called


@pytest.mark.parametrize("name", FLOWS)
def test_a_netlist_makes_the_elements_of_a_block_once(name):
    circuit = af.compile(FLOWS[name](6))
    assert calls(lambda: netlist(circuit))["analogflow.technology.ideal._at_site"] == len(circuit.groups)


def test_a_plan_asks_for_the_name_of_each_vector_a_few_times():
    n = 12
    circuit = af.compile(plan(n))
    counted = calls(lambda: netlist(circuit))
    assert n * n <= counted["analogflow.netlister.spice.vector_text"] < 6 * n * n


def test_what_drives_a_block_is_sorted_once():
    graph = af.compile(channel(4)).graph
    first = calls(lambda: [graph.inputs(node) for node in graph])
    again = calls(lambda: [graph.inputs(node) for node in graph])
    assert again["analogflow.graph.block_graph.inputs"] == len(graph)
    assert again["sorted"] == 0
    assert first["sorted"] in (0, len(graph))
    order = graph.order()
    order.clear()  # a list of one's own
    assert len(graph.order()) == len(graph)


def test_values_of_an_amplifier_are_found_without_going_through_all_resistors(monkeypatch):
    circuit = af.compile(channel(3), technology="opamp")
    seen: list[int] = []
    original = preferred.amplifier_values

    def noting(part, charged, at, *rest):
        seen.append(len(at[part.nodes[1]]))
        return original(part, charged, at, *rest)

    monkeypatch.setattr(preferred, "amplifier_values", noting)
    chosen = af.choose_values(circuit)
    assert max(seen) < 0.5 * sum(element.letter == "R" for element in chosen.elements)


def test_an_unwritten_deck_is_what_netlist_writes():
    circuit = af.degrade(af.compile(channel(3)), noise=af.Noise(0.01, seed=2))
    late, early = unwritten(circuit, time_constants=5.0), netlist(circuit, time_constants=5.0)
    assert late.text == early.text
    assert late.body == early.body
    assert early.body == late.body
    assert isinstance(early.body, tuple)
    assert list(late.tables) == list(early.tables)


def test_a_bad_name_is_refused_when_the_lines_are_made():
    circuit = af.compile(channel(3))
    bad = Group("bad", "", (Transconductance("x\n.control", ("0", "a"), "b", 1.0),))
    circuit = dataclasses.replace(circuit, groups=(*circuit.groups, bad))
    deck = unwritten(circuit)
    with pytest.raises(af.BadInput, match="can not name a part"):
        netlist(circuit)
    with pytest.raises(af.BadInput, match="can not name a part"):
        assert deck.text


@pytest.mark.parametrize("wrong", [("x\ny", ("a", "b")), ("x", ("a", "b\n.control")), ("x" * 61, ("a", "b"))])
def test_names_of_a_row_pass_the_gate(wrong):
    circuit = af.compile(channel(3))
    row = Row(*wrong, np.ones(2))
    with pytest.raises(af.BadInput, match="can not name a part"):
        netlist(dataclasses.replace(circuit, groups=(Group("bad", "", Made(lambda: (row,))),)))


def test_a_row_is_written_as_its_elements_are():
    """Also where a weight is 0, an exponent, a whole number or negative."""
    row = Row("crossbar1_0", ("a_0", "a_1", "a_2", "a_3", "a_4"), np.array([0.5, 0.0, -1e-7, 2.0, -0.25]))
    assert len(row) == len(tuple(row)) == 4
    assert list(netlister.row_cards(row)) == [netlister.card(element) for element in row]
    assert [element.name for element in row] == ["crossbar1_0_0", "crossbar1_0_2", "crossbar1_0_3", "crossbar1_0_4"]


def test_made_sequences_are_sequences():
    times: list[int] = []
    made = Made(lambda: (times.append(1), iter((1, Made(lambda: (2, 3)), 4)))[1])
    assert tuple(made) == made == (1, 2, 3, 4) == made
    assert made != (1, 2, 3)
    assert made != "1234"
    assert len(made) == 4
    assert made[-1] == 4
    assert made[1:3] == (2, 3)
    assert 3 in made
    assert made
    assert not Made(tuple)
    assert pickle.loads(pickle.dumps(made)) == (1, 2, 3, 4)
    assert hash(made) == hash((1, 2, 3, 4))
    assert repr(made) == "(1, 2, 3, 4)"
    assert len(times) > 5  # nothing was kept


def test_voltages_at_the_start_are_a_mapping_of_nodes():
    start = af.compile(channel(3)).start
    known = dict(start)
    assert len(known) == len(start) > 10
    assert all(isinstance(volts, float) for volts in known.values())
    assert known == start
    softmax = next(node for node in known if node.startswith("softmax"))
    block = softmax.rpartition("_")[0]
    assert [start[f"{block}_{k}"] for k in range(3)] == pytest.approx([1 / 3] * 3)
    for wrong in (f"{block}_3", f"{block}_-1", f"{block}_x", f"{block}_", block, "", "0", "nothing_0"):
        assert wrong not in start
    assert pickle.loads(pickle.dumps(start)) == start


def test_a_group_is_pickled_with_its_elements():
    """Workers may be handed a circuit's groups, wherever the functions that make elements come from."""
    circuit = af.compile(channel(3))
    for group in circuit.groups:
        again = pickle.loads(pickle.dumps(group))
        assert again.elements == group.elements
        assert isinstance(again.elements, tuple)


def test_whether_noise_is_played_needs_no_elements(no_elements):
    quiet = af.compile(channel(3))
    noisy = af.degrade(quiet, noise=af.Noise(0.01))
    no_elements.clear()
    assert not quiet.noisy
    assert quiet.noises() == []
    assert noisy.noisy
    assert not no_elements
    assert noisy.noises() == [element for element in noisy.elements if isinstance(element, NoiseVoltage)] != []


@pytest.mark.parametrize("technology", ["ideal", "opamp", "translinear"])
def test_noise_of_the_graph_is_noise_of_the_elements(technology):
    circuit = af.compile(channel(3), technology=technology)
    for each in (circuit, af.degrade(circuit, noise=af.Noise(0.01))):
        assert each.noisy == any(isinstance(element, NoiseVoltage) for element in each.elements)
