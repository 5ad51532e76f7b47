"""Random laws against integrals that are not ours: the error of every number of a reference is within its bound.

Wells, flat and steep walls, springs, turned against each other in up to four variables at a time, chains and rings in up to
six, and bent valleys. The quick run takes a few of each, ``--slow`` with sweeps five hundred.
"""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad

from analogflow import Hopfield, Langevin
from analogflow.reference import boltzmann_law, hopfield_reference

SWEEP = (pytest.mark.slow, pytest.mark.sweep)
NAMES = list("abcdef")


def numbers(quick, all_of_them):
    return pytest.mark.parametrize(
        "number", [*range(quick), *(pytest.param(k, marks=SWEEP) for k in range(quick, all_of_them))]
    )


def holds(law, mean, covariance, free=None, T=1.0):
    """Whether bounds hold the errors, up to the rounding of the witness, and are narrow enough to be worth something."""
    assert law.exact
    widths = np.sqrt(np.diag(covariance))
    squares = np.outer(widths, widths)
    size = widths + abs(np.asarray(mean))
    assert (abs(law.mean - mean) <= law.mean_gap + 1e-11 * size).all()
    assert (abs(law.covariance - covariance) <= law.covariance_gap + 1e-10 * squares + 1e-14 * np.outer(size, size)).all()
    assert (law.mean_gap / widths).max() <= 1e-4
    assert (law.covariance_gap / squares).max() <= 1e-4
    if free is not None:
        assert abs(law.free_energy - free) <= law.gap + 1e-11 * (abs(free) + T)


def profile(rng, T):
    """One energy of one variable, as text in X and as a function, its free energy, mean and variance by QUADPACK."""
    kind, scale = rng.integers(5), float(np.round(10 ** rng.uniform(-1, 1), 3))
    tilt = float(np.round(0.2 * rng.normal(), 3))
    text, function, reach = [
        (f"(X**2-{scale})**2/{scale} + {tilt}*X", lambda x: (x * x - scale) ** 2 / scale + tilt * x, 3 * scale**0.5 + 3),
        (f"{scale}*X**4", lambda x: scale * x**4, 8 * (T / scale) ** 0.25),
        (f"{scale}*(X-{tilt})**6", lambda x: scale * (x - tilt) ** 6, 1 + 6 * (T / scale) ** (1 / 6)),
        (f"{scale}*X**2/2 + {tilt}*X", lambda x: scale * x * x / 2 + tilt * x, 1 + 12 * (T / scale) ** 0.5),
        (f"X**2/4 + cos(2*X + {tilt})", lambda x: x * x / 4 + np.cos(2 * x + tilt), 20 * T**0.5 + 4),
    ][kind]
    least = float(function(np.linspace(-reach, reach, 20_001)).min())
    found = []
    for power in range(3):
        edges = np.linspace(-reach, reach, 25)
        found.append(
            sum(
                quad(lambda x, p: x**p * math.exp(-(function(x) - least) / T), a, b, (power,), epsabs=0, epsrel=1e-13)[0]
                for a, b in itertools.pairwise(edges)
            )
        )
    mean = found[1] / found[0]
    return text, mean, found[2] / found[0] - mean**2, least - T * math.log(found[0])


@pytest.mark.few(4)
@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@numbers(8, 250)
def test_turned_products_of_one_variable(number):
    rng = np.random.default_rng([1, number])
    n, T = 1 + number % 6, float(np.round(10 ** rng.uniform(-0.7, 0.3), 3))
    sizes, left = [], n
    while left:
        sizes.append(int(min(left, rng.integers(1, 5 if number % 2 else 3))))
        left -= sizes[-1]
    texts, first, turn, mean, variance, free = [], 0, np.zeros((n, n)), [], [], 0.0
    for size in sizes:
        own = NAMES[first : first + size]
        block, _ = np.linalg.qr(rng.normal(size=(size, size)))
        block = block if size > 1 else np.eye(1)
        turn[first : first + size, first : first + size] = block
        for row in block:
            text, m, v, f = profile(rng, T)
            new = "(" + " + ".join(f"{float(w)!r}*{name}" for w, name in zip(row, own, strict=True)) + ")"
            texts.append(text.replace("X", new))
            mean.append(m)
            variance.append(v)
            free += f
        first += size
    law = boltzmann_law(Langevin(" + ".join(texts), NAMES[:n], T))
    holds(law, turn.T @ mean, turn.T @ np.diag(variance) @ turn, free, T)


@pytest.mark.few(3)
@numbers(6, 120)
def test_chains_and_rings_of_wells(number):
    """Against matrices on an even grid, multiplied as they come."""
    rng = np.random.default_rng([2, number])
    n, T, ring = int(rng.integers(4, 7)), float(np.round(10 ** rng.uniform(-0.7, 0.3), 3)), number % 3 == 0
    tilts, springs = np.round(0.2 * rng.normal(size=n), 3), np.round(10 ** rng.uniform(-1.5, 1, n), 3)
    pairs = [(k, (k + 1) % n) for k in range(n if ring else n - 1)]
    text = " + ".join(f"({NAMES[k]}**2-1)**2 + {float(tilts[k])}*{NAMES[k]}" for k in range(n))
    text += "".join(f" + {float(springs[k])}*({NAMES[i]} - {NAMES[j]})**2" for k, (i, j) in enumerate(pairs))
    law = boltzmann_law(Langevin(text, NAMES[:n], T))
    x = np.linspace(-3.6, 3.6, 361)
    own = [np.exp(-((x**2 - 1) ** 2 + tilt * x + 0.3) / T) for tilt in tilts]
    links = [np.exp(-s * (x[:, None] - x) ** 2 / T) for s in springs]
    if not ring:
        links[-1] = np.ones_like(links[0])

    def total(powers):
        product = np.eye(len(x))
        for k in range(n):
            product = (product * (own[k] * x ** powers.count(k))) @ links[k]
        return np.trace(product) if ring else product[0, 0]

    def summed(powers):
        if ring:
            return total(powers)
        row = own[0] * x ** powers.count(0)
        for k in range(1, n):
            row = (row @ links[k - 1]) * own[k] * x ** powers.count(k)
        return row.sum()

    Z = summed(())
    mean = np.array([summed((k,)) for k in range(n)]) / Z
    second = np.array([[summed((i, j)) for j in range(n)] for i in range(n)]) / Z
    # Each own energy was lifted by 0.3 so that no number leaves the range.
    free = -T * (math.log(Z) + n * math.log(x[1] - x[0])) - 0.3 * n
    holds(law, mean, second - np.outer(mean, mean), free, T)


@numbers(4, 60)
def test_bent_valleys(number):
    """y = b x² + noise, turned: moments of Gaussians."""
    rng = np.random.default_rng([3, number])
    T, a, b, angle = 10 ** rng.uniform(-1, 0.5), 10 ** rng.uniform(0, 2), rng.uniform(0.2, 1.5), rng.uniform(0, 6.3)
    c, s = float(np.cos(angle)), float(np.sin(angle))
    u, v = f"({c!r}*a + {s!r}*b)", f"({-s!r}*a + {c!r}*b)"
    law = boltzmann_law(Langevin(f"({float(a)!r}*({v} - {float(b)!r}*{u}**2)**2 + (1 - {u})**2)/2", ["a", "b"], float(T)))
    R = np.array([[c, -s], [s, c]])
    mean = R @ [1.0, b * (1 + T)]
    covariance = R @ np.array([[T, 2 * b * T], [2 * b * T, b * b * (2 * T * T + 4 * T) + T / a]]) @ R.T
    holds(law, mean, covariance, -T * math.log(2 * math.pi * T / math.sqrt(a)), T)


@pytest.mark.slow
@numbers(1, 40)
def test_saturating_networks(number):
    """Two units and one or two, by the plain trapezoidal rule over all of them, from e^{−E/T} dg df."""
    rng = np.random.default_rng([4, number])
    n, m, T = 2, 1 + number % 2, float(rng.uniform(0.2, 1.5))
    U, I = rng.normal(size=(n, m)), 0.5 * rng.normal(size=n)  # noqa: E741
    found = hopfield_reference(Hopfield(U, I, [1.0] * n, [1.0] * m, "tanh", T))
    x = np.linspace(-14, 14, 71 if m == 2 else 141)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(*[x] * (n + m), indexing="ij")])
    y, log_cosh = np.tanh(grid), np.logaddexp(grid, -grid) - math.log(2)
    energy = (grid * y - log_cosh).sum(axis=0) - I @ y[:n] - np.einsum("ik,ij,jk->k", y[:n], U, y[n:])
    weights = np.exp(-energy / T - 2 * log_cosh.sum(axis=0))
    weights /= weights.sum()
    mean = grid @ weights
    covariance = (grid * weights) @ grid.T - np.outer(mean, mean)
    coarse = 2e-4 if m == 2 else 1e-7  # of the grid
    assert abs(found.mean - mean).max() <= found.gap + coarse
    assert abs(found.covariance - covariance).max() <= found.gap + 5 * coarse


@numbers(2, 30)
def test_linear_networks(number):
    rng = np.random.default_rng([5, number])
    n, m = rng.integers(1, 9, 2)
    U = rng.normal(size=(n, m))
    U *= rng.uniform(0.1, 0.99) / np.linalg.norm(U, 2)
    T = float(10 ** rng.uniform(-3, 1))
    found = hopfield_reference(Hopfield(U, rng.normal(size=n), temperature=T))
    hessian = np.block([[np.eye(n), -U], [-U.T, np.eye(m)]])
    exact = T * np.linalg.inv(hessian)
    assert abs(found.covariance - exact).max() <= found.gap + 1e-13 * abs(exact).max()
