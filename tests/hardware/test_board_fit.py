"""What is said to fit computes the flow's answer when its configuration is read back; what is not names what binds."""

import json
from typing import Any

import numpy as np
import pytest
from board_zoo import FLOWS, mapped, polynomial
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from analogflow.errors import BadInput
from analogflow.flows import Flow, attention, capacity, langevin
from analogflow.graph import comparator
from analogflow.hardware import BOARDS, RESOLUTION, load_board, map_flow, read_back
from analogflow.hardware.course import nominal_run
from analogflow.hardware.decomposition import take_apart
from analogflow.hardware.machine import final
from analogflow.hardware.scaling import scale
from analogflow.problems import Channel, Langevin
from analogflow.problems.attention import two_phases
from analogflow.report.tables import mapping_table

FITS = {
    "lucidac": {"hopfield", "oja", "lotka-volterra", "lorenz", "van der pol", "decay", "tanh"},
    "that": {"hopfield", "lotka-volterra", "lorenz", "decay", "tanh"},
    "hcdcv2": set(FLOWS) - {"capacity of three", "attention", "lorenz", "van der pol"},
    "generic": set(FLOWS) - {"attention"},
}

SOME = ("hopfield", "oja", "capacity", "lorenz")
"""Flows that are laid out on every board; on the roomier ones, others have no other fate."""


def reached(flow, mapping: Any, *, exact=True):
    """States where a mapping's own configuration, written as JSON and read again, ends."""
    configuration = json.loads(json.dumps(mapping.configuration))
    length = (flow.end_time or 60.0) * mapping.seconds_per_time_constant * mapping.board.rate_per_second.value
    outputs = final(read_back(mapping.board, configuration, exact=exact), length)
    return {(entry.state, entry.index): entry.unit * outputs[entry.integrator] for entry in mapping.readout}


@pytest.mark.few(14)
@pytest.mark.parametrize(
    ("name", "board"),
    [
        (name, board) if board in ("lucidac", "that") or name in SOME else pytest.param(name, board, marks=pytest.mark.slow)
        for name in FLOWS
        for board in BOARDS
    ],
)
def test_what_fits_lands_at_the_answer(name, board):
    mapping = mapped(name, board)
    assert mapping.fits == (name in FITS[board]), mapping.binding
    assert set(mapping.has) == set(load_board(board).units)
    if mapping.fits:
        assert mapping.errors["ideal"] < 1e-6
        assert mapping.followed["rounded"].relative <= mapping.limit == RESOLUTION
        assert mapping.binding == ()
    elif mapping.configuration is None:
        assert any(" needed, " in sentence for sentence in mapping.binding)
    else:
        # What has room but comes out too coarse is laid out all the same.
        assert mapping.errors["ideal"] < 1e-6
        assert mapping.followed["rounded"].relative > RESOLUTION
        assert mapping.binding[0].startswith("resolution: with coefficients of ")


@pytest.mark.parametrize("board", BOARDS)
def test_the_answer_is_known_by_other_means(board):
    # Oja: the dominant eigenvector. Hopfield: a linear system. Both are read off the configuration alone.
    mapping = mapped("hopfield", board)
    problem = FLOWS["hopfield"].problem
    U = problem.U
    rest = np.linalg.solve(np.block([[np.eye(2), -U], [-U.T, np.eye(2)]]), np.concatenate([problem.I, np.zeros(2)]))
    end = reached(FLOWS["hopfield"], mapping)
    assert np.allclose([end["v", 0], end["v", 1], end["h", 0], end["h", 1]], rest, atol=1e-6)
    if board != "that":
        mapping = mapped("oja", board)
        end = reached(FLOWS["oja"], mapping)
        dominant = np.linalg.eigh(FLOWS["oja"].constants["C"])[1][:, 1]
        assert np.allclose(abs(np.array([end["w", 0], end["w", 1]])), abs(dominant), atol=1e-6)


@pytest.mark.parametrize("board", ["lucidac", "that", "generic"])
def test_coarse_coefficients_cost_a_little(board):
    flow = FLOWS["hopfield"]
    mapping = mapped("hopfield", board)
    bits = load_board(board).coefficient_bits.value
    assert 1e-7 < mapping.errors["rounded"] < 20 * 2.0**-bits
    exact, rounded = reached(flow, mapping), reached(flow, mapping, exact=False)
    assert max(abs(exact[key] - rounded[key]) for key in exact) >= mapping.errors["rounded"] / 2


@pytest.mark.parametrize(
    "name, board, unit, count",
    [
        ("capacity", "lucidac", "multipliers", 10),
        ("rate-distortion", "lucidac", "multipliers", 6),
        ("hopfield of eight", "lucidac", "lanes, one for each coupling", 44),
        ("oja", "that", "multipliers", 4),
        ("hopfield of eight", "that", "integrators", 8),
        ("attention", "generic", "multipliers", 26),
    ],
)
def test_what_binds_is_named_with_numbers(name, board, unit, count):
    mapping = mapped(name, board)
    assert any(sentence.startswith(f"{unit}: {count} needed, ") for sentence in mapping.binding)


@pytest.mark.slow
def test_what_would_fit_is_said():
    mapping = map_flow(FLOWS["hopfield of eight"], "lucidac")
    assert "a network of 3 visible and 3 hidden states would fit" in mapping.suggestions
    assert any(sentence.startswith("HCDCv2") for sentence in mapping.suggestions)


def written(equations, **start) -> Flow:
    return Flow(equations, {name: np.array([value]) for name, value in start.items()}, end_time=20.0)


def van_der_pol(x, y):
    return y, 3 * (1 - x * x) * y - x


def chua(x, y, z):
    # Matsumoto, IEEE Trans. Circuits Syst. 31 (1984) 1055, with the constants of the double scroll.
    diode = -0.714 * x - 0.2145 * (abs(x + 1) - abs(x - 1))
    return 15.6 * (y - x - diode), x - y + z, -28 * y


@pytest.mark.parametrize(
    "flow, fitting",
    [
        pytest.param(written(chua, x=0.7, y=0.0, z=0.0), [], marks=pytest.mark.slow),
        pytest.param(written(van_der_pol, x=0.5, y=0.0), ["(board lucidac)"], marks=pytest.mark.slow),
    ],
)
def test_a_board_is_suggested_only_where_the_flow_fits(flow, fitting):
    # The double scroll has room on two boards and fits none; Van der Pol's relaxations fit one, and the other three say so.
    mapping = map_flow(flow, "that")
    assert not mapping.fits
    assert [sentence[sentence.index("(board") :] for sentence in mapping.suggestions] == fitting


def board_with(tmp_path, **units) -> Any:
    text = f"""
    kind = "crossbar"
    units = {{ integrators = {units.get("integrators", 8)}, multipliers = {units.get("multipliers", 4)}, lanes = 32 }}
    largest_coefficient = {units.get("largest", 10)}
    coefficient_bits = {units.get("bits", 12)}
    rate_per_second = 10000
    machine_unit_volts = 1
    broken_lanes = {units.get("broken", [])}
    """
    path = tmp_path / "planted.toml"
    path.write_text(text, encoding="utf-8")
    return load_board(path)


@pytest.mark.parametrize(
    "units, message",
    [
        ({"integrators": 2}, "integrators: 3 needed, 2 there"),
        ({"multipliers": 1}, "multipliers: 2 needed, 1 there"),
        ({"broken": list(range(22))}, "lanes, one for each coupling: 11 needed, 10 there"),
    ],
)
def test_a_planted_shortage_is_the_one_that_binds(tmp_path, units, message):
    assert map_flow(FLOWS["lorenz"], board_with(tmp_path)).fits
    assert map_flow(FLOWS["lorenz"], board_with(tmp_path, **units), suggest=False).binding == (message,)


def test_broken_lanes_are_not_used_and_small_coefficients_slow_the_machine(tmp_path):
    mapping: Any = map_flow(FLOWS["lorenz"], board_with(tmp_path, broken=[0, 1, 5]))
    used = {lane for lanes in mapping.configuration["/0"]["/I"]["outputs"] for lane in lanes}
    assert mapping.fits
    assert not used & {0, 1, 5}
    slow: Any = map_flow(FLOWS["lorenz"], board_with(tmp_path, largest=1))
    assert slow.fits
    assert max(abs(c) for c in slow.configuration["/0"]["/C"]["elements"]) <= 1 + 1e-12
    # Speeds are searched for both, the quick one's among slower ones too: before that, it is the ratio of the coefficients.
    assert slow.seconds_per_time_constant > 2 * mapping.seconds_per_time_constant
    taken = take_apart(FLOWS["lorenz"].graph(), "x", False)
    states = nominal_run(taken.graph, 1.0).states[:, taken.columns()]
    quick, slowed = (scale(taken.couplings, states, largest) for largest in (10.0, 1.0))
    driving = [w for k in taken.couplings.of("integrator") for w in slowed.weights[k][0].values()]
    assert max(map(abs, driving)) == pytest.approx(1.0, rel=1e-9)
    assert quick.slowing > 5 * slowed.slowing


def test_noise_and_comparators_bind_where_a_board_has_none():
    noisy = langevin(Langevin("x**4/4", ["x"], temperature=0.3))
    assert map_flow(noisy, "lucidac").binding == ("noise sources: 1 needed, 0 there",)
    decides = Flow(lambda x: comparator(x, 0.5) - x, {"x": np.array([0.2])})
    mapping = map_flow(decides, "lucidac")
    assert "comparator" in mapping.binding[0]
    assert "not smooth" in mapping.binding[0]
    assert map_flow(decides, "hcdcv2").fits
    patched = map_flow(decides, "that")
    assert patched.fits
    assert patched.needs["comparators"] == 1
    three = Flow(lambda x: np.maximum(x, 0) + np.maximum(x - 1, 0) + np.maximum(x - 2, 0) - 3 * x, {"x": np.array([0.2])})
    assert "comparators: 3 needed, 2 there" in map_flow(three, "that").binding


def test_a_flow_that_runs_away_does_not_fit():
    mapping = map_flow(Flow(lambda x: x * x, {"x": np.array([1.0])}), "lucidac")
    assert mapping.binding == ("range: the nominal run of the flow leaves every range",)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("board", BOARDS)
def test_states_that_are_only_rounding_are_followed_as_zero(board):
    """Of a symmetric channel the start is the answer, and every rate what rounding leaves: it was followed for ever."""
    channel = Channel([[0.6, 0.3, 0.1], [0.1, 0.6, 0.3], [0.3, 0.1, 0.6]])
    mapping = map_flow(capacity(channel), board, suggest=False)
    assert mapping.fits or all(" needed, " in text for text in mapping.binding)


@pytest.mark.slow
@settings(max_examples=15)
@given(
    size=st.integers(1, 3),
    numbers=st.lists(st.floats(-1, 1), min_size=15, max_size=15),
    board=st.sampled_from(tuple(BOARDS)),
)
def test_small_polynomial_systems_fit_or_say_why(size, numbers, board):
    linear = np.round(np.array(numbers[: size * size]).reshape(size, size), 3) - np.eye(size)
    cubic = abs(np.round(np.array(numbers[9 : 9 + size]), 3))
    start = np.round(np.array(numbers[12 : 12 + size]), 3)
    mapping = map_flow(polynomial(linear, cubic, start), board, suggest=False)
    if mapping.fits:
        assert mapping.errors["ideal"] < 1e-6
        assert all(count <= mapping.has.get(unit, 0) for unit, count in mapping.needs.items() if unit != "inverters")
    else:
        assert all(" needed, " in s or s.startswith("resolution: with coefficients") for s in mapping.binding)


def test_a_mapping_is_json_and_a_table():
    for name in ("lorenz", "capacity"):
        mapping = mapped(name, "lucidac")
        report = json.loads(json.dumps(mapping.to_dict(), allow_nan=False))
        assert {"board", "fits", "binding", "needs", "has"} <= set(report)
        console = Console(width=160, record=True)
        console.print(mapping_table(mapping))
        text = console.export_text()
        assert ("does not fit" in text) != mapping.fits
        assert all(sentence.split(":")[0] in text for sentence in mapping.binding)


def test_an_unknown_board_is_refused():
    with pytest.raises(BadInput, match=r"board 'That' is not known, did you mean 'that'\?"):
        map_flow(FLOWS["decay"], "That")


def test_a_flow_beyond_every_board_is_answered_at_once():
    mapping = map_flow(attention(two_phases(60)), "lucidac")
    assert mapping.binding == ("integrators: 180 needed, 8 there",)
    assert mapping.note == "too large to be counted further"
