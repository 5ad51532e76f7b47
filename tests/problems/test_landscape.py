"""Wells and barriers: printed values, SciPy's minimisers, closed forms and differences of slopes that are not ours."""

import itertools

import numpy as np
import pytest
from scipy.optimize import brentq, minimize

from analogflow.problems import Langevin
from analogflow.problems.landscape import hessian_at, landscape

MULLER_BROWN = " + ".join(
    f"({A})*exp(({a})*(x-({p}))**2 + ({b})*(x-({p}))*(y-({q})) + ({c})*(y-({q}))**2)"
    for A, a, b, c, p, q in (
        (-200, -1, 0, -10, 1, 0),
        (-100, -1, 0, -10, 0, 0.5),
        (-170, -6.5, 11, -6.5, -0.5, 1.5),
        (15, 0.7, 0.6, 0.7, -1, 1),
    )
)


@pytest.mark.parametrize("start", [[-0.558, 1.442], [0.6, 0.0], [0.0, 0.0]])
def test_the_surface_of_muller_and_brown_has_its_printed_wells_and_saddles(start):
    """K. Müller and L. D. Brown, Theor. Chim. Acta 53 (1979) 75: three minima, two saddles."""
    found = landscape(Langevin(MULLER_BROWN, ["x", "y"], 15.0, start=start))
    wells = [(-0.558, 1.442, -146.700), (0.623, 0.028, -108.167), (-0.050, 0.467, -80.768)]
    assert len(found.wells) == 3
    for well, (x, y, energy) in zip(found.wells, wells, strict=True):
        np.testing.assert_allclose([*well.position, well.energy], [x, y, energy], atol=1e-3)
        assert np.linalg.eigvalsh(well.hessian).min() > 0
    saddles = [((1, 2), 0.212, 0.293, -72.249), ((0, 2), -0.822, 0.624, -40.665)]
    for way, (_, x, y, energy) in zip(found.barriers, saddles, strict=True):
        assert way.saddle
        np.testing.assert_allclose([*way.position, way.energy], [x, y, energy], atol=1e-3)
        assert (np.linalg.eigvalsh(way.hessian) < 0).sum() == 1
    assert found.height(0, 1) == pytest.approx(-40.665, abs=1e-3)
    assert found.height(2, 1) == pytest.approx(-72.249, abs=1e-3)
    assert found.height(1, 1) == found.wells[1].energy


def test_wells_of_one_variable_are_the_zeros_of_its_slope():
    found = landscape(Langevin("x**2/20 + cos(3*x)", ["x"], 0.3))

    def slope(x):
        return x / 10 - 3 * np.sin(3 * x)

    grid = np.linspace(-29.987, 30.013, 60_001)
    zeros = [brentq(slope, a, b) for a, b in itertools.pairwise(grid) if slope(a) * slope(b) < 0]
    minima = [x for x in zeros if 0.1 - 9 * np.cos(3 * x) > 0]
    tops = [x for x in zeros if 0.1 - 9 * np.cos(3 * x) < 0]
    # Wells that hold more than e^-15 of the lowest one's share, and what lies between them.
    deep = [x for x in minima if x**2 / 20 + np.cos(3 * x) < -0.95 + 15 * 0.3]
    wells, barriers = (np.sort([place.position[0] for place in places]) for places in (found.wells, found.barriers))
    np.testing.assert_allclose([x for x in wells if deep[0] - 0.1 < x < deep[-1] + 0.1], deep, atol=1e-9)
    between = [x for x in tops if deep[0] < x < deep[-1]]
    np.testing.assert_allclose([x for x in barriers if deep[0] < x < deep[-1]], between, atol=1e-9)
    assert all(way.saddle for way in found.barriers)


def test_every_local_minimum_that_scipy_meets_is_among_the_wells():
    names = ["a", "b", "c", "d"]
    rng = np.random.default_rng(5)
    couplings = " + ".join(f"{rng.normal() * 0.4!r}*{p}*{q}" for p, q in zip(names, names[1:] + names[:1], strict=True))
    problem = Langevin(" + ".join(f"({x}**2 - 1)**2" for x in names) + " + " + couplings, names, 0.2)
    found = landscape(problem)
    for start in rng.normal(size=(40, 4)):
        end = minimize(problem.energy_at, start, jac=problem.gradient_at, method="BFGS", options={"gtol": 1e-9}).x
        assert min(float(abs(well.position - end).max()) for well in found.wells) < 1e-6


@pytest.mark.parametrize(
    ("text", "position", "near"),
    [("2000*(x - 0.5)**6", 0.5, 2e-3), ("5000*x**2", 0, 1e-9), ("1e-6*(x - 300)**2", 300, 1e-6)],
)
def test_flat_stiff_and_distant_wells_are_found(text, position, near):
    found = landscape(Langevin(text, ["x"], 1.0))
    assert [well.position[0] for well in found.wells] == pytest.approx([position], abs=near)
    assert found.wells[0].energy <= 1e-14
    assert found.barriers == ()


def test_hessians_are_differences_of_slopes():
    problem = Langevin("exp(x*y/3) + sqrt(1 + x**2)*y**4 + tanh(x - y) + cos(y)*sin(x) + log(2 + x**2)", ["x", "y"], 1.0)
    x = np.random.default_rng(3).normal(size=(7, 2))
    step = 1e-5
    rows = [(problem.gradient_at(x + step * e) - problem.gradient_at(x - step * e)) / (2 * step) for e in np.eye(2)]
    np.testing.assert_allclose(hessian_at(problem, x), np.stack(rows, axis=-1), rtol=1e-7, atol=1e-7)


@pytest.mark.slow
def test_a_chain_of_double_wells_keeps_its_lowest_wells_only():
    names = [f"x{k}" for k in range(12)]
    text = " + ".join(f"({a}**2-1)**2" for a in names) + "".join(
        f" + 0.3*({a}-{b})**2" for a, b in itertools.pairwise(names)
    )
    found = landscape(Langevin(text, names, 0.3))
    assert len(found.wells) == 64
    np.testing.assert_allclose(np.abs(found.wells[0].position), 1.0, atol=1e-8)
    np.testing.assert_allclose(found.wells[1].position, -found.wells[0].position, atol=1e-8)
    assert np.isfinite(found.height(0, 1))
