"""The real simulator in its process: results, and how runs end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from deck_zoo import DECAY, EXPLOSION, LOGARITHM, deck, request

from analogflow.errors import SimulationFailed
from analogflow.simulators.ngspice.protocol import Request, Settle
from analogflow.simulators.ngspice.session import NgspiceSession

pytestmark = pytest.mark.ngspice


@pytest.fixture(scope="module")
def session() -> Iterator[NgspiceSession]:
    with NgspiceSession(time_limit=60) as session:
        yield session


def test_a_decay_is_an_exponential(session: NgspiceSession) -> None:
    reply = session.run(request(*DECAY))
    assert (reply.status, reply.last_time, reply.messages) == ("done", 10.0, ())
    assert np.abs(reply.vectors["x"] - np.exp(-reply.time)).max() < 3e-6
    assert 0 < reply.time[0] < 0.01
    assert (np.diff(reply.time) > 0).all()
    assert int(reply.versions["ngspice"]) >= 39
    assert repr(reply).startswith("Reply('done', ")


def test_names_are_those_of_the_request_and_currents_can_be_asked_for(session: NgspiceSession) -> None:
    question = Request(deck("V1 A 0 2", "R1 A 0 4", save=".save v(A) i(V1)", end=1.0), ("v(A)", "I(V1)"), 1.0)
    reply = session.run(question)
    assert list(reply.vectors) == ["v(A)", "I(V1)"]
    assert reply.vectors["I(V1)"][-1] == pytest.approx(-0.5)


def test_looking_on_does_not_change_a_bit(session: NgspiceSession) -> None:
    blind, watched = (session.run(request(*DECAY, window=window)) for window in (None, 0.1))
    assert blind.time.tobytes() == watched.time.tobytes()
    assert blind.vectors["x"].tobytes() == watched.vectors["x"].tobytes()


def test_a_run_does_not_depend_on_those_before_it(session: NgspiceSession) -> None:
    with NgspiceSession() as fresh:
        first = fresh.run(request(*DECAY))
    loose = Request(
        ["* loose", *DECAY, ".options method=gear reltol=0.1", ".save v(x)", ".tran 1 10 0 1 uic", ".end"], ("x",), 10.0
    )
    for before in (loose, request(*EXPLOSION), request(*DECAY, window=0.5, settle=Settle(("x",), (0.1,)))):
        assert session.run(before).time.tobytes() != first.time.tobytes()
        again = session.run(request(*DECAY))
        assert again.time.tobytes() == first.time.tobytes()
        assert again.vectors["x"].tobytes() == first.vectors["x"].tobytes()


def test_a_run_that_ends_where_it_would_have_paused_does_not_stop_the_next(session: NgspiceSession) -> None:
    # ngspice keeps the unanswered request to pause: at 16 points the first look comes at the last point.
    first = session.run(request(*DECAY))
    for steps in range(5, 20):
        coarse = Request(deck(*DECAY, step=1.0, end=float(steps)), ("x",), float(steps))
        assert session.run(coarse).status == "done"
        again = session.run(request(*DECAY))
        assert (again.status, len(again.time)) == ("done", len(first.time))
        assert again.vectors["x"].tobytes() == first.vectors["x"].tobytes()


def test_only_what_the_deck_saves_can_be_had(session: NgspiceSession) -> None:
    with pytest.raises(SimulationFailed, match=r"there is no vector y: .*its \.save does not name it"):
        session.run(request("r2 x y 1", "c2 y 0 1", *DECAY, vectors=("x", "y"), window=0.1))


def test_progress_is_reported(session: NgspiceSession) -> None:
    reached: list[float] = []
    session.run(Request(deck(*DECAY, step=1e-4), ("x",), 10.0), on_progress=reached.append)
    assert reached
    assert reached == sorted(reached)
    assert 0 < reached[0] < reached[-1] <= 10.0


def test_a_settled_run_stops_early_and_is_a_piece_of_the_whole(session: NgspiceSession) -> None:
    whole = session.run(request(*DECAY))
    reply = session.run(request(*DECAY, window=1.0, settle=Settle(("x",), (1e-2,))))
    assert reply.status == "settled"
    assert reply.vectors["x"].tobytes() == whole.vectors["x"][: len(reply.time)].tobytes()
    # Over a window of 1 s ending at t, exp(-t) moves (e - 1) exp(-t): 0.01 at t = 5.15, plus a look of a quarter window.
    assert 5.14 < reply.last_time < 5.15 + 0.3


def test_an_oscillation_does_not_settle(session: NgspiceSession) -> None:
    oscillator = ("c1 x 0 1 ic=1", "c2 y 0 1 ic=0", "b1 0 x i=6.283185307*v(y)", "b2 0 y i=-6.283185307*v(x)")
    reply = session.run(request(*oscillator, window=1.0, settle=Settle(("x",), (0.1,))))
    assert reply.status == "done"


def test_a_run_whose_steps_become_too_short_to_end_is_given_up(session: NgspiceSession) -> None:
    """Its period is a thousand millionth of the run."""
    reply = session.run(request("c1 x 0 1 ic=1", "c2 y 0 1 ic=0", "b1 0 x i=6.28e8*v(y)", "b2 0 y i=-6.28e8*v(x)"))
    assert (reply.status, reply.detail) == ("failed", "its steps became so short that the run would not end")
    assert 0 < reply.last_time < 1e-3


def test_rest_at_the_very_end_counts(session: NgspiceSession) -> None:
    reply = session.run(request("c1 x 0 1 ic=1", "r1 x 0 1e6", window=10.0, settle=Settle(("x",), (1.0,))))
    assert (reply.status, reply.last_time) == ("settled", 10.0)


def test_a_blow_up_in_finite_time_keeps_the_path_up_to_there(session: NgspiceSession) -> None:
    reply = session.run(request(*EXPLOSION, blow_up=1e6))
    assert reply.status == "blew up"
    assert reply.detail.startswith("x ran away at 0.99")
    assert 1e6 < reply.vectors["x"][-1] < 1e8
    early = reply.time < 0.8
    assert early.sum() > 50
    assert np.abs(reply.vectors["x"] * (1 - reply.time) - 1)[early].max() < 1e-3


def test_what_leaves_the_numbers_blows_up_too(session: NgspiceSession) -> None:
    reply = session.run(request("c1 x 0 1 ic=1", "b1 0 x i=1e3*v(x)"))
    assert reply.status in ("blew up", "failed")
    assert np.isfinite(reply.vectors["x"]).all()


def test_a_step_that_is_too_small_names_time_and_node(session: NgspiceSession) -> None:
    reply = session.run(request(*EXPLOSION))
    assert (reply.status, reply.node) == ("failed", "x")
    assert reply.detail.startswith("Timestep too small; time = 0.99")
    assert 0.99 < reply.last_time < 1.0
    assert len(reply.vectors["x"]) == len(reply.time) > 100


def test_a_logarithm_of_a_negative_number_names_its_element(session: NgspiceSession) -> None:
    reply = session.run(request(*LOGARITHM))
    assert (reply.status, reply.element) == ("failed", "b1")
    assert any("out of range for ln" in line for line in reply.messages)
    assert np.abs(reply.vectors["x"] - (1 - reply.time)).max() < 1e-6


def test_a_run_that_can_not_start_has_no_points(session: NgspiceSession) -> None:
    reply = session.run(request("c1 x 0 1 ic=1", "v1 x 0 1", "v2 x 0 2"))
    assert (reply.status, len(reply.time), reply.last_time) == ("failed", 0, 0.0)
    assert "Timestep too small" in reply.detail


def test_notes_and_warnings_are_no_failure(session: NgspiceSession) -> None:
    floating = deck("v1 a 0 1", "c1 a x 1", "c2 x 0 1", end=1.0, start="")
    reply = session.run(Request(floating, ("x",), 1.0))
    assert reply.status == "done"
    assert any("singular matrix" in line for line in reply.messages)
    assert reply.vectors["x"][-1] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "elements, message",
    [
        (("b1 0 x i=nosuch(v(x))", *DECAY), "did not take the deck: Error: no such function 'nosuch'"),
        (("b1 0 x i=1+*v(x)", *DECAY), "did not take the deck: .*syntax error"),
        (("r1 x 0 2", *DECAY), "did not take the deck: .*device already exists"),
        (("d1 x 0 nosuch", *DECAY), "did not take the deck: .*can't find model 'nosuch'"),
        (("x1 x 0 nosuch", *DECAY), "did not take the deck: Error: unknown subckt"),
        (("r1 y 0 1",), "did not take the deck: .*no data saved"),
    ],
)
def test_a_deck_that_ngspice_does_not_take(session: NgspiceSession, elements: tuple[str, ...], message: str) -> None:
    process = session.process_id
    with pytest.raises(SimulationFailed, match=message):
        session.run(request(*elements))
    assert session.run(request(*DECAY)).status == "done"
    # From 44 on ngspice can not go on after a formula that it can not read: the session takes another process.
    assert process in (None, session.process_id) or int(session.versions["ngspice"].split(".")[0]) >= 44


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Error: no such function 'nosuch' at line 2 / from file / circbyline", "did not take the deck: Error: no such"),
        ("YYparse error, syntax error, in expression: parsing stopped at line 2", "did not take the deck: .*syntax error"),
        ("Error: out of memory", "gave up"),
    ],
)
def test_the_last_words_of_an_ngspice_that_ends_say_what_was_wrong(said: str, message: str) -> None:
    """ngspice 44 ends after what 39 refuses; these are its words."""
    header = {"kind": "rejected", "detail": said, "exiting": True}
    with NgspiceSession() as idle, pytest.raises(SimulationFailed, match=message):
        idle._judged(header, {}, {})


def test_a_vector_that_does_not_exist(session: NgspiceSession) -> None:
    with pytest.raises(SimulationFailed, match=r"there is no vector y: the deck has no such node, or its \.save"):
        session.run(request(*DECAY, vectors=("x", "y")))


def test_the_worker_checks_requests_again(session: NgspiceSession, tmp_path: Path) -> None:
    crafted = request(*DECAY)
    object.__setattr__(
        crafted, "deck", (*crafted.deck[:1], ".control", f"shell touch {tmp_path}/x", ".endc", *crafted.deck[1:])
    )
    with pytest.raises(SimulationFailed, match=r"refused the request: deck: line 2, '\.control', is refused"):
        session.run(crafted)
    assert list(tmp_path.iterdir()) == []
