"""What is a transport problem and what is not, and how a schedule is given."""

import json
import math

import numpy as np
import pytest

from analogflow.errors import BadInput
from analogflow.families.files import read_problem
from analogflow.problems import Schedule, Transport

COST = [[0.0, 1.0], [1.0, 0.0]]
GOOD = {"cost": COST, "row": [0.5, 0.5], "column": [0.25, 0.75], "epsilon": 0.1}

BAD = {
    "a cost that is no number over epsilon": (
        dict(cost=[[0.0, 1e308], [1.0, 0.0]]),
        r"epsilon is 0.1 and the largest cost 1e\+308; give costs up to 1e\+300 epsilon",
    ),
    "ragged": (
        dict(cost=[[0, 1], [1]]),
        r"cost does not consist of numbers in rows of one length; give a matrix with a row",
    ),
    "text": (dict(row=["a", 1]), r"row does not consist of numbers"),
    "vector": (dict(cost=[0, 1]), r"cost has shape \(2,\); give a matrix"),
    "empty": (dict(cost=np.empty((0, 2))), r"cost has shape \(0, 2\)"),
    "one column": (dict(cost=[[1], [2]], column=[1]), r"cost has shape \(2, 1\), so that only one plan fits the marginals"),
    "not finite": (dict(cost=[[0, -math.inf], [1, 0]]), r"cost has -inf in row 1, column 2; give finite numbers, or inf"),
    "row not finite": (dict(row=[0.5, math.nan]), r"row has nan in entry 2; give finite numbers"),
    "wrong length": (dict(row=[0.2, 0.3, 0.5]), r"row has 3 masses; give one for each row of the cost \(2\)"),
    "matrix marginal": (
        dict(column=[[1, 0]]),
        r"column has shape \(1, 2\); give one mass for each column of the cost \(2\)",
    ),
    "negative": (dict(row=[-0.5, 1.5]), r"row: mass 1 is -0\.5; masses must not be negative"),
    "sums": (dict(row=[0.5, 0.6]), r"row sums to 1\.1 and column to 1; both must carry the same mass within 1e-09"),
    "epsilon": (dict(epsilon=0), r"epsilon is 0; give a positive number"),
    "epsilon below 0": (dict(epsilon=-0.1), r"epsilon is -0\.1; give a positive number"),
    "epsilon infinite": (dict(epsilon=math.inf), r"epsilon is inf; give a positive number"),
    "epsilon no number": (dict(epsilon="cold"), r"epsilon is 'cold'; give a positive number"),
    "schedule": (dict(schedule=3), r"schedule is 3; give one of exponential, quadratic, adaptive, or its kind, start, rate"),
    "kind": (dict(schedule="linear"), r"schedule is of kind 'linear'; known are exponential, quadratic, adaptive"),
    "key": (
        dict(schedule={"kind": "adaptive", "alpha": 0.9}),
        r"schedule has an unknown key 'alpha'; its keys are kind, st",
    ),
    "start": (
        dict(schedule={"kind": "quadratic", "start": 0.05}),
        r"schedule\.start is 0\.05, not above epsilon, 0\.1; it c",
    ),
    "hot": (dict(epsilon=2, schedule="adaptive"), r"schedule\.start is None; give a positive number"),
    "rate": (dict(schedule={"kind": "quadratic", "rate": -1}), r"schedule\.rate is -1; give a positive number"),
    "k_safe": (dict(schedule={"kind": "adaptive", "k_safe": 0}), r"schedule\.k_safe is 0; give a positive number"),
    "brake": (
        dict(schedule={"kind": "exponential", "k_safe": 1}),
        r"schedule has a k_safe, but its kind 'exponential' has n",
    ),
}


@pytest.mark.parametrize("reason", BAD)
def test_what_is_no_problem_is_refused_with_what_is_allowed(reason):
    changed, message = BAD[reason]
    with pytest.raises(BadInput, match=message):
        Transport(**{**GOOD, **changed})


def test_all_faults_are_told_at_once():
    with pytest.raises(
        BadInput, match=r"(?s)row has 1 masses.*column: mass 2 is -1.*epsilon is 0.*schedule is of kind None"
    ):
        Transport(COST, [1], [2, -1], 0, {})


def test_marginals_right_to_rounding_stay_and_nearly_right_ones_are_made_equal():
    assert Transport(**GOOD).column.tolist() == [0.25, 0.75]
    nearly = Transport(COST, [0.5, 0.5], [0.25, 0.75 + 5e-10], 0.1)
    assert nearly.column.sum() == pytest.approx(1, abs=1e-15)
    heavy = Transport(COST, [2, 4], [3, 3], 0.1)
    assert heavy.mass == 6
    assert not heavy.cost.flags.writeable
    assert not heavy.row.flags.writeable


def test_a_schedule_has_defaults_of_the_problem_s_own_size():
    given = {kind: Transport([[0, 4], [1, 2]], [1, 1], [1, 1], 0.1, kind).schedule for kind in ("exponential", "quadratic")}
    assert given["exponential"] == Schedule("exponential", 4.0, 0.1)
    assert given["quadratic"] == Schedule("quadratic", 4.0, 0.025)
    full = {"kind": "adaptive", "start": 3.0, "rate": 0.2, "k_safe": 0.7}
    assert Transport(**GOOD, schedule=full).schedule == Schedule("adaptive", 3.0, 0.2, 0.7)
    assert Transport(**GOOD, schedule=Schedule(**full)).schedule == Schedule(**full)


def test_equal_problems_have_equal_fingerprints():
    first, second = Transport(**GOOD), Transport(np.array(COST), (0.5, 0.5), np.array([0.25, 0.75]), 0.1)
    assert first.fingerprint == second.fingerprint
    others = [first.at(0.2), Transport(**GOOD, schedule="quadratic"), Transport(**{**GOOD, "column": [0.75, 0.25]})]
    assert len({first.fingerprint, *(other.fingerprint for other in others)}) == 4
    assert "2 x 2, epsilon 0.1, quadratic cooling from 1" in repr(others[1])
    assert others[1].at(0.3).schedule is None
    assert first.span == 1


@pytest.mark.parametrize("suffix", [".json", ".toml"])
def test_read_from_a_file(tmp_path, suffix):
    path = tmp_path / f"problem{suffix}"
    if suffix == ".json":
        path.write_text(json.dumps({**GOOD, "schedule": {"kind": "adaptive", "k_safe": 0.4}}))
    else:
        path.write_text(
            "cost = [[0.0, 1.0], [1.0, 0.0]]\nrow = [0.5, 0.5]\ncolumn = [0.25, 0.75]\nepsilon = 0.1\n"
            '[schedule]\nkind = "adaptive"\nk_safe = 0.4\n'
        )
    problem = read_problem("transport", path)
    assert problem.fingerprint == Transport(**GOOD, schedule={"kind": "adaptive", "k_safe": 0.4}).fingerprint


def test_faults_of_a_file_are_sentences(tmp_path):
    path = tmp_path / "problem.json"
    path.write_text(json.dumps({"cost": COST, "row": [1, 1], "column": [1, 1]}))
    with pytest.raises(BadInput, match=r"the key 'epsilon' is missing; it holds the temperature in units of the cost"):
        read_problem("transport", path)
    path.write_text(json.dumps({**GOOD, "colour": "blue"}))
    with pytest.raises(
        BadInput, match=r"unknown key 'colour'; a transport problem has the keys cost, row, column, epsilon, s"
    ):
        read_problem("transport", path)
    with pytest.raises(BadInput, match=r"a file with a transport problem must end in \.json or \.toml"):
        read_problem("transport", tmp_path / "cost.csv")
