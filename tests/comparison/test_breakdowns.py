"""Contenders that break down or answer with nothing: each costs its own row, and no other."""

import dataclasses
import json
import math

import pytest

import analogflow as af
from analogflow.cli import main
from analogflow.comparison import Contender, Point, judge_of
from analogflow.comparison.solvers import transport

PROBLEM = af.Transport(cost=[[0, 1, 1], [1, 0, 1], [1, 1, 0]], row=[0.3, 0.3, 0.4], column=[0.4, 0.3, 0.3], epsilon=0.5)


def test_one_contender_that_breaks_down_costs_no_other_row(monkeypatch):
    """Whatever it raises: `compare` is there to show what each of them can do."""
    broken = dataclasses.replace(transport.SOLVERS[0], run=lambda *_: 1 / 0)
    monkeypatch.setattr(transport, "SOLVERS", (broken, *transport.SOLVERS[1:]))
    found = af.compare(PROBLEM, only=["ideal:potential", "sinkhorn", "newton"], seconds=0.5)
    circuit, sinkhorn, newton = found.contenders
    assert circuit.reached
    assert newton.reached
    assert "it broke down" in sinkhorn.note
    assert "ZeroDivisionError" in sinkhorn.note
    assert sinkhorn.delivered == math.inf
    assert json.loads(json.dumps(found.to_dict()))["contenders"][1]["delivered"] is None


@pytest.mark.ngspice
def test_a_circuit_that_shows_no_answer_is_a_row(capsys, tmp_path):
    """A cost of 100 times the temperature, which circuits of op-amps answer with no plan at all."""
    path = tmp_path / "two.json"
    path.write_text('{"cost": [[0, 1], [1, 0]], "row": [0.3, 0.7], "column": [0.7, 0.3], "epsilon": 0.01}')
    only = [word for name in ("ideal:potential", "opamp:potential", "newton") for word in ("--only", name)]
    assert main(["compare", "transport", str(path), *only, "--seconds", "0.5", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["contenders"]}
    assert rows["newton"]["reached"]
    assert all(row["reached"] or row["note"] for row in rows.values())


@pytest.mark.parametrize(
    ("error", "bits"), [(0.0, math.inf), (0.5, 1.0), (1.0, 0.0), (1e300, 0.0), (math.inf, 0.0), (math.nan, 0.0)]
)
def test_bits_of_an_error(error, bits):
    assert judge_of(PROBLEM).bits(error) == bits


def test_a_solver_without_an_answer_is_no_winner_and_no_aim():
    nothing = Contender("none", "digital", "", math.inf, 0.0, points=(Point(math.inf),))
    found = af.compare(PROBLEM, only=["newton"], seconds=0.5)
    alone = dataclasses.replace(found, contenders=(nothing,))
    assert "could deliver anything" in alone.refusal("operations")
    assert "inf" not in alone.refusal("operations")
