"""Boltzmann laws by quadrature against closed forms, and against a Fokker-Planck equation that does not know them."""

import ast
import dataclasses
import itertools
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.special import gamma, k0

from analogflow.errors import BadInput
from analogflow.problems import Langevin
from analogflow.problems.expression import derivative
from analogflow.problems.terms import terms_of
from analogflow.reference import boltzmann_law, conditional_free_energy, fokker_planck
from analogflow.reference.langevin import shares_between
from analogflow.reference.langevin_elimination import eliminated
from analogflow.reference.langevin_intervals import ranges_of
from analogflow.reference.langevin_lattice import lattice_integrals

WELL = Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], 0.5)
WARM = Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], 0.5, "1 + 0.5*x**2 + 0.3*x")
COUPLED = Langevin("0.5*x**2 + y**4/4 + 0.5*x*y", ["x", "y"], 0.4, ["1 + 0.5*tanh(y)", "1.5 + x**2"])


def test_quartic_moments_are_gamma_functions():
    law = boltzmann_law(Langevin("x**4", ["x"], 1.0))
    assert law.mean == pytest.approx(0, abs=1e-14)
    assert law.covariance[0, 0] == pytest.approx(gamma(0.75) / gamma(0.25), rel=1e-12)
    assert law.free_energy == pytest.approx(-math.log(2 * gamma(1.25)), rel=1e-12)
    assert law.gap <= 1e-12


def test_quadratic_energies_of_many_variables_have_closed_laws():
    rng = np.random.default_rng(4)
    names = [f"x{k}" for k in range(6)]
    root = rng.normal(size=(6, 6))
    hessian = root @ root.T + np.eye(6)
    energy = " + ".join(f"{float(0.5 * hessian[i, j])!r}*{a}*{b}" for i, a in enumerate(names) for j, b in enumerate(names))
    law = boltzmann_law(Langevin(f"{energy} - 2*x0", names, 0.7))
    np.testing.assert_allclose(law.covariance, 0.7 * np.linalg.inv(hessian), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(law.mean, np.linalg.solve(hessian, [2, 0, 0, 0, 0, 0]), rtol=1e-10, atol=1e-13)
    assert law.gap <= 1e-12


def test_quadratic_law_is_that_of_quadrature():
    """A term of 1e-9 x⁴ sends the same law through the grid."""
    near, exact = (boltzmann_law(Langevin(f"x**2 - 0.3*x*y + y**2{more}", ["x", "y"], 0.5)) for more in (" + 1e-9*x**4", ""))
    np.testing.assert_allclose(near.covariance, exact.covariance, atol=1e-8)
    assert near.free_energy == pytest.approx(exact.free_energy, abs=1e-8)


@pytest.mark.parametrize(
    ("text", "energy", "T"),
    [
        ("cosh(x)", np.cosh, 1.0),
        ("cosh(x)", np.cosh, 0.01),
        ("sinh(x)**2", lambda x: np.sinh(x) ** 2, 0.5),
        ("log(cosh(x))*3", lambda x: 3 * np.log(np.cosh(x)), 1.0),
        ("cosh(3*x + 1) - x", lambda x: np.cosh(3 * x + 1) - x, 0.3),
        ("x**2/2 - 2/cosh(3*(x - 2))", lambda x: x**2 / 2 - 2 / np.cosh(3 * (x - 2)), 0.2),
    ],
)
def test_hyperbolic_energies_have_the_laws_of_quadrature(text, energy, T):
    law = boltzmann_law(Langevin(text, ["x"], T))
    least = energy(np.linspace(-3, 3, 60_001)).min()

    def moment(power):
        def share(x):
            return x**power * np.exp((least - energy(x)) / T)

        return quad(share, -15, 15, points=[-2, -0.3, 0, 0.3, 2], limit=400, epsabs=1e-13)[0]

    whole, first, second = map(moment, range(3))
    mean = first / whole
    assert law.gap <= 1e-9
    assert law.mean[0] == pytest.approx(mean, abs=1e-8)
    assert law.covariance[0, 0] == pytest.approx(second / whole - mean**2, rel=1e-7)
    assert law.free_energy == pytest.approx(least - T * math.log(whole), rel=1e-8, abs=1e-9)


def test_laws_of_cosh_are_those_of_bessel_functions_and_secants():
    """∫ e^(−cosh x) = 2 K₀(1), ∫ sech³ x = π/2."""
    assert boltzmann_law(Langevin("cosh(x)", ["x"], 1.0)).free_energy == pytest.approx(-math.log(2 * k0(1)), rel=1e-12)
    assert boltzmann_law(Langevin("log(cosh(x))*3", ["x"], 1.0)).free_energy == pytest.approx(
        -math.log(math.pi / 2), rel=1e-12
    )


def test_a_hyperbolic_energy_of_two_variables_has_the_law_of_quadrature():
    law = boltzmann_law(Langevin("cosh(x - y) + sinh(x)**2", ["x", "y"], 1.0))

    def moment(p, q):
        def share(y, x):
            return x**p * y**q * np.exp(1 - np.cosh(x - y) - np.sinh(x) ** 2)

        return dblquad(share, -3, 3, lambda x: x - 5, lambda x: x + 5, epsabs=1e-9)[0]

    whole = moment(0, 0)
    assert law.covariance[0, 1] == pytest.approx(moment(1, 1) / whole, abs=1e-6)
    assert law.covariance[1, 1] == pytest.approx(moment(0, 2) / whole, abs=1e-6)
    assert law.gap <= 1e-6


@pytest.mark.parametrize("text", ["cosh(x)", "sinh(x)", "sinh(x)**2 - cosh(2*x - 1)", "1/cosh(x)", "log(cosh(x))"])
def test_ranges_of_hyperbolic_functions_hold_all_values_and_slopes_and_of_one_function_no_more(text):
    rng = np.random.default_rng(2)
    ends = np.sort(rng.normal(size=(200, 2)) * rng.choice([0.01, 1, 5], size=(200, 1)), axis=1)
    expression = Langevin(f"{text} + 9*cosh(3*x)", ["x"], 1.0).energy
    formula = dataclasses.replace(expression, text=text, tree=ast.parse(text, mode="eval").body)
    found, slopes = ranges_of(formula, ("x",), ends[:, :1], ends[:, 1:])
    within = np.linspace(ends[:, 0], ends[:, 1], 1001)
    values, steep = formula.evaluate({"x": within}), derivative(formula, "x", "x").evaluate({"x": within})
    (own,) = slopes()
    room = 1e-13 * (1 + abs(steep).max(axis=0))
    assert (own.low <= steep.min(axis=0) + room).all()
    assert (own.high >= steep.max(axis=0) - room).all()
    slack = 1e-14 * (1 + abs(values).max(axis=0))
    assert (found.low <= values.min(axis=0) + slack).all()
    assert (found.high >= values.max(axis=0) - slack).all()
    if text in ("cosh(x)", "sinh(x)"):
        np.testing.assert_allclose(found.low, values.min(axis=0), atol=2e-3)
        np.testing.assert_allclose(found.high, values.max(axis=0), rtol=1e-12)


def test_three_variables_are_integrated():
    law = boltzmann_law(Langevin("x**4 + y**2 + z**2 + 0.5*x*z", ["x", "y", "z"], 1.0))
    assert law.covariance[1, 1] == pytest.approx(0.5, rel=1e-9)
    assert law.gap <= 1e-9


@pytest.mark.parametrize("T", [1e-2, 1e-4, 1e-8, 1e-20])
def test_a_cold_law_of_three_variables_is_integrated(T):
    """Quartic wells that do not know of each other: each is Gaussian but for terms of order T."""
    law = boltzmann_law(Langevin("x**2/2 + x**4/4 + y**2 + y**4/4 + 2*z**2 + z**4/4", ["x", "y", "z"], T))
    assert law.mean_gap.max() <= 1e-6 * T**0.5
    assert law.covariance_gap.max() <= 1e-6 * T
    first = T * np.array([1.0, 0.5, 0.25]) * (1 - 3 * T * np.array([1.0, 0.25, 0.0625]))
    np.testing.assert_allclose(np.diag(law.covariance), first, rtol=30 * T**2 + 1e-8)


@pytest.mark.parametrize("problem", [WELL, WARM], ids=["constant mobility", "mobility of the state"])
def test_fokker_planck_ends_at_the_law_of_quadrature(problem):
    exact = boltzmann_law(problem)
    errors = []
    for points in (100, 200, 400):
        grid = fokker_planck(problem, points)
        mean, covariance = grid.moments(grid.stationary())
        errors.append(max(abs(mean - exact.mean).max(), abs(covariance - exact.covariance).max()))
    assert errors[-1] < 1e-3
    assert errors[0] / errors[1] > 3
    assert errors[1] / errors[2] > 3


def test_in_two_dimensions_too():
    grid, exact = fokker_planck(COUPLED, 70), boltzmann_law(COUPLED)
    mean, covariance = grid.moments(grid.stationary())
    assert abs(mean - exact.mean).max() < 5e-3
    assert abs(covariance - exact.covariance).max() < 1e-2


def test_without_the_divergence_of_the_mobility_the_law_is_another():
    """Theorem 8 as it is often written, without T div K."""
    exact = boltzmann_law(WARM)
    grid = fokker_planck(WARM, 400, drift_by_mobility=False)
    mean, covariance = grid.moments(grid.stationary())
    assert max(abs(mean - exact.mean).max(), abs(covariance - exact.covariance).max()) > 0.05


def test_a_turning_motion_has_the_same_law_and_a_current_without_divergence():
    """Theorem 22 as printed asks for a constant current; a turning one, of no divergence, is enough."""
    still, turning = (Langevin("0.5*x**2 + 0.5*y**2", ["x", "y"], 1.0, [[1.0, a], [-a, 1.0]]) for a in (0.0, 2.0))
    errors = []
    for points in (50, 100):
        grid = fokker_planck(turning, points)
        errors.append(abs(grid.moments(grid.stationary())[1] - boltzmann_law(still).covariance).max())
    assert errors[1] < 0.025
    assert errors[0] / errors[1] > 3
    x, y = 0.7, -0.4
    current = np.array([-2.0 * y, 2.0 * x])  # J/p = (b − T ∇ ln p) of the turning motion: not constant
    assert abs(current).max() > 0.5
    drift = -turning.mobility_at(np.array([x, y])) @ turning.gradient_at(np.array([x, y]))
    np.testing.assert_allclose(drift - (-np.array([x, y])), current)


@pytest.mark.slow
@pytest.mark.parametrize("problem", [WELL, WARM])
def test_free_energy_falls_to_that_of_the_law(problem):
    grid = fokker_planck(problem, 100)
    p = np.zeros(grid.shape)
    p[65] = 1.0
    energies = []
    for _ in range(12):
        p = grid.after(p, 0.5)
        assert p.min() > -1e-12
        assert p.sum() == pytest.approx(1, abs=1e-9)
        energies.append(grid.free_energy(np.maximum(p, 0)))
    assert (np.diff(energies) < 0).all()
    assert energies[-1] > boltzmann_law(problem).free_energy - 1e-3


@pytest.mark.parametrize(
    ("energy", "T", "edges"),
    [
        ("(x**2 - 1)**2 + 0.2*x", 0.1, [0.03]),
        ("cosh(x) - 3*cos(4*x)", 0.5, [-2.3, -0.8, 0.8, 2.3]),
        ("(x - 40)**2*(x + 30)**2/1e4", 1.0, [5.0]),
        ("x**2", 1.0, [-1.0, 0.5, 1e12]),
    ],
)
def test_shares_of_a_law_between_edges_are_those_of_quadrature(energy, T, edges):
    problem = Langevin(energy, ["x"], T)
    shares, gaps = shares_between(problem, edges)
    ends = np.clip([-60, *edges, 80], -60, 80)
    exact = np.array(
        [
            quad(lambda x: math.exp(-(float(problem.energy_at(np.array([x]))) + 3) / T), a, b, limit=500, epsabs=0)[0]
            for a, b in itertools.pairwise(ends)
        ]
    )
    exact /= exact.sum()
    assert abs(shares - exact).max() < 1e-10
    assert (abs(shares - exact) <= gaps + 1e-10 * exact + 1e-15).all()
    assert gaps.max() < 1e-12


def test_wells_so_narrow_that_a_rule_for_a_whole_line_meets_none_have_their_shares():
    """Wells of a width of 1e-4; `quad` from 0 to infinity finds nothing of them."""
    shares, gaps = shares_between(Langevin("1e4*(x**2 - 1)**2", ["x"], 1e-3), [0.0])
    assert shares == pytest.approx([0.5, 0.5], abs=1e-12)
    assert gaps.max() < 1e-12


def test_conditional_free_energy_is_the_least_over_the_hidden_variables():
    """Definition 10: F[p|v] ≥ −T ln Z(v), and over all v it gives back Z."""
    problem = Langevin("0.5*(v - h)**2 + h**4/4 + v**2/2", ["v", "h"], 0.6)
    values = np.linspace(-6, 6, 61)  # the sum over them converges geometrically
    least = np.array([conditional_free_energy(problem, {"v": v}) for v in values])
    total = -0.6 * math.log(np.exp(-least / 0.6).sum() * (values[1] - values[0]))
    assert total == pytest.approx(boltzmann_law(problem).free_energy, abs=1e-9)
    h = np.linspace(-6, 6, 4001)
    trial = np.exp(-0.5 * h**2) / math.sqrt(2 * math.pi)
    free = np.sum(trial * ((0.5 * (1.0 - h) ** 2 + h**4 / 4 + 0.5) + 0.6 * np.log(trial))) * (h[1] - h[0])
    assert free > conditional_free_energy(problem, {"v": 1.0})


def test_what_can_not_be_integrated_is_refused():
    with pytest.raises(BadInput, match=r"at temperature 0 there is no law"):
        boltzmann_law(Langevin("x**2", ["x"], 0.0))
    with pytest.raises(BadInput, match=r"a grid takes one or two variables, not 3"):
        fokker_planck(Langevin("x**2 + y**2 + z**2", list("xyz"), 1.0), 10)
    with pytest.raises(BadInput, match=r"must be diagonal on a grid"):
        fokker_planck(Langevin("x**2 + y**2", ["x", "y"], 1.0, [[1.0, 0.5], [0.5, 1.0]]), 10)
    with pytest.raises(BadInput, match=r"hold some of x, y, not z"):
        conditional_free_energy(Langevin("x**2 + y**2", ["x", "y"], 1.0), {"z": 0.0})


@pytest.mark.parametrize("start", [0.0, 1.0, -1.0])
def test_a_barrier_hides_no_well(start):
    """Wells 200 T apart in energy, from either of them: the law is even."""
    law = boltzmann_law(Langevin("100*(x**2 - 1)**2", ["x"], 0.5, start=[start]))
    assert law.mean[0] == pytest.approx(0, abs=1e-10)
    assert law.covariance[0, 0] == pytest.approx(0.99874, abs=1e-4)


def names_of(count):
    return [f"x{k}" for k in range(count)]


def gaussian(rng, pairs, count):
    """A quadratic energy with couplings of some pairs, and its Hessian."""
    hessian = np.diag(rng.uniform(0.5, 2.0, count))
    text = [f"{float(hessian[k, k]) / 2!r}*x{k}**2" for k in range(count)]
    for i, j in pairs:
        c = float(rng.uniform(0.1, 20.0))
        hessian[[i, j], [i, j]] += c
        hessian[[i, j], [j, i]] -= c
        text.append(f"{c / 2!r}*(x{i} - x{j})**2")
    return " + ".join(text), hessian


@pytest.mark.parametrize(
    ("pairs", "count"),
    [
        ([(k, k + 1) for k in range(15)], 16),
        ([(0, k) for k in range(1, 8)] + [(7, 8), (8, 9), (3, 10)], 11),
        ([(k, (k + 1) % 9) for k in range(9)], 9),
    ],
    ids=["a chain", "a tree", "a ring"],
)
def test_elimination_finds_gaussian_laws(pairs, count):
    """Means, the whole covariance and free energy of laws that have closed forms, which elimination is not told."""
    text, hessian = gaussian(np.random.default_rng(count), pairs, count)
    problem = Langevin(f"{text} - 0.7*x0", names_of(count), 0.6)
    found = eliminated(problem, terms_of(problem))
    covariance = 0.6 * np.linalg.inv(hessian)
    mean = 0.7 * covariance[0] / 0.6
    free = -0.5 * mean[0] * 0.7 - 0.3 * (count * math.log(2 * math.pi * 0.6) - np.linalg.slogdet(hessian)[1])
    assert (abs(found.covariance - covariance) <= found.covariance_gap + 1e-14).all()
    assert (abs(found.mean - mean) <= found.mean_gap + 1e-14).all()
    assert abs(found.free_energy - free) <= found.free_gap + 1e-13
    assert max(found.mean_gap.max(), found.covariance_gap.max(), found.free_gap) <= 1e-9


@pytest.mark.slow
def test_elimination_lattice_and_boxes_agree_where_wells_are_coupled():
    text = "(x**2 - 1)**2 + 3*(x - y)**2 + y**4 + 0.3*(y - z)**2 + z**2 + 0.2*z*x"
    problem = Langevin(text, ["x", "y", "z"], 0.3)
    boxes, other = boltzmann_law(problem), eliminated(problem, terms_of(problem))
    assert boxes.method == "boxes"
    np.testing.assert_allclose(other.mean, boxes.mean, atol=1e-9)
    np.testing.assert_allclose(other.covariance, boxes.covariance, atol=1e-9)
    assert other.free_energy == pytest.approx(boxes.free_energy, abs=1e-9)
    sums = lattice_integrals(problem)
    assert -0.3 * math.log(sums.values[0]) + sums.least == pytest.approx(boxes.free_energy, abs=1e-9)


def test_groups_that_know_nothing_of_each_other_are_taken_apart():
    law = boltzmann_law(Langevin("a**4 + b**4 + (c - d)**2 + c**2 + 0.1*c**4 + e**2 + f**6", list("abcdef"), 1.0))
    assert law.exact
    assert set(law.method.split(" + ")) == {"boxes", "closed form"}
    quartic, sextic = gamma(0.75) / gamma(0.25), gamma(0.5) / gamma(1 / 6)
    np.testing.assert_allclose(np.diag(law.covariance)[[0, 1, 4, 5]], [quartic, quartic, 0.5, sextic], rtol=1e-11)
    assert law.covariance[0, 1] == 0
    assert law.covariance[2, 3] > 0.1
    pair = boltzmann_law(Langevin("(c - d)**2 + c**2 + 0.1*c**4", ["c", "d"], 1.0))
    rest = sum(boltzmann_law(Langevin(text, ["x"], 1.0)).free_energy for text in ("x**4", "x**4", "x**2", "x**6"))
    assert law.free_energy == pytest.approx(pair.free_energy + rest, abs=1e-10)


def test_four_variables_that_all_know_of_each_other_are_summed_on_a_lattice():
    """x = R u with independent quartics u, turned so that all are coupled: moments are Gamma functions."""
    rng = np.random.default_rng(2)
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    names = ["a", "b", "c", "d"]
    parts = ["(" + " + ".join(f"{float(w)!r}*{n}" for w, n in zip(row, names, strict=True)) + ")**4" for row in turn]
    law = boltzmann_law(Langevin(" + ".join(parts), names, 1.0))
    assert law.method == "lattice"
    right = gamma(0.75) / gamma(0.25) * np.eye(4)
    assert (abs(law.covariance - right) <= law.covariance_gap + 1e-14).all()
    assert abs(law.free_energy + 4 * math.log(2 * gamma(1.25))) <= law.gap <= 1e-7


@pytest.mark.slow
def test_what_nothing_integrates_is_sampled_and_says_so():
    """Seven quartics, turned: too many for a lattice, and each knows of all others."""
    rng = np.random.default_rng(3)
    turn, _ = np.linalg.qr(rng.normal(size=(7, 7)))
    names = list("abcdefg")
    parts = ["(" + " + ".join(f"{w:.12f}*{n}" for w, n in zip(row, names, strict=True)) + ")**4" for row in turn]
    law = boltzmann_law(Langevin(" + ".join(parts), names, 1.0))
    assert law.method == "chains"
    assert not law.exact
    assert law.mixing < 1.05
    right = gamma(0.75) / gamma(0.25) * np.eye(7)
    assert (abs(law.covariance - right) <= law.covariance_gap).all()
    assert (abs(law.mean) <= law.mean_gap).all()
    assert abs(law.free_energy + 7 * math.log(2 * gamma(1.25))) <= 5 * law.free_error
    assert law.mean_error.max() < 0.03


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x**4 + y**2 + z**2 + 0.5*x*z + 0.1*x*y*z", "xyz"),
        ("x**4 + y**2 - 3*x**2*y", "xy"),
        ("x**4 + y**4 - 3*x**2*y**2", "xy"),
    ],
)
def test_an_energy_that_falls_without_end_in_a_bent_way_is_refused(text, names):
    with pytest.raises(BadInput, match=r"energy is lower near .* it is not bounded below"):
        Langevin(text, list(names), 1.0)


@pytest.mark.parametrize("text", ["(x - 20)**2 + (x - 20)**4/1000", "(x - 20)**2"])
def test_a_mobility_that_is_not_positive_where_the_law_is_is_refused(text):
    with pytest.raises(BadInput, match=r"mobility is not positive at x = .*, where the law has weight"):
        boltzmann_law(Langevin(text, ["x"], 1.0, mobility="1 - 0.1*x"))


@pytest.mark.parametrize(
    ("text", "names", "mobility", "place"),
    [
        ("x**2/2", "x", "(x - 0.3)**2", "x = 0.3,"),
        ("x**2/2 + x**4/9", "x", "(x - 0.3)**2", "x = 0.3,"),
        ("x**2/2", "x", "(x - 0.3)**4", "x = 0.3,"),
        ("x**2/2", "x", "tanh(x - 0.3)**2", "x = 0.3,"),
        ("x**2/2", "x", "1 + sin(5*x + 0.2)", r"x = -0\.354,|x = 0\.902,"),
        ("x**2/2 + y**2", "xy", ["1 + y**2", "(x - 0.3)**2"], r"mobility of y falls to 0 at x = 0\.3, y = "),
    ],
)
def test_a_mobility_that_touches_0_where_the_law_is_is_refused(text, names, mobility, place):
    with pytest.raises(BadInput, match=r"falls to 0 at .*where the law has weight") as caught:
        boltzmann_law(Langevin(text, list(names), 1.0, mobility=mobility))
    assert re.search(place, str(caught.value))


@pytest.mark.parametrize(
    "mobility", ["(x - 0.3)**2 + 0.001", "exp(-x**2)", "(x - 9)**2", "1/(1 + x**2)", "1 + 0.999*sin(5*x)", "2 + tanh(x)"]
)
def test_a_mobility_that_is_small_or_touches_0_where_the_law_is_not_is_let_stand(mobility):
    assert boltzmann_law(Langevin("x**2/2", ["x"], 1.0, mobility=mobility)).covariance[0, 0] == pytest.approx(1)


def test_the_law_of_a_polynomial_needs_no_formula_of_its_slope():
    code = (
        "import sys; import analogflow as af; from analogflow.reference import boltzmann_law\n"
        "law = boltzmann_law(af.Langevin('x**4/4 - x**2/2', ['x'], 0.1))\n"
        "print(law.covariance[0, 0], 'sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    variance, loaded = done.stdout.split()
    weights = np.exp(-(np.linspace(-4, 4, 4001) ** 4 / 4 - np.linspace(-4, 4, 4001) ** 2 / 2) / 0.1)
    assert float(variance) == pytest.approx(weights @ np.linspace(-4, 4, 4001) ** 2 / weights.sum(), rel=1e-12)
    assert loaded == "False"
