"""Ising programmes: every state by a plain loop, closed forms, a semidefinite bound, and runs that miss the least of all."""

from __future__ import annotations

import itertools

import cvxpy
import numpy as np
import pytest

import analogflow as af
from analogflow.families import reference_of
from analogflow.families.plugins import ising_programme
from analogflow.families.plugins.ising_programme import IsingProgramme

LEAST = "the best replica is the least of all states"


def drawn(seed, n):
    rng = np.random.default_rng(seed)
    J = np.triu(rng.choice([-1.0, 0.0, 1.0, 0.5], (n, n)), 1)
    return J + J.T, rng.choice([0.0, 0.25, -0.5], n)


def ring(n, coupling):
    J = np.zeros((n, n))
    for k in range(n):
        J[k, (k + 1) % n] = J[(k + 1) % n, k] = coupling / 2
    return J


@pytest.mark.parametrize(("seed", "n"), [(0, 2), (1, 3), (2, 5), (3, 8), (4, 9), (5, 10)])
def test_levels_are_those_of_a_plain_loop(seed, n):
    J, h = drawn(seed, n)
    if not (J.any() or h.any()):
        h[0] = 1.0
    energies = sorted(
        sum(J[i, j] * x[i] * x[j] for i in range(n) for j in range(n)) + sum(h[i] * x[i] for i in range(n))
        for x in itertools.product([-1, 1], repeat=n)
    )
    problem = IsingProgramme(J, h)
    (least, count, second), x = ising_programme.levels(problem)
    assert least == pytest.approx(energies[0], abs=1e-12)
    assert problem.energies(x) == pytest.approx(energies[0], abs=1e-12)
    assert count == sum(e < energies[0] + 1e-9 for e in energies)
    assert second == pytest.approx(next((e for e in energies if e > energies[0] + 1e-9), np.inf), abs=1e-12)


def test_rings_have_their_known_energies():
    for n in (5, 8, 20):
        assert ising_programme.levels(IsingProgramme(ring(n, -1.0)))[0] == pytest.approx((-n, 2, -n + 4))
    for n in (5, 9, 21):  # an odd ring that wants neighbours to differ has one bond that can not be met, anywhere
        assert ising_programme.levels(IsingProgramme(ring(n, 1.0)))[0] == pytest.approx((-n + 2, 2 * n, -n + 6))


@pytest.mark.parametrize("seed", range(3))
def test_no_state_is_below_the_semidefinite_bound_of_goemans_and_williamson(seed):
    J, _ = drawn(seed, 12)
    X = cvxpy.Variable((12, 12), PSD=True)
    bound = cvxpy.Problem(cvxpy.Minimize(cvxpy.trace(J @ X)), [cvxpy.diag(X) == 1])
    bound.solve(solver="CLARABEL")
    least = ising_programme.levels(IsingProgramme(J))[0][0]
    most = -ising_programme.levels(IsingProgramme(-J))[0][0]
    assert least >= bound.value - 1e-6
    assert least - bound.value <= (1 - 0.878) * (most - bound.value) + 1e-6


@pytest.mark.parametrize("n", [4, 6, 10])
def test_replicas_find_the_least_of_all_where_it_is_plain(n):
    """Couplings of a pattern hidden by signs: one pair of states below all others."""
    hidden = np.where(np.random.default_rng(n).random(n) < 0.5, -1.0, 1.0)
    J = -np.outer(hidden, hidden) + np.eye(n)
    solution = af.solve(IsingProgramme(J, replicas=2), engine="block")
    assert solution.passed, solution.certificate
    assert abs(np.dot(solution.certificate.answer["spins"], hidden)) == n
    assert solution.certificate.answer["energy"] == -n * (n - 1)


FRUSTRATED = IsingProgramme(*drawn(14, 12), replicas=1)


def test_a_run_that_misses_the_least_of_all_fails_and_more_replicas_may_find_it():
    one = af.solve(FRUSTRATED, engine="block")
    assert [check.name for check in one.certificate.checks if not check.passed] == [LEAST]
    assert one.certificate.errors["above"] > 1e-3
    more = af.solve(IsingProgramme(FRUSTRATED.J, FRUSTRATED.h, replicas=12), engine="block")
    assert more.passed, more.certificate
    assert more.certificate.answer["energy"] < one.certificate.answer["energy"]


@pytest.mark.slow
def test_most_of_random_programmes_are_solved_and_the_others_say_so():
    passed = 0
    for seed in range(12):
        problem = IsingProgramme(*drawn(20 + seed, 10), replicas=8)
        certificate = af.solve(problem, engine="block").certificate
        exact = reference_of(problem).values["energies"][0]
        assert certificate.passed == (certificate.answer["energy"] < exact + 1e-9), certificate
        passed += certificate.passed
    assert passed >= 8


def test_turning_a_spin_changes_the_energy_by_what_is_told():
    problem = IsingProgramme(*drawn(3, 7))
    for x in np.random.default_rng(0).choice([-1.0, 1.0], (20, 7)):
        gains = [problem.energies(x) - problem.energies(np.where(np.arange(7) == k, -x, x)) for k in range(7)]
        assert ising_programme.turned(problem, x) == pytest.approx(max(*gains, 0.0), abs=1e-12)


BAD = {
    "not square": ((np.zeros((2, 3)),), r"J has shape \(2, 3\); give as many rows as columns"),
    "skew": (([[0, 1], [0, 0]],), r"J is not symmetric; give \(J \+ J\.T\)/2"),
    "diagonal": (([[0, 1], [1, 2]],), r"J has 2 on its diagonal, row 2; give 0 there"),
    "many": ((np.ones((25, 25)) - np.eye(25),), r"J has 25 spins; give 2 to 24"),
    "field": (([[0, 1], [1, 0]], [1]), r"h has 1 entries and J 2 rows"),
    "nothing": ((np.zeros((2, 2)),), r"J and h are 0, so that all states are alike"),
    "replicas": (([[0, 1], [1, 0]], None, 0), r"replicas is 0; give a whole number from 1 to 32"),
    "ramp": (([[0, 1], [1, 0]], None, 2, -1), r"ramp is -1; give a positive time"),
}  # fmt: skip


@pytest.mark.parametrize("reason", BAD)
def test_what_is_no_programme_is_refused_in_a_sentence(reason):
    given, message = BAD[reason]
    with pytest.raises(af.BadInput, match=message):
        IsingProgramme(*given)
