"""Codes of several terminals: closed forms, foreign solvers, bounds of any guess, bad inputs."""

from __future__ import annotations

import itertools
import json

import cvxpy
import numpy as np
import pytest
import scipy

import analogflow as af
from analogflow.cli import main
from analogflow.families import reference_of
from analogflow.families.plugins import information_bottleneck, multiple_access, wyner_ziv
from analogflow.families.plugins.information_bottleneck import InformationBottleneck
from analogflow.families.plugins.multiple_access import MultipleAccess
from analogflow.families.plugins.wyner_ziv import WynerZiv

HAMMING = [[0.0, 1.0], [1.0, 0.0]]


def entropy(p):
    return float(scipy.special.entr([p, 1 - p]).sum())


def mixed(a, b):
    """Crossover probability of two symmetric channels in a row."""
    return a * (1 - b) + b * (1 - a)


def symmetric(p):
    return np.array([[1 - p, p], [p, 1 - p]])


def worth(found, beta):
    return found.values["rate_nats"][0] + beta * found.values["distortion"][0]


@pytest.mark.parametrize("beta", [0.5, 1.7, 2.0, 2.5, 4.0, 8.0])
def test_a_symmetric_source_has_the_curve_of_wyner_and_ziv(beta):
    """R(D) is the lower convex envelope of h(p∗D) − h(D) and the point (p, 0)."""
    p = 0.25
    problem = WynerZiv(symmetric(p) / 2, HAMMING, beta)
    grid = np.linspace(0, p, 200_001)[1:]
    values = scipy.special.entr(mixed(p, grid)) + scipy.special.entr(1 - mixed(p, grid))
    values -= scipy.special.entr(grid) + scipy.special.entr(1 - grid)
    exact = min((values + beta * grid).min(), beta * p)
    assert worth(reference_of(problem), beta) == pytest.approx(exact, abs=1e-9)
    solution = af.solve(problem, engine="block")
    assert solution.passed, solution.certificate
    answer = solution.certificate.answer
    assert answer["rate_nats"] + beta * answer["distortion"] == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("beta", [0.5, 1.5, 3.0])
def test_a_decoder_that_sees_some_letters_needs_a_code_for_the_erased_ones(beta):
    """Y = X with probability 1 − e: both ways of coding cost e times as much as without Y, at e times the distortion."""
    e = 0.3
    problem = WynerZiv([[0.5 * (1 - e), 0.5 * e, 0], [0, 0.5 * e, 0.5 * (1 - e)]], HAMMING, beta)
    D = 1 / (1 + np.exp(beta))
    exact = e * (np.log(2) - entropy(D) + beta * D)
    assert worth(reference_of(problem), beta) == pytest.approx(exact, abs=1e-9)
    solution = af.solve(problem, engine="block")
    assert solution.passed, solution.certificate
    assert solution.certificate.answer["rate_nats"] == pytest.approx(e * (np.log(2) - entropy(D)), abs=1e-5)


def drawn(seed):
    rng = np.random.default_rng(seed)
    n, m, k = rng.integers(2, 4), rng.integers(1, 4), rng.integers(2, 4)
    joint = rng.dirichlet(np.full(n * m, 0.8)).reshape(n, m)
    return joint, rng.random((n, k)) * 2, float(rng.uniform(0.5, 6))


@pytest.mark.parametrize("seed", range(8))
def test_sources_with_side_information_agree_with_a_conic_solver(seed):
    """It takes all strategies, and the relative entropies of the definition."""
    joint, d, beta = drawn(seed)
    problem = WynerZiv(joint, d, beta)
    exact = reference_of(problem)
    n, m = joint.shape
    strategies = list(itertools.product(range(d.shape[1]), repeat=m))
    q = cvxpy.Variable((n, len(strategies)), nonneg=True)
    cost = np.array([[sum(joint[x, y] * d[x, t[y]] for y in range(m)) for t in strategies] for x in range(n)])
    rate = 0
    for y in range(m):
        given = np.diag(joint[:, y]) @ q
        r = np.outer(joint[:, y], joint[:, y] / joint[:, y].sum()) @ q
        rate = rate + cvxpy.sum(cvxpy.rel_entr(given, r))
    best = cvxpy.Problem(cvxpy.Minimize(rate + beta * cvxpy.sum(cvxpy.multiply(cost, q))), [cvxpy.sum(q, axis=1) == 1])
    best.solve(solver="CLARABEL")
    assert worth(exact, beta) == pytest.approx(best.value, abs=2e-6)
    assert worth(exact, beta) <= best.value + 2e-7
    assert exact.gap < 1e-11


@pytest.mark.parametrize("seed", range(8))
def test_any_test_channel_bounds_its_worth_from_both_sides(seed):
    problem = WynerZiv(*drawn(seed))
    exact, rng = reference_of(problem), np.random.default_rng(seed)
    q = rng.dirichlet(np.full(len(problem.strategies), 0.5), (50, len(problem.joint)))
    near = (1 - 1e-7) * exact.values["q"] + 1e-7 * q
    for tried in (q, near):
        low, high = wyner_ziv.interval(problem, tried)
        assert (low <= worth(exact, problem.beta) + 1e-12).all()
        assert (high >= worth(exact, problem.beta) - 1e-12).all()
    low, high = wyner_ziv.interval(problem, near)
    assert (high - low < 1e-5).all()


def test_of_strategies_that_are_nowhere_better_one_is_left():
    assert WynerZiv(symmetric(0.1) / 2, HAMMING, 1.0).strategies.tolist() == [[0, 0], [0, 1], [1, 1]]
    assert WynerZiv([[0.3], [0.7]], [[0, 1, 1], [1, 0, 1]], 1.0).strategies.tolist() == [[0], [1]]


def crossed(p, beta):
    return InformationBottleneck(symmetric(p) / 2, beta)


@pytest.mark.parametrize("beta", [0.5, 2.0, 2.9, 4.0, 20.0])
def test_a_symmetric_pair_is_described_as_mrs_gerber_s_lemma_allows(beta):
    """Least I(X;T) at each I(T;Y): ln 2 − h(δ) at ln 2 − h(p∗δ). Nothing is told until β = 1/(1 − 2p)²."""
    p = 0.2

    def told(delta):
        return np.log(2) - entropy(delta) - beta * (np.log(2) - entropy(mixed(p, delta)))

    grid = np.linspace(0, 0.5, 2001)
    near = grid[np.argmin([told(delta) for delta in grid])]
    ends = (max(near - 5e-4, 0), min(near + 5e-4, 0.5))
    exact = scipy.optimize.minimize_scalar(told, bounds=ends, method="bounded", options={"xatol": 1e-12}).fun
    problem = crossed(p, beta)
    found = reference_of(problem)
    assert information_bottleneck.worth(problem, found.values["q"][None])[0] == pytest.approx(exact, abs=1e-9)
    assert found.gap < 2e-9
    solution = af.solve(problem, engine="block")
    assert solution.passed, solution.certificate
    answer = solution.certificate.answer
    assert answer["compression_nats"] - beta * answer["relevance_nats"] == pytest.approx(exact, abs=1e-6)
    assert problem.critical == pytest.approx(1 / (1 - 2 * p) ** 2)
    assert (answer["relevance_nats"] > 1e-6) == (beta > problem.critical)


def test_what_is_seen_through_erasures_is_told_as_a_whole_or_not_at_all():
    e = 0.4
    joint = [[0.5 * (1 - e), 0.5 * e, 0], [0, 0.5 * e, 0.5 * (1 - e)]]
    for beta, told in ((1.5, 0.0), (1.8, np.log(2))):
        solution = af.solve(InformationBottleneck(joint, beta), engine="block")
        assert solution.passed, solution.certificate
        assert solution.certificate.answer["compression_nats"] == pytest.approx(told, abs=1e-5)


def pairs(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, 4), rng.integers(2, 5)
    return rng.dirichlet(np.full(n * m, 0.6)).reshape(n, m)


def envelope_on_a_grid(joint, beta, points):
    """Least mean of D(π‖p_X) − β D(π_Y‖p_Y) over mixtures of grid points π that average to p_X: a linear programme."""
    n, p = len(joint), joint.sum(axis=1)
    grid = np.array([c for c in itertools.product(range(points + 1), repeat=n - 1) if sum(c) <= points]) / points
    grid = np.column_stack([grid, 1 - grid.sum(axis=1)])
    out, py = grid @ (joint / p[:, None]), joint.sum(axis=0)
    worth = scipy.special.rel_entr(grid, p).sum(axis=1) - beta * scipy.special.rel_entr(out, py).sum(axis=1)
    return scipy.optimize.linprog(worth, A_eq=grid.T, b_eq=p, method="highs").fun


@pytest.mark.parametrize("beta", [1.5, 4.0, 12.0])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))])
def test_the_least_of_all_is_the_envelope_that_a_linear_programme_finds(seed, beta):
    joint = pairs(seed)
    problem = InformationBottleneck(joint, beta)
    found = reference_of(problem)
    least = information_bottleneck.worth(problem, found.values["q"][None])[0]
    points = 2000 if len(joint) == 2 else 120
    on_grid = envelope_on_a_grid(joint, beta, points)
    assert found.gap < 1e-8
    assert least <= on_grid + 1e-9
    assert least >= on_grid - 0.02 * beta * (120 / points)
    rng = np.random.default_rng(seed)
    for _ in range(5):  # whatever clusters the bound is asked of
        q = rng.dirichlet(np.ones(len(joint)), len(joint))
        assert information_bottleneck.bound(problem, q) <= least + 1e-9


@pytest.mark.slow
def test_larger_alphabets_have_bounds_and_not_more_is_said():
    joint = np.random.default_rng(5).dirichlet(np.full(18, 0.5)).reshape(6, 3)
    problem = InformationBottleneck(joint, 3.0)
    solution = af.solve(problem, engine="block")
    assert solution.passed, solution.certificate
    gap = solution.certificate.reference_gap
    assert 1e-3 < gap < 3.0 * problem.all_nats
    assert "lies between" in solution.certificate.notes[0]
    # Against a general minimiser from many starts, which may be no lower than the bound.
    rng, best = np.random.default_rng(0), np.inf

    def value(v):
        q = scipy.special.softmax(v.reshape(6, 6), axis=1)
        return float(information_bottleneck.worth(problem, q[None])[0])

    for _ in range(4):
        best = min(best, scipy.optimize.minimize(value, rng.standard_normal(36) * 2, method="BFGS").fun)
    least = information_bottleneck.worth(problem, reference_of(problem).values["q"][None])[0]
    assert least <= best + 1e-7
    assert best >= least - gap


SKEWED = [[0.005, 0.06, 0.02], [0.03, 0.001, 0.004], [0.4, 0.3, 0.18]]


def test_a_run_that_ends_where_a_better_point_is_known_fails_by_that_check_alone():
    problem = InformationBottleneck(SKEWED, 10.0)
    timid = InformationBottleneck(SKEWED, 10.0, start=np.full((3, 3), 1 / 3) + 0.01 * np.eye(3) - 0.01 / 3)
    assert problem.critical > 10.0  # the answer that tells nothing attracts
    better, worse = af.solve(problem, engine="block"), af.solve(timid, engine="block")
    assert better.passed, better.certificate
    failed = [check.name for check in worse.certificate.checks if not check.passed]
    assert failed == ["no better stationary point is known"]
    assert worse.certificate.answer["relevance_nats"] == pytest.approx(0, abs=1e-6)
    assert better.certificate.answer["relevance_nats"] > 1e-3
    assert "proven to" in better.certificate.notes[0]


def test_a_point_that_is_not_stationary_leaves_a_residual():
    problem = crossed(0.2, 4.0)
    exact = reference_of(problem).values["q"]
    assert information_bottleneck.residual(problem, exact[None])[0] < 1e-9
    off = exact + np.array([[1e-3, -1e-3], [0, 0]])
    assert information_bottleneck.residual(problem, off[None])[0] > 1e-4


def noisy(table, e, letters):
    """A channel whose output is what a table of two bits says, and any other letter with probability e in all."""
    clean = np.eye(letters)[np.array(table)]
    return (1 - e) * clean + e / (letters - 1) * (1 - clean)


CLOSED = {
    "adder": (noisy([[0, 1], [1, 2]], 0.0, 3), None, 1.5 * np.log(2)),
    "adder, weighted": (noisy([[0, 1], [1, 2]], 0.0, 3), [2, 1], 2.5 * np.log(2)),  # the corner (1, 1/2) bit
    "noisy xor": (noisy([[0, 1], [1, 0]], 0.11, 2), None, np.log(2) - entropy(0.11)),
    "noisy or": (noisy([[0, 1], [1, 1]], 0.11, 2), None, np.log(2) - entropy(0.11)),
    "or, second first": (noisy([[0, 1], [1, 1]], 0.0, 2), [1, 3], 3 * np.log(2)),
    "each its own": (noisy([[0, 1], [2, 3]], 0.0, 4), [1, 2], 3 * np.log(2)),
}  # fmt: skip


@pytest.mark.few(3)
@pytest.mark.parametrize("name", CLOSED)
def test_channels_of_two_senders_have_their_closed_forms(name):
    W, weights, exact = CLOSED[name]
    problem = MultipleAccess(W, weights)
    found = reference_of(problem)
    assert found.values["rate_nats"][0] == pytest.approx(exact, abs=1e-8)
    assert found.gap < 1e-7
    solution = af.solve(problem, engine="block")
    assert solution.passed, solution.certificate
    assert solution.certificate.answer["rate_nats"] == pytest.approx(exact, abs=1e-6)


def drawn_senders(seed, letters=(2, 2)):
    return np.random.default_rng(seed).dirichlet(np.full(3, 0.5), letters)


def weighted_rate(W, weights, p, r):
    """By entropies, of two letters each: w2 I(X1X2;Y) + (w1 − w2) I(X1;Y|X2) for w1 ≥ w2, of arrays p and r."""
    shares = [np.array([1 - one, one]) for one in (p, r)]
    inner = np.einsum("i...,j...,ij->...", *shares, scipy.special.entr(W).sum(axis=2))
    total = scipy.special.entr(np.einsum("i...,j...,ijy->y...", *shares, W)).sum(axis=0)
    given = (shares[1] * scipy.special.entr(np.einsum("i...,ijy->yj...", shares[0], W)).sum(axis=0)).sum(axis=0)
    return weights[1] * (total - inner) + (weights[0] - weights[1]) * (given - inner)


@pytest.mark.parametrize("weights", [[1, 1], [2, 1]])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
def test_no_point_of_a_grid_is_better(seed, weights):
    W = drawn_senders(seed)
    problem = MultipleAccess(W, weights)
    grid = np.meshgrid(np.linspace(0, 1, 801), np.linspace(0, 1, 801))
    best = weighted_rate(W, weights, *grid).max()
    found = reference_of(problem)
    exact = found.values["rate_nats"][0]
    assert best <= exact + 1e-9
    assert exact <= best + 2e-4
    assert found.gap < 1e-6
    solution = af.solve(problem, engine="block")
    assert solution.passed, solution.certificate
    p, r = solution.certificate.answer["first"][1], solution.certificate.answer["second"][1]
    assert weighted_rate(W, weights, p, r) == pytest.approx(exact, abs=2e-6)


@pytest.mark.parametrize("seed", range(4))
def test_senders_who_act_together_are_bounded_as_a_conic_solver_says(seed):
    W = drawn_senders(seed, (4, 4))
    problem = MultipleAccess(W, [1, 2])
    P = cvxpy.Variable((4, 4), nonneg=True)
    inner = scipy.special.entr(W).sum(axis=2)
    output = sum(P[i, j] * W[i, j] for i in range(4) for j in range(4))
    total = cvxpy.sum(cvxpy.entr(output))
    given = 0
    for i in range(4):
        given = given - cvxpy.sum(cvxpy.rel_entr(W[i].T @ P[i], cvxpy.sum(P[i]) * np.ones(3)))
    best = cvxpy.Problem(cvxpy.Maximize(total + given - 2 * cvxpy.sum(cvxpy.multiply(inner, P))), [cvxpy.sum(P) == 1])
    best.solve(solver="CLARABEL")
    bound = multiple_access.bound(problem, 0.0)
    assert bound >= best.value - 1e-7
    assert bound == pytest.approx(best.value, abs=2e-4)
    found = reference_of(problem)
    assert found.values["rate_nats"][0] + found.gap == pytest.approx(bound, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_what_a_sender_gains_alone_is_no_more_than_the_bound(seed):
    rng, W = np.random.default_rng(seed), drawn_senders(seed)
    p, r = rng.random(2)
    rate, gain = multiple_access.gains(MultipleAccess(W, [3, 1]), np.array([[1 - p, p]]), np.array([[1 - r, r]]))
    assert rate[0] == pytest.approx(weighted_rate(W, [3, 1], p, r), abs=1e-12)
    line = np.linspace(0, 1, 2001)
    alone = max(weighted_rate(W, [3, 1], line, r + 0 * line).max(), weighted_rate(W, [3, 1], p + 0 * line, line).max())
    assert rate[0] - 1e-12 <= alone <= rate[0] + gain[0] + 1e-12


ROUGH = [
    [[0.23, 0.09, 0.68], [0.2, 0.8, 0], [0, 0.4, 0.6]],
    [[0.01, 0.16, 0.83], [0, 0.82, 0.18], [0.52, 0.48, 0]],
    [[0, 0.02, 0.98], [0, 0.87, 0.13], [0.1, 0.9, 0]],
]


@pytest.mark.slow
def test_inputs_that_neither_sender_betters_alone_fail_where_better_ones_are_known():
    good = af.solve(MultipleAccess(ROUGH), engine="block")
    stuck = af.solve(MultipleAccess(ROUGH, start=[[0.9, 0.05, 0.05], [0.9, 0.05, 0.05]]), engine="block")
    assert good.passed, good.certificate
    assert [check.name for check in stuck.certificate.checks if not check.passed] == ["no better inputs are known"]
    assert stuck.certificate.answer["rate_nats"] < good.certificate.answer["rate_nats"] - 0.1
    assert good.certificate.reference_gap < 1e-6


BAD = {
    "channel sum": (MultipleAccess, (np.ones((2, 2, 2)),), r"the row of letters 1 and 1 sums to 2, not to 1"),
    "channel below 0": (MultipleAccess, ([[[1.5, -0.5]] * 2] * 2,), r"channel has -0\.5 at \(1, 1, 2\)"),
    "a flat channel": (MultipleAccess, ([[0.5, 0.5]],), r"channel has .*p\(y\|x1, x2\)"),
    "one letter sent": (MultipleAccess, ([[[0.5, 0.5], [0.5, 0.5]]],), r"a sender of one letter says nothing"),
    "weights": (MultipleAccess, (np.full((2, 2, 2), 0.5), [1, 0]), r"weights are \[1\.0, 0\.0\]; give two positive"),
    "starts": (MultipleAccess, (np.full((2, 2, 2), 0.5), None, 3), r"start is no list of two distributions"),
    "a start": (MultipleAccess, (np.full((2, 2, 2), 0.5), None, [[1, 0], [0.5, 0.5]]), r"start 1 is .*2 positive prob"),
    "clusters": (InformationBottleneck, (np.eye(2) / 2, 1, 3), r"clusters is 3; give a whole number from 2 to 2"),
    "beta of the bottleneck": (InformationBottleneck, (np.eye(2) / 2, 0), r"beta is 0; give a positive number"),
    "start shape": (InformationBottleneck, (np.eye(2) / 2, 1, None, [[1.0]]), r"start has shape \(1, 1\); give 2 rows"),
    "start": (InformationBottleneck, (np.eye(2) / 2, 1, None, np.eye(2)), r"start has an entry that is not positive"),
    "bottleneck sum": (InformationBottleneck, (np.eye(2), 1), r"joint sums to 2, not to 1"),
    "bottleneck row": (InformationBottleneck, ([[0.5, 0.5]], 1), r"X has one letter and tells nothing"),
    "joint sum": (WynerZiv, (np.eye(2), HAMMING, 1), r"joint sums to 2, not to 1; divide it by its sum"),
    "joint below 0": (WynerZiv, ([[1.5, -0.5], [0, 0]], HAMMING, 1), r"joint has -0\.5 in row 1, column 2"),
    "empty column": (WynerZiv, ([[0.5, 0], [0.5, 0]], HAMMING, 1), r"joint has nothing in column 2; leave it out"),
    "empty row": (WynerZiv, ([[0.5, 0.5], [0, 0]], HAMMING, 1), r"joint has nothing in row 2; leave it out"),
    "one letter": (WynerZiv, ([[0.5, 0.5]], [[0, 1]], 1), r"a source of one letter"),
    "distortion rows": (WynerZiv, (np.eye(2) / 2, [[0, 1]], 1), r"joint has 2 rows and distortion 1"),
    "distortion below 0": (WynerZiv, (np.eye(2) / 2, [[0, 1], [-1, 0]], 1), r"distortion has -1 in row 2, column 1"),
    "strategies": (WynerZiv, (np.ones((2, 9)) / 18, HAMMING, 1), r"2\^9 strategies of the decoder; at most 256"),
    "beta": (WynerZiv, (np.eye(2) / 2, HAMMING, -1), r"beta is -1; give a positive number"),
    "joint of text": (WynerZiv, ([["a"]], HAMMING, 1), r"joint does not consist of numbers"),
}  # fmt: skip


@pytest.mark.parametrize("reason", BAD)
def test_what_is_no_problem_is_refused_in_a_sentence(reason):
    make, given, message = BAD[reason]
    with pytest.raises(af.BadInput, match=message):
        make(*given)


def test_the_command_line_says_what_is_wrong(tmp_path, capsys):
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"joint": [[0.5, 0.4], [0.2, 0.1]], "distortion": HAMMING, "beta": 0}))
    assert main(["solve", "wyner-ziv", str(path)]) == 2
    said = capsys.readouterr().err
    assert "joint sums to 1.2" in said
    assert "beta is 0" in said
