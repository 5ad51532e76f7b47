"""What may be asked of ngspice's process, and the frames that carry it."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analogflow.errors import BadInput
from analogflow.simulators.ngspice.protocol import (
    FrameError,
    Request,
    Settle,
    for_version,
    read_frame,
    vector_key,
    write_frame,
)

DECK = ("* rc", "r1 a 0 1", "c1 a 0 1 ic=1", ".save v(a)", ".tran 0.01 10 0 0.01 uic", ".end")


def with_line(line: str, position: int = 1) -> tuple[str, ...]:
    return (*DECK[:position], line, *DECK[position:])


@pytest.mark.parametrize(
    "line",
    [
        ".control",
        " .CONTROL",
        ".include /etc/passwd",
        ".inc x",
        ".lib x tt",
        ".csparam a=1",
        ".param a=1",
        "shell touch x",
        "  Shell touch x",
        "*ng_script",
        "* ng_script",
        "*# shell touch x",
        "r2 a 0 `touch x`",
        "r2 a 0 1\nshell touch x",
        "r2 a\r0 1",
        "+ 5",
        "r2 ä 0 1",
        "r2 a\t0 1",
        ".model m d_process(process_file=x)",
        ".model m d_cosim(simulation=x)",
        "!touch x",
        '.model m filesource(file="/etc/passwd")',
        '.model m filesource(file="noise-1.txt")',
        ".model m filesource(file=noise.txt)",
        '.model m d_source(input_file = "noise.txt" input_file = x)',
        'r2 a 0 "1',
        ".tran 0.01 10 0 0.01 uic",
        ".end",
    ],
)
def test_a_line_that_could_run_something_is_refused(line: str) -> None:
    with pytest.raises(BadInput, match=r"deck: "):
        Request(with_line(line), ("a",), 10.0)


@pytest.mark.parametrize("title", ["rc", "*ng_script", "*#run", "* a\nshell touch x", "", "* `x`"])
def test_a_title_is_a_plain_comment(title: str) -> None:
    with pytest.raises(BadInput, match=r"deck: line 1, .* is refused"):
        Request((title, *DECK[1:]), ("a",), 10.0)


@pytest.mark.parametrize("analysis", [".tran 0.01 1e1 0 0.01 uic", ".tran 1 10", ".tran 1 10 uic", ".TRAN 1 10 0.0 1"])
def test_ways_to_write_the_analysis(analysis: str) -> None:
    assert Request((*DECK[:4], analysis, ".end"), ("a",), 10.0).end_time == 10.0


@pytest.mark.parametrize("analysis", [".tran 1 10m 0 1", ".tran 1 9 0 1", ".tran 1", ".tran 1 10 2 1 uic", ".ic v(a)=1"])
def test_the_analysis_must_reach_the_end_time_from_0_and_be_there(analysis: str) -> None:
    with pytest.raises(BadInput, match=r"needs exactly one line '.tran step 10.0 0 max uic'"):
        Request((*DECK[:4], analysis, ".end"), ("a",), 10.0)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"end_time": 0.0}, "end_time: 0.0 is not a positive number of seconds"),
        ({"end_time": float("nan")}, "end_time: nan is not"),
        ({"window": -1.0}, "window: -1.0 is not a positive number"),
        ({"blow_up": float("inf")}, "blow_up: inf is not a positive number"),
        ({"vectors": ()}, "vectors: .* must name at least one"),
        ({"vectors": ("a", "v(A)")}, "vectors: .* none twice"),
        ({"vectors": ("time",)}, "not the time itself"),
        ({"vectors": ("a b",)}, "'a b' is not the name of a vector"),
        ({"vectors": ("a", 3)}, "3 is not the name of a vector"),
        ({"settle": Settle(("a",), (1.0,))}, "settle: needs a window"),
        ({"settle": Settle(("b",), (1.0,)), "window": 1.0}, "settle: b is not among the vectors"),
        ({"deck": ("* x",)}, "must be a list of lines"),
    ],
)
def test_what_a_request_must_be(fields: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Request(**({"deck": DECK, "vectors": ("a",), "end_time": 10.0} | fields))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("fields", [((), ()), (("a",), (0.0,)), (("a",), (float("nan"),)), (("a",), (1.0, 1.0))])
def test_what_settling_must_be(fields: tuple[tuple[str, ...], tuple[float, ...]]) -> None:
    with pytest.raises(BadInput, match="name at least one vector and give each a positive number"):
        Settle(*fields)


def test_names_of_vectors() -> None:
    assert [vector_key(name) for name in ("v(X0)", "x0", "I(V1)", "v1#branch")] == ["x0", "x0", "v1#branch", "v1#branch"]


def test_rest_is_judged_over_the_whole_window_and_not_by_its_ends() -> None:
    clock = np.linspace(0, 10, 101)
    settle = Settle(("a",), (1e-3,))
    wave = np.sin(2 * np.pi * clock)
    assert abs(wave[-1] - wave[-11]) < 1e-9
    assert not settle.at_rest(clock, [wave], 1.0)
    assert settle.at_rest(clock, [np.exp(-3 * clock)], 1.0)
    both = [np.exp(-3 * clock), wave]
    assert not Settle(("a", "b"), (1e-3, 1e-3)).at_rest(clock, both, 1.0)
    assert Settle(("a", "b"), (1e-3, 3.0)).at_rest(clock, both, 1.0)
    assert not settle.at_rest(clock[:10], [np.zeros(10)], 1.0)
    assert settle.at_rest(np.array([0.0, 5.0]), [np.zeros(2)], 1.0)


def test_a_request_survives_the_journey() -> None:
    request = Request(DECK, ("v(a)",), 10.0, window=1.0, settle=Settle(("v(a)",), (1e-3,)), blow_up=1e6)
    stream = io.BytesIO()
    write_frame(stream, *request.to_frame())
    stream.seek(0)
    assert Request.from_frame(*read_frame(stream)) == request
    with pytest.raises(EOFError, match="the stream ended"):
        read_frame(stream)


@given(st.lists(st.lists(st.floats(width=64), max_size=20), max_size=4))
def test_arrays_survive_the_journey_bit_by_bit(rows: list[list[float]]) -> None:
    stream = io.BytesIO()
    sent = {f"x{k}": np.array(row, dtype=np.float64) for k, row in enumerate(rows)}
    write_frame(stream, {"kind": "reply"}, sent)
    stream.seek(0)
    header, received = read_frame(stream)
    assert header == {"kind": "reply"}
    assert {name: array.tobytes() for name, array in received.items()} == {n: a.tobytes() for n, a in sent.items()}


def frame(magic: bytes, text: bytes, arrays: int) -> bytes:
    return struct.pack("<4sIQ", magic, len(text), arrays) + text


@pytest.mark.parametrize(
    "data",
    [
        frame(b"XXXX", b"{}", 0),
        frame(b"AFW1", b"{}", 0),
        frame(b"AFW1", b"[]", 0),
        frame(b"AFW1", b"\xff", 0),
        frame(b"AFW1", b'{"arrays": [["x", 2]]}', 8),
        frame(b"AFW1", b'{"arrays": [["x", -1], ["y", 1]]}', 0),
        frame(b"AFW1", b'{"arrays": 3}', 0),
        frame(b"AFW1", b"", 2**40),
    ],
)
def test_what_is_not_a_frame_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError, match="frame"):
        read_frame(io.BytesIO(data))


@given(st.binary(max_size=80))
def test_any_bytes_are_a_frame_or_refused(data: bytes) -> None:
    for content in (data, b"AFW1" + data):
        with pytest.raises((FrameError, EOFError), match=r"frame|stream"):
            read_frame(io.BytesIO(content))


TABLES = {"noise.txt": np.array([[0.0, 1.0], [1.0, 0.5]])}
PLAYED = with_line('.model m filesource(file="noise.txt" amplscale=[1])')


def test_a_table_of_the_request_may_be_read_and_survives_the_frame() -> None:
    request = Request(PLAYED, ("a",), 10.0, tables=TABLES)
    stream = io.BytesIO()
    write_frame(stream, *request.to_frame())
    stream.seek(0)
    back = Request.from_frame(*read_frame(stream))
    assert back == request
    np.testing.assert_array_equal(back.tables["noise.txt"], TABLES["noise.txt"])


@pytest.mark.parametrize("name", ["../noise.txt", "/etc/x.txt", "noise", "Noise.txt", ".spiceinit", "a b.txt", ""])
def test_a_table_has_a_plain_name(name: str) -> None:
    with pytest.raises(BadInput, match=r"tables: .* must be a plain name ending in \.txt"):
        Request(DECK, ("a",), 10.0, tables={name: TABLES["noise.txt"]})


def test_a_table_holds_finite_numbers() -> None:
    with pytest.raises(BadInput, match=r"tables: 'noise.txt' must be .* finite numbers"):
        Request(DECK, ("a",), 10.0, tables={"noise.txt": np.array([[0.0, np.nan]])})


@pytest.mark.parametrize(
    ("version", "resistors", "asked"),
    [(39, 1200, False), ("41.0", 1200, False), (42, 1200, True), ("44.2", 1200, True), (44, 20, False), (None, 1200, False)],
)
def test_klu_is_asked_for_where_ngspice_has_it_and_the_circuit_is_large(
    version: object, resistors: int, asked: bool
) -> None:
    deck = (DECK[0], *(f"r{k} a 0 1e3" for k in range(2, resistors)), *DECK[1:])
    given = for_version(deck, version)
    assert ([*given[:-1], ".end"] == [*deck[:-1], ".options klu", ".end"]) is asked
    assert (given == deck) is not asked
    Request(given, ("v(a)",), 10.0)  # the protocol lets it pass
