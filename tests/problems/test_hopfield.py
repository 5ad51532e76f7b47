"""Hopfield problems: what they hold, how files become them, and everything that is refused."""

import json
import math

import numpy as np
import pytest

from analogflow.errors import BadInput
from analogflow.families.files import keys_of, problem_of_keys, read_problem
from analogflow.problems import Hopfield

U = [[0.3, 0.0], [0.1, 0.2], [0.4, 0.1]]


def test_defaults_and_diagonals():
    problem = Hopfield(U, gain_v=[1.0, 2.0, 3.0], gain_h=0.5)
    np.testing.assert_array_equal(problem.gain_v, np.diag([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(problem.gain_h, 0.5 * np.eye(2))
    np.testing.assert_array_equal(problem.I, np.zeros(3))
    np.testing.assert_array_equal(problem.start, np.zeros(5))
    assert (problem.activation, problem.temperature) == ("linear", 0.0)
    assert (problem.visible, problem.hidden, problem.size) == (3, 2, 5)
    assert problem.norm == pytest.approx(np.linalg.norm(np.sqrt(np.diag([1.0, 2.0, 3.0])) @ np.array(U), 2) * np.sqrt(0.5))
    with pytest.raises(ValueError, match="read-only"):
        problem.U[0, 0] = 1.0


def test_fingerprint_tells_problems_apart():
    problem = Hopfield(U)
    assert problem.fingerprint == Hopfield(U, I=[0, 0, 0], gain_v=1.0).fingerprint
    others = [
        Hopfield(U, temperature=0.1),
        Hopfield(U, activation="tanh"),
        Hopfield(U, start=np.ones(5)),
        Hopfield(U, gain_h=2.0),
    ]
    assert len({problem.fingerprint, *(other.fingerprint for other in others)}) == 5
    assert repr(problem).startswith("Hopfield(3 + 2 states, linear, temperature 0, fingerprint ")


@pytest.mark.parametrize("margin", [0.999, 1.001])
def test_a_linear_network_is_bounded_below_as_long_as_its_largest_singular_value_is_below_1(margin):
    """H = [[G, −GUF], [·, F]] is positive definite just then."""
    rng = np.random.default_rng(0)
    A, B, W = rng.normal(size=(3, 3)), rng.normal(size=(2, 2)), rng.normal(size=(3, 2))
    G, F = A @ A.T + np.eye(3), B @ B.T + np.eye(2)
    W = margin * W / norm(G, W, F)
    hessian = np.block([[G, -G @ W @ F], [-(G @ W @ F).T, F]])
    assert (np.linalg.eigvalsh(hessian)[0] > 0) == (margin < 1)
    if margin < 1:
        assert Hopfield(W, None, G, F).norm == pytest.approx(margin)
    else:
        with pytest.raises(
            BadInput,
            match=r"not bounded below: the largest singular value of √gain_v U √gain_h is 1\.001.* must be below 1",
        ):
            Hopfield(W, None, G, F)


def norm(G, W, F):
    return np.sqrt(np.linalg.eigvals(W.T @ G @ W @ F).real.max())


def test_a_saturating_network_is_bounded_whatever_its_couplings():
    assert Hopfield([[5.0]], activation="tanh").norm == 5.0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"U": [1.0]}, r"U has shape \(1,\); give a matrix with a row for each visible state"),
        ({"U": [[1.0], [1.0, 2.0]]}, r"U does not consist of numbers in rows of one length"),
        ({"U": [[0.1, math.nan]]}, r"U has nan in row 1, column 2; give finite numbers"),
        ({"I": [1.0]}, r"I has 1 numbers; give one number for each row of U \(3\)"),
        ({"I": [[1.0]]}, r"I has shape \(1, 1\)"),
        ({"I": [1.0, math.inf, 0.0]}, r"I has inf in entry 2"),
        ({"start": [0.0]}, r"start has 1 numbers; give one number for each row, then each column, of U \(5\)"),
        ({"gain_v": np.eye(2)}, r"gain_v has shape \(2, 2\); give \(3, 3\), a row and a column for each row of U"),
        ({"gain_h": np.eye(3)}, r"gain_h has shape \(3, 3\); give \(2, 2\), a row and a column for each column of U"),
        ({"gain_h": [[1.0, 0.5], [0.0, 1.0]]}, r"gain_h is not symmetric, so that its activation is no gradient"),
        ({"gain_h": [1.0, -1.0]}, r"gain_h has the eigenvalue -1; it must be positive definite"),
        ({"gain_v": 0.0}, r"gain_v has the eigenvalue 0"),
        ({"gain_v": math.nan}, r"gain_v has nan; give finite numbers"),
        ({"gain_h": [[1, 0.5], [0.5, 1]], "activation": "tanh"}, r"gain_h is not diagonal; with the activation 'tanh'"),
        ({"activation": "relu"}, r"activation is 'relu'; known are linear, tanh, softmax"),
        ({"temperature": -0.1}, r"temperature is -0\.1; give 0, or a number from 1e-100 to 1e\+100"),
        ({"temperature": 1e-300}, r"temperature is 1e-300; give 0, or a number from 1e-100"),
        ({"gain_v": 1e308}, r"gain_v has 1e\+308 as largest size; give numbers up to 1e\+100"),
        ({"temperature": True}, r"temperature is True"),
        ({"temperature": math.inf}, r"temperature is inf"),
        ({"I": [1.0], "temperature": -1, "activation": 3}, r"I has 1 numbers.*; activation is 3.*; temperature is -1"),
        ({"U": None, "patterns": [[1, 1]], "activation": "linear"}, r"a linear network has one rest and can not hold"),
        ({"U": None, "patterns": [[1, 1], [0, 0]]}, r"pattern 2 holds zeros alone, so that nothing overlaps with it"),
        ({"U": None, "patterns": [1.0, -1.0]}, r"patterns has shape \(2,\); give a row for each pattern"),
        ({"U": None, "patterns": [[1, -1], [1, 1, 1]]}, r"rows of one length; .* a number for each visible state\.$"),
        ({"U": None, "patterns": [[1, math.nan]]}, r"patterns has nan in row 1, column 2"),
        ({"patterns": [[1.0, -1.0]]}, r"patterns have 2 numbers each; give one for each row of U \(3\)"),
        ({"rule": "hebbian"}, r"rule is 'hebbian'; it makes couplings of patterns; give those too"),
        ({"U": None, "patterns": [[1, 1]], "rule": "hebb"}, r"rule is 'hebb'; known are hebbian, pseudo-inverse"),
        ({"patterns": np.eye(3), "rule": "hebbian"}, r"U is not what the rule 'hebbian' makes of the patterns"),
        (
            {"U": None, "patterns": [[1, -1], [-1, 1]], "rule": "pseudo-inverse"},
            r"patterns are not independent, so that the rule 'pseudo-inverse' has no inverse",
        ),
        (
            {"gain_h": [1.0, 2.0], "activation": "softmax"},
            r"gain_h is no multiple of 1; with .* it is one number",
        ),
        (
            {"temperature": 0.5, "activation": "softmax"},
            r"temperature is above 0 with the activation 'softmax', which a shift of all hidden states does not change",
        ),
        (
            {"U": None, "patterns": [[1, 1]], "activation": "softmax", "rule": "hebbian"},
            r"rule is 'hebbian'; with the activation 'softmax' patterns are the columns of U: leave the rule out",
        ),
        ({"U": [[2.0]], "I": [0.0]}, r"the largest singular value of .* is 2 and must be below 1; divide U by more than 2"),
    ],
)
def test_what_is_no_network_is_refused(fields, message):
    with pytest.raises(BadInput, match=r"^Hopfield: .*" + message):
        Hopfield(**{"U": U} | fields)


XI = np.array([[1, 1, -1, -1, 1.0], [1, -1, 1, -1, 1.0]])


def test_patterns_become_couplings_by_the_rule_that_is_stated():
    n = XI.shape[1]
    hebb, projector = (Hopfield(patterns=XI, rule=rule) for rule in ("hebbian", "pseudo-inverse"))
    np.testing.assert_allclose(hebb.U @ hebb.U.T, XI.T @ XI / n, atol=1e-15)
    np.testing.assert_allclose(projector.U @ projector.U.T, np.linalg.pinv(XI) @ XI, atol=1e-14)
    assert (hebb.activation, hebb.rule, Hopfield(patterns=XI).rule) == ("tanh", "hebbian", "hebbian")
    np.testing.assert_array_equal(hebb.gain_v, 8 * np.sqrt(n) * np.eye(n))
    np.testing.assert_array_equal(hebb.gain_h, 0.5 / np.sqrt(n) * np.eye(2))
    assert (hebb.visible, hebb.hidden) == (5, 2)
    assert "5 + 2 states, 2 patterns, tanh" in repr(hebb)
    assert Hopfield(hebb.U, patterns=XI, activation="tanh").rule is None
    assert hebb.with_couplings(-hebb.U).rule is None


def test_softmax_has_patterns_as_columns():
    problem = Hopfield(patterns=XI, activation="softmax", gain_h=2.0)
    np.testing.assert_array_equal(problem.U, XI.T)
    np.testing.assert_array_equal(problem.gain_v, np.eye(5))
    assert problem.rule is None


def test_a_cue_may_be_of_the_visible_units_alone():
    problem = Hopfield(patterns=XI, start=XI[0])
    np.testing.assert_array_equal(problem.start, [*XI[0], 0, 0])


def test_columns_of_one_size_are_memories():
    signs = np.array([[1, 1], [1, -1], [-1, 1.0]])
    np.testing.assert_array_equal(Hopfield(signs * [0.2, 0.3], activation="tanh").memories, signs.T)
    assert Hopfield(signs * [0.2, 0.3]).memories is None  # linear: it has one rest
    assert Hopfield(signs[:, [0, 0]], activation="tanh").memories is None
    assert Hopfield(np.column_stack([signs[:, 0], -signs[:, 0]]), activation="tanh").memories is None
    assert Hopfield(U, activation="tanh").memories is None
    np.testing.assert_array_equal(Hopfield(U, patterns=[[1, 2, 3.0]]).memories, [[1, 2, 3]])


@pytest.mark.parametrize("rule", [None, "pseudo-inverse"])
def test_files_of_patterns_are_read_back(rule, tmp_path):
    path = tmp_path / "memories.json"
    path.write_text(json.dumps({"patterns": XI.tolist(), "start": XI[0].tolist()} | ({"rule": rule} if rule else {})))
    problem = read_problem("hopfield", path)
    again = problem_of_keys("hopfield", json.loads(json.dumps(keys_of(problem))), "again")
    assert again.fingerprint == problem.fingerprint == Hopfield(patterns=XI, rule=rule, start=XI[0]).fingerprint
    assert again.rule == problem.rule
    assert problem.fingerprint != Hopfield(problem.U, None, problem.gain_v, problem.gain_h, "tanh").fingerprint


def test_files(tmp_path):
    path = tmp_path / "network.json"
    keys = {"U": U, "I": [0.1, 0.2, 0.3], "gain_v": 1.0, "gain_h": [1.0, 0.5], "activation": "tanh", "temperature": 0.1}
    path.write_text(json.dumps(keys), encoding="utf-8")
    assert read_problem("hopfield", path).fingerprint == Hopfield(**keys).fingerprint
    path.write_text(json.dumps({"U": U, "colour": 1}), encoding="utf-8")
    with pytest.raises(BadInput, match=r"unknown key 'colour'; a Hopfield network has the keys U, I, gain_v"):
        read_problem("hopfield", path)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match=r"U is missing; give the matrix of couplings, a row for each visible state, or pat"):
        read_problem("hopfield", path)
