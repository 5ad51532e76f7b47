"""Laws of chains and trees of many variables, held against transfer matrices and Green's functions of this file."""

from itertools import pairwise

import numpy as np
import pytest

from analogflow.errors import BadInput
from analogflow.problems import Langevin
from analogflow.problems.landscape import landscape
from analogflow.reference import boltzmann_law


def springs(names, stiffness=0.5):
    return " + ".join(f"{stiffness}*({a} - {b})**2" for a, b in pairwise(names))


def named(count):
    return [f"x{k}" for k in range(count)]


def by_transfer(count, site, spring, T, reach=3.2, nodes=240):
    """Means, covariances and -T ln Z of a chain by Gauss-Legendre and products of one matrix, from both ends."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    x, w = reach * x, reach * w
    local = np.exp(-site(x) / T) * w
    bond = np.exp(-spring(x[:, None] - x) / T)
    left, logs = [np.ones(nodes)], 0.0
    for _ in range(count - 1):
        following = (left[-1] * local) @ bond
        logs += np.log(following.max())
        left.append(following / following.max())
    right = [np.ones(nodes)]
    for _ in range(count - 1):
        following = bond @ (right[-1] * local)
        right.append(following / following.max())
    right.reverse()
    means, covariance = np.empty(count), np.empty((count, count))
    for i in range(count):
        weight = left[i] * local * right[i]
        means[i] = weight @ x / weight.sum()
    for i in range(count):
        plain = left[i] * local
        carried = plain * (x - means[i])
        for j in range(i, count):
            if j > i:
                carried, plain = (carried @ bond) * local, (plain @ bond) * local
            covariance[i, j] = covariance[j, i] = carried @ (right[j] * (x - means[j])) / (plain @ right[j])
    return means, covariance, -T * (logs + np.log(left[-1] @ local))


@pytest.mark.slow
def test_a_chain_of_64_double_wells_is_that_of_transfer_matrices():
    names, T = named(64), 0.5
    wells = " + ".join(f"({a}**2 - 1)**2 + 0.1*{a}" for a in names)
    law = boltzmann_law(Langevin(f"{wells} + {springs(names)}", names, T))
    means, covariance, free = by_transfer(64, lambda x: (x**2 - 1) ** 2 + 0.1 * x, lambda d: 0.5 * d**2, T)
    assert law.exact
    assert law.gap <= 1e-9
    assert abs(law.mean - means).max() <= 1e-10
    assert abs(law.covariance - covariance).max() <= 1e-10
    assert law.free_energy == pytest.approx(free, rel=1e-11)


@pytest.mark.slow
def test_a_harmonic_chain_of_64_has_the_covariance_of_its_green_s_function():
    """Of 0.3 x² each and springs ½ (x − y)²: T times the inverse of a tridiagonal matrix, by its cosines."""
    names, T, n = named(64), 0.7, 64
    problem = Langevin(" + ".join(f"0.3*{a}**2" for a in names) + " + " + springs(names), names, T)
    waves = np.pi * np.arange(n) / n
    modes = np.cos(np.outer(np.arange(n) + 0.5, waves)) * np.where(waves > 0, np.sqrt(2 / n), np.sqrt(1 / n))
    exact = T * (modes / (0.6 + 2 - 2 * np.cos(waves))) @ modes.T
    law = boltzmann_law(problem)
    assert law.method == "closed form"
    np.testing.assert_allclose(law.covariance, exact, atol=1e-13)
    # The same by elimination, which is not told that it is Gaussian.
    from analogflow.problems.terms import terms_of
    from analogflow.reference.langevin_elimination import eliminated

    summed = eliminated(problem, terms_of(problem))
    assert (abs(summed.covariance - exact) <= summed.covariance_gap + 1e-13).all()
    assert summed.covariance_gap.max() <= 1e-9


@pytest.mark.slow
def test_a_tree_of_forty_by_sums_from_its_leaves():
    """A node's children are 3k + 1, 3k + 2 and 3k + 3; its root's law by messages on a grid."""
    names, T = named(40), 0.6
    local = " + ".join(f"({a}**2 - 1)**2" for a in names)
    bonds = " + ".join(f"0.4*({names[k]} - {names[(k - 1) // 3]})**2" for k in range(1, 40))
    law = boltzmann_law(Langevin(f"{local} + {bonds} + 0.3*x0", names, T))
    x, w = np.polynomial.legendre.leggauss(200)
    x, w = 3.2 * x, 3.2 * w
    site, bond = np.exp(-((x**2 - 1) ** 2) / T), np.exp(-0.4 * (x[:, None] - x) ** 2 / T)

    def above(k):
        children = [c for c in (3 * k + 1, 3 * k + 2, 3 * k + 3) if c < 40]
        found = np.ones_like(x)
        for child in children:
            message = bond @ (w * site * above(child))
            found = found * message / message.max()
        return found

    weight = w * site * np.exp(-0.3 * x / T) * above(0)
    mean = weight @ x / weight.sum()
    assert law.method == "elimination"
    assert law.mean[0] == pytest.approx(mean, abs=1e-10)
    assert law.covariance[0, 0] == pytest.approx(weight @ (x - mean) ** 2 / weight.sum(), abs=1e-10)


def test_what_nothing_sums_is_refused_at_once_and_says_what_would_do():
    names = named(20)
    energy = " + ".join(f"{a}**4" for a in names) + " + 0.1*(" + " + ".join(names) + ")**4"
    problem = Langevin(energy, names, 0.5)
    with pytest.raises(BadInput, match=r"law of 20 variables .* still depends on 19, .* at most 16 variables, or one whose"):
        boltzmann_law(problem)
    with pytest.raises(BadInput, match="there are 65 variables; give from 1 to 64"):
        Langevin("+".join(f"{a}**2" for a in named(65)), named(65), 1.0)


def test_sums_may_be_long_but_not_without_end():
    names = named(2)
    long = " + ".join(["x0**2 + x1**2"] * 100)
    assert Langevin(long, names, 1.0).energy_at(np.ones(2)) == 200
    with pytest.raises(BadInput, match=r"it is a sum of 202 terms, and may have 200; split it by definitions"):
        Langevin(" + ".join(["x0**2 + x1**2"] * 101), names, 1.0)


def test_wells_of_many_variables_are_looked_at():
    names = named(20)
    wells = " + ".join(f"({a}**2 - 1)**2" for a in names)
    found = landscape(Langevin(f"{wells} + {springs(names)}", names, 0.5)).wells
    places = np.array([well.position for well in found])
    assert 2 <= len(found) <= 8
    np.testing.assert_allclose(abs(places[:2]), 1.0, atol=1e-9)  # all up, and all down
