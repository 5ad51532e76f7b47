"""Hopfield problems: what they hold, how files become them, and everything that is refused."""

import json
import math

import numpy as np
import pytest

from analogflow.errors import BadInput
from analogflow.families.files import read_problem
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
        ({"activation": "relu"}, r"activation is 'relu'; known are linear, tanh"),
        ({"temperature": -0.1}, r"temperature is -0\.1; give 0, or a number from 1e-100 to 1e\+100"),
        ({"temperature": 1e-300}, r"temperature is 1e-300; give 0, or a number from 1e-100"),
        ({"gain_v": 1e308}, r"gain_v has 1e\+308 as largest size; give numbers up to 1e\+100"),
        ({"temperature": True}, r"temperature is True"),
        ({"temperature": math.inf}, r"temperature is inf"),
        ({"I": [1.0], "temperature": -1, "activation": 3}, r"I has 1 numbers.*; activation is 3.*; temperature is -1"),
        ({"U": [[2.0]], "I": [0.0]}, r"the largest singular value of .* is 2 and must be below 1; divide U by more than 2"),
    ],
)
def test_what_is_no_network_is_refused(fields, message):
    with pytest.raises(BadInput, match=r"^Hopfield: .*" + message):
        Hopfield(**{"U": U} | fields)


def test_files(tmp_path):
    path = tmp_path / "network.json"
    keys = {"U": U, "I": [0.1, 0.2, 0.3], "gain_v": 1.0, "gain_h": [1.0, 0.5], "activation": "tanh", "temperature": 0.1}
    path.write_text(json.dumps(keys), encoding="utf-8")
    assert read_problem("hopfield", path).fingerprint == Hopfield(**keys).fingerprint
    path.write_text(json.dumps({"U": U, "colour": 1}), encoding="utf-8")
    with pytest.raises(BadInput, match=r"unknown key 'colour'; a Hopfield network has the keys U, I, gain_v"):
        read_problem("hopfield", path)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match=r"the key 'U' is missing; it holds the matrix of couplings"):
        read_problem("hopfield", path)
