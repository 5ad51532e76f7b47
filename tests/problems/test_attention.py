"""What is an attention problem and what is not, named problems, and where tokens start."""

import json
import math

import numpy as np
import pytest

from analogflow.errors import BadInput
from analogflow.families.files import read_problem
from analogflow.problems import Attention
from analogflow.problems.attention import (
    circle,
    circle_then_pole,
    gradient,
    random_diagonal,
    rotating,
    skewed,
    two_phases,
    uniform_tokens,
    von_mises_fisher_tokens,
)

I2 = np.eye(2)
TOKENS = [[1, 0], [0.6, 0.8]]

BAD = {
    "not a matrix": (
        dict(tokens=[[1, 0], [1]]),
        r"tokens does not consist of numbers in rows of one length; give one row",
    ),
    "text": (dict(B=[["a", 0], [0, 1]]), r"B does not consist of numbers"),
    "vector": (dict(tokens=[1, 0]), r"tokens has shape \(2,\); give one row of coordinates for each token"),
    "empty": (dict(tokens=np.empty((0, 2))), r"tokens has shape \(0, 2\)"),
    "off the sphere": (
        dict(tokens=[[1, 0], [0.6, 0.9]]),
        r"row 2 has length 1\.08166538; each must have length 1 within 1e-06",
    ),
    "zero": (dict(tokens=[[0, 0], [0.6, 0.8]]), r"row 1 has length 0;"),
    "one coordinate": (dict(tokens=[[1], [1]], B=[[1]], V=[[1]]), r"1 coordinate, so that none can move; give two or more"),
    "not finite": (dict(V=[[1, np.nan], [0, 1]]), r"V has nan in row 1, column 2; give finite numbers"),
    "B of another size": (
        dict(B=np.eye(3)),
        r"B has shape \(3, 3\) where tokens have 2 coordinates; give one row and one col",
    ),
    "V not square": (dict(V=[[1, 0]]), r"V has shape \(1, 2\) where tokens have 2 coordinates"),
    "beta": (dict(beta=0), r"beta is 0; give a positive inverse temperature"),
    "beta below 0": (dict(beta=-1.5), r"beta is -1\.5; give a positive"),
    "beta no number": (dict(beta="hot"), r"beta is 'hot'; give a positive"),
    "beta nan": (dict(beta=math.nan), r"beta is nan; give a positive"),
    "time": (dict(time=math.inf), r"time is inf; give a positive, finite number of time constants"),
    "time no number": (dict(time=True), r"time is True; give a positive, finite"),
    "beta beyond numbers": (dict(beta=1e308), r"beta is 1e\+308: its products with B are no numbers any more; give inf"),
    "V beyond numbers": (dict(V=[[1e200, 0], [0, 1]]), r"V has 1e\+200 as largest size; give numbers up to 1e\+100"),
    "too long": (dict(time=1e308), r"time is 1e\+308 and V has the norm 1: their product may be 3000 at most"),
    "too fast": (dict(V=[[1e6, 0], [0, 1]]), r"time is 1 and V has the norm 1e\+06: their product may be 3000 at most"),
    "cold and singular": (dict(beta=math.inf, B=[[1, 0], [0, 0]]), r"B is singular, so that the zero-temperature equation"),
}


@pytest.mark.parametrize("reason", BAD)
def test_what_is_no_problem_is_refused_with_what_is_allowed(reason):
    changed, message = BAD[reason]
    with pytest.raises(BadInput, match=message):
        Attention(**{"tokens": TOKENS, "B": I2, "V": I2, "beta": 1.0, "time": 1.0, **changed})


def test_all_faults_are_told_at_once():
    with pytest.raises(BadInput, match=r"(?s)row 1 has length 2.*B has shape.*V has nan.*beta is -1.*time is 0"):
        Attention([[2, 0]], np.eye(3), [[np.nan, 0], [0, 1]], -1, 0)


def test_rows_right_to_rounding_are_kept_and_others_brought_to_the_sphere():
    kept = Attention(TOKENS, I2, I2, 1.0)
    assert kept.tokens.tolist() == TOKENS
    nearly = Attention([[1 + 5e-7, 0], [0.6, 0.8]], I2, I2, 1.0)
    assert abs(np.linalg.norm(nearly.tokens, axis=1) - 1).max() < 1e-15
    assert not nearly.tokens.flags.writeable
    assert not nearly.B.flags.writeable


def test_equal_problems_have_equal_fingerprints():
    first, second = Attention(TOKENS, I2, I2, 1.0), Attention(np.array(TOKENS), I2.tolist(), I2, 1)
    assert first.fingerprint == second.fingerprint
    assert first.fingerprint != Attention(TOKENS, I2, -I2, 1.0).fingerprint
    assert first.fingerprint != first.at_zero_temperature().fingerprint
    assert "2 tokens, 2 dimensions, beta 1, time 1" in repr(first)


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_file_holds_the_keys(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    text = {
        "json": json.dumps({"tokens": TOKENS, "B": [[1, 2], [0, 1]], "V": [[1, 0], [0, 1]], "beta": 2, "time": 0.5}),
        "toml": "tokens = [[1, 0], [0.6, 0.8]]\nB = [[1, 2], [0, 1]]\nV = [[1, 0], [0, 1]]\nbeta = 2\ntime = 0.5\n",
    }
    path.write_text(text[suffix])
    problem = read_problem("attention", path)
    assert problem.B.tolist() == [[1, 2], [0, 1]]
    assert (problem.beta, problem.time) == (2.0, 0.5)


def test_file_without_a_key_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"tokens": TOKENS, "B": [[1, 0], [0, 1]], "V": [[1, 0], [0, 1]], "time": 1}))
    with pytest.raises(BadInput, match=r"the key 'beta' is missing; it holds the inverse temperature"):
        read_problem("attention", path)
    path.with_suffix(".csv").write_text("1,0\n")
    with pytest.raises(BadInput, match=r"a file with an attention problem must end in \.json or \.toml"):
        read_problem("attention", path.with_suffix(".csv"))


def test_figures_have_the_matrices_the_paper_states():
    plane, pole = circle(10), circle_then_pole(10)
    np.testing.assert_allclose(np.linalg.eigvalsh(plane.attraction), [1, 5, 5], atol=1e-14)
    np.testing.assert_allclose(pole.attraction, plane.attraction, atol=1e-14)
    assert plane.symmetric
    assert pole.symmetric
    assert two_phases(5).attraction.tolist() == np.diag([1.0, -1, -2]).tolist()
    turning, leaning = rotating(5), skewed(5)
    assert not turning.symmetric
    assert not leaning.symmetric
    np.testing.assert_allclose(sorted(np.linalg.eigvals(turning.attraction), key=np.imag), [-1j, -2, 1j], atol=1e-14)
    values = np.sort(np.linalg.eigvals(leaning.attraction).real)
    np.testing.assert_allclose(values, [-2, 1 - math.sqrt(2), 1 + math.sqrt(2)], atol=1e-14)
    assert random_diagonal(5, seed=1).fingerprint == random_diagonal(5, seed=1).fingerprint
    assert random_diagonal(5, seed=1).fingerprint != random_diagonal(5, seed=2).fingerprint
    assert random_diagonal(5).symmetric
    np.testing.assert_array_equal(gradient([1, 2], -1).V, np.diag([-1.0, -2]))


def test_uniform_tokens_have_the_sphere_s_moments():
    x = uniform_tokens(40_000, 4, seed=3)
    assert abs(np.linalg.norm(x, axis=1) - 1).max() < 1e-15
    # Standard errors 0.5/200 and, for squares with variance 1/40, 0.16/200; five of each is a false alarm in 1e5 or so.
    assert abs(x.mean(axis=0)).max() < 5 * 0.5 / 200
    assert abs(x.T @ x / len(x) - np.eye(4) / 4).max() < 5 * 0.16 / 200
    assert uniform_tokens(5, 3, seed=1).tobytes() == uniform_tokens(5, 3, seed=1).tobytes()


@pytest.mark.parametrize("kappa", [0.0, 0.5, 2.0, 10.0, 400.0])
def test_von_mises_fisher_tokens_have_the_mean_length_of_their_law(kappa):
    count = 40_000
    x = von_mises_fisher_tokens(count, [[0, 3.0, 4.0]], [kappa / 5], seed=8)
    assert abs(np.linalg.norm(x, axis=1) - 1).max() < 1e-14
    cosine = x @ [0, 0.6, 0.8]
    # On the sphere of three dimensions the mean cosine is coth κ − 1/κ and its variance at most a third.
    expected = 1 / np.tanh(kappa) - 1 / kappa if kappa else 0.0
    assert abs(cosine.mean() - expected) < 5 * cosine.std() / math.sqrt(count)
    across = x - cosine[:, None] * np.array([0, 0.6, 0.8])
    assert abs(across.mean(axis=0)).max() < 5 * across.std() / math.sqrt(count) + 1e-12


def test_von_mises_fisher_law_holds_in_the_plane_and_in_ten_dimensions():
    from scipy.special import ive

    for dimension, kappa in ((2, 3.0), (10, 7.0)):
        x = von_mises_fisher_tokens(40_000, [np.eye(dimension)[0]], [kappa], seed=5)
        expected = ive(dimension / 2, kappa) / ive(dimension / 2 - 1, kappa)
        assert abs(x[:, 0].mean() - expected) < 5 * x[:, 0].std() / 200


def test_mixture_has_its_shares():
    x = von_mises_fisher_tokens(10_000, [[1, 0, 0], [-1, 0, 0]], [500, 500], seed=2, weights=[3, 1])
    assert abs((x[:, 0] > 0).mean() - 0.75) < 5 * math.sqrt(0.75 * 0.25 / 10_000)


MIXTURES = {
    r"give one row of two or more coordinates": dict(centres=[[1.0]], concentrations=[1]),
    r"2 centres come with 1 concentrations": dict(centres=np.eye(2), concentrations=[1]),
    r"a centre is 0 or not finite": dict(centres=[[0, 0]], concentrations=[1]),
    r"a concentration or weight is negative": dict(centres=[[1, 0]], concentrations=[-1]),
    r"count is 0; give a whole number of at least 1": dict(count=0, centres=[[1, 0]], concentrations=[1]),
}


@pytest.mark.parametrize("message", MIXTURES)
def test_what_is_no_mixture_is_refused(message):
    with pytest.raises(BadInput, match=message):
        von_mises_fisher_tokens(**{"count": 5, "seed": 0, **MIXTURES[message]})
    with pytest.raises(BadInput, match=r"dimension is 1; give a whole number of at least 2"):
        uniform_tokens(3, 1, seed=0)
