"""Narrow wells, far from where descents begin: held against integrals of this file and SciPy's minimisers."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

from analogflow.flows.relaxation import time_scales_of
from analogflow.problems import Langevin
from analogflow.problems.landscape import landscape
from analogflow.problems.well_places import narrow_places
from analogflow.reference import boltzmann_law

FOUR = ["a", "b", "c", "d"]
ROUND = "(a**2 + b**2 + c**2 + d**2)/2"
FIVE = [f"x{k}" for k in range(5)]
CHAIN = " + ".join(f"({a} - {b})**2/2" for a, b in pairwise(FIVE)) + "".join(f" + {a}**2/2" for a in FIVE)


def around(place):
    return " + ".join(f"({name} - {place})**2" for name in FOUR)


def panels(*edges, nodes=60):
    """Gauss's rule between each two edges, halved into eight."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    cuts = np.concatenate([np.linspace(a, b, 9)[:-1] for a, b in pairwise(edges)] + [[edges[-1]]])
    half, middle = np.diff(cuts)[:, None] / 2, (cuts[1:] + cuts[:-1])[:, None] / 2
    return (middle + half * x).ravel(), (half * w).ravel()


def mean_of_four(depth, narrowness, place):
    """Of a round energy with a round well on the diagonal: over that, and the distance r from it, in shells of 4 π r²."""
    far = 2 * place
    s, ws = panels(-9, far - 0.8, far, far + 0.8, far + 9)
    r, wr = panels(0, 0.8, 9)
    energy = (s[:, None] ** 2 + r**2) / 2 - depth * np.exp(-narrowness * ((s[:, None] - far) ** 2 + r**2))
    weight = np.exp(energy.min() - energy) * ws[:, None] * wr * r**2
    return float((weight.sum(axis=1) @ s) / weight.sum() / 2)


@pytest.mark.slow
@pytest.mark.parametrize("well", ["30*exp(-200*((x0-3)**2 + (x1-3)**2))", "30/(1 + 1000*(x0-3)**2)"])
def test_a_chain_with_a_narrow_well_in_one_or_two_variables_has_its_mean_by_integration(well):
    law = boltzmann_law(Langevin(f"{CHAIN} - {well}", FIVE, 1.0))
    bond = 2 * np.eye(5) + np.diag([0, 1, 1, 1, 0]) - np.eye(5, k=1) - np.eye(5, k=-1)
    # What is Gaussian besides the first two variables is integrated by a formula.
    carried = -np.linalg.solve(bond[2:, 2:], bond[2:, :2])
    inner = bond[:2, :2] + bond[:2, 2:] @ carried
    x, w = panels(-8, 2.7, 2.95, 3, 3.05, 3.3, 9)
    u, v = x[:, None], x
    square = (u - 3) ** 2 + (v - 3) ** 2
    hole = 30 * np.exp(-200 * square) if "exp" in well else 30 / (1 + 1000 * (u - 3) ** 2)
    energy = (inner[0, 0] * u**2 + 2 * inner[0, 1] * u * v + inner[1, 1] * v**2) / 2 - hole
    weight = np.exp(energy.min() - energy) * w[:, None] * w
    first = np.array([(weight.sum(axis=1) @ x), (weight.sum(axis=0) @ x)]) / weight.sum()
    mean = np.concatenate([first, carried @ first])
    assert mean[0] > 2.9
    assert law.exact
    assert law.gap < 1e-3
    assert (abs(law.mean - mean) <= law.mean_gap + 1e-9).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "narrowness", "place"),
    [(20, 4, 2.5), pytest.param(40, 20, 4, marks=pytest.mark.slow), pytest.param(60, 20, 4, marks=pytest.mark.slow)],
)
def test_what_is_said_of_four_variables_with_a_narrow_well_holds_the_mean_by_integration(depth, narrowness, place):
    problem = Langevin(f"{ROUND} - {depth}*exp(-{narrowness}*({around(place)}))", FOUR, 1.0)
    mean = mean_of_four(depth, narrowness, place)
    lowest = minimize(problem.energy_at, np.full(4, place), jac=problem.gradient_at, method="BFGS", options={"gtol": 1e-9})
    well = landscape(problem).wells[0]
    np.testing.assert_allclose(well.position, lowest.x, atol=1e-6)
    assert well.energy <= lowest.fun + 1e-9
    law = boltzmann_law(problem)
    assert (abs(law.mean - mean) <= law.mean_gap).all()
    assert not law.exact or law.gap < abs(mean)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("x**2 - 20*exp(-1000*(x-3)**2)", 3),
        ("x**2/2 - 72.8*exp(-200*(x-12)**2)", 12),
        ("x**2/2 - 30/(1 + 1000*(x-3)**2)", 3),
        ("x**2/2 - 60*exp(-100*(x-7)**2)*(1 + 1/(1 + (x-7)**2))/2", 7),
        ("x**2/2 - 30*(1 - tanh(30*(x-4))**2)", 4),
    ],
)
def test_time_scales_of_one_variable_know_of_a_narrow_well_and_of_its_share(text, near):
    problem = Langevin(text, ["x"], 1.0)
    floor = landscape(problem).wells[0].energy

    def density(x):
        return float(np.exp(floor - problem.energy_at(np.array([x]))))

    edges = [-20, near - 0.3, near, near + 0.3, near + 20]
    shares = np.array([quad(density, a, b, limit=400, epsabs=0)[0] for a, b in pairwise(edges)])
    inside = (shares[1] + shares[2]) / shares.sum()
    wells, scales = landscape(problem).wells, time_scales_of(problem)
    found = sum(scales.weights[k] for k, well in enumerate(wells) if abs(well.position[0] - near) < 0.1)
    assert any(abs(well.position[0]) < 0.1 for well in wells)
    assert found == pytest.approx(inside, rel=0.35)
    # The curvature there is what knots must resolve.
    if inside > 0.5:
        bend = float(-quad(lambda x: problem.gradient_at(np.array([x]))[0] ** 2 * density(x), near - 0.3, near + 0.3)[0])
        assert scales.fastest == pytest.approx(-bend / shares[1:3].sum(), rel=0.5)


def test_wells_of_products_and_of_several_variables_at_once_are_found():
    product = Langevin(f"{ROUND} - 60*exp(-20*(a-4)**2)*exp(-20*(b-4)**2)/exp(20*(c-4)**2 + 20*(d-4)**2)", FOUR, 1.0)
    np.testing.assert_allclose(landscape(product).wells[0].position, 4, atol=0.01)
    holes = "".join(f" + {name}**2/2 - 10*exp(-100*({name} - 3)**2)" for name in FOUR)
    springs = " + ".join(f"({p} - {q})**2/20" for p, q in pairwise(FOUR))
    found = landscape(Langevin(springs + holes, FOUR, 1.0))
    assert len(found.wells) == 16
    np.testing.assert_allclose(found.wells[0].position, 3, atol=0.01)


def test_a_bent_valley_in_an_exponential_is_found_where_it_is_least():
    problem = Langevin("x**2/2 + y**2/2 - 40*exp(-300*((x**2 + y - 6)**2 + (x - y)**2))", ["x", "y"], 1.0)
    lowest = minimize(problem.energy_at, [2.0, 2.0], jac=problem.gradient_at, method="BFGS").x
    assert min(float(abs(well.position - lowest).max()) for well in landscape(problem).wells) < 1e-5


def test_a_polynomial_has_no_narrow_places_and_waves_have_none():
    assert narrow_places(Langevin("(x**2 - 1)**2/3 + 0.3*x + (x - y)**2", ["x", "y"], 0.5)) == ()
    assert narrow_places(Langevin("x**2/2 + cos(3*x)", ["x"], 0.5)) == ()
