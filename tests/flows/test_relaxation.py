"""Time scales of Langevin motions against eigenvalues of their Fokker-Planck operators, on grids that know no wells."""

import numpy as np
import pytest
from scipy import sparse
from scipy.integrate import quad
from scipy.linalg import eigh_tridiagonal
from scipy.sparse.linalg import eigsh

import analogflow as af
from analogflow.errors import BadInput
from analogflow.flows.relaxation import time_scales_of
from analogflow.problems.landscape import landscape


def hopping(energy, T, spacing, mobility):
    """Rates, off the diagonal and on it, of the walk on one axis that detailed balance makes a diffusion, symmetrised."""
    over = mobility * T / spacing**2
    step = np.diff(energy) / T
    forward, back = over * np.exp(-step / 2), over * np.exp(step / 2)
    return np.full(len(step), over), forward, back


def slowest_of_one(energy, T, reach, mobility=1.0, count=3000):
    x = np.linspace(-reach, reach, count)
    off, forward, back = hopping(energy(x), T, x[1] - x[0], mobility)
    out = np.r_[forward, 0] + np.r_[0, back]
    return -np.sort(eigh_tridiagonal(-out, off, eigvals_only=True))[-2]


def slowest_of_two(energy, T, reaches, mobility, count=140):
    axes = [np.linspace(-reach, reach, count) for reach in reaches]
    values = energy(*np.meshgrid(*axes, indexing="ij"))
    number = np.arange(values.size).reshape(values.shape)
    total, diagonal = sparse.csr_matrix((values.size, values.size)), np.zeros(values.shape)
    for axis in (0, 1):
        spacing = axes[axis][1] - axes[axis][0]
        over = mobility[axis] * T / spacing**2
        step = np.diff(values, axis=axis) / T
        low, high = (np.take(number, range(*ends), axis=axis).ravel() for ends in ((0, count - 1), (1, count)))
        coupled = sparse.csr_matrix((np.full(len(low), over), (low, high)), shape=total.shape)
        total = total + coupled + coupled.T
        np.add.at(diagonal.reshape(-1), low, over * np.exp(-step / 2).ravel())
        np.add.at(diagonal.reshape(-1), high, over * np.exp(step / 2).ravel())
    operator = sparse.diags(diagonal.ravel()) - total
    return np.sort(eigsh(operator.tocsc(), k=2, sigma=-1e-6, return_eigenvectors=False))[1]


def test_rates_of_a_square_are_its_eigenvalues():
    hessian, mobility = np.array([[40.0, 3.0], [3.0, 1.0]]), np.array([0.5, 2.0])
    problem = af.Langevin("20*x**2 + 3*x*y + y**2/2", ["x", "y"], 0.3, mobility=mobility)
    rates = np.sort(np.linalg.eigvals(np.diag(mobility) @ hessian).real)
    found = time_scales_of(problem)
    assert found.fastest == pytest.approx(rates[1], rel=1e-6)
    assert found.slowest == pytest.approx(rates[0], rel=1e-3)
    assert found.crossing == 0
    assert slowest_of_two(lambda x, y: 20 * x**2 + 3 * x * y + y**2 / 2, 0.3, (1.2, 5.0), mobility) == pytest.approx(
        rates[0], rel=0.02
    )


@pytest.mark.parametrize("temperature", [0.25, 0.15, 0.1, 0.06])
@pytest.mark.parametrize("tilt", [0.0, 0.1])
def test_crossings_of_a_double_well_take_as_long_as_its_slowest_mode(temperature, tilt):
    """Kramers' rate is the first term of a series in T over the barrier, 1 here."""
    problem = af.Langevin(f"(x**2 - 1)**2 + {tilt}*x", ["x"], temperature)
    rate = slowest_of_one(lambda x: (x**2 - 1) ** 2 + tilt * x, temperature, 2.5)
    assert time_scales_of(problem).crossing * rate == pytest.approx(1, abs=2 * temperature)


@pytest.mark.parametrize("mobility", [(1.0, 1.0), (0.3, 2.0)])
def test_crossings_of_a_saddle_take_as_long_as_its_slowest_mode(mobility):
    T = 0.12
    problem = af.Langevin("(x**2 - 1)**2 + 2*y**2 + x*y", ["x", "y"], T, mobility=list(mobility))
    rate = slowest_of_two(lambda x, y: (x**2 - 1) ** 2 + 2 * y**2 + x * y, T, (2.0, 1.6), mobility)
    assert time_scales_of(problem).crossing * rate == pytest.approx(1, abs=2 * T)


def test_wells_weigh_what_the_law_gives_them():
    T = 0.15
    problem = af.Langevin("(x**2 - 1)**2 + 0.1*x", ["x"], T)
    held = [quad(lambda x: np.exp(-((x * x - 1) ** 2 + 0.1 * x) / T), *ends)[0] for ends in ((-5, 0.0125), (0.0125, 5))]
    places = [float(well.position[0]) for well in landscape(problem).wells]
    found = time_scales_of(problem).weights[np.argsort(places)]
    assert found == pytest.approx(np.array(held) / sum(held), rel=0.1)


def test_chains_begin_in_every_well_that_counts_and_nowhere_absurd():
    T = 0.2
    problem = af.Langevin("(x**2 - 1)**2 + (y**2 - 1)**2 + 0.1*x", ["x", "y"], T)
    starts = np.array(time_scales_of(problem).starts)
    assert len(set(map(tuple, np.sign(starts)))) == 4
    assert problem.energy_at(starts).max() - min(well.energy for well in landscape(problem).wells) < 9 * T


@pytest.mark.parametrize(
    ("text", "names", "start"),
    [
        ("sqrt(x**2 + y**2)*3", ["x", "y"], [0, 0]),
        ("sqrt(x**2 + y**2)*3", ["x", "y"], [1, 1]),
        ("sqrt((x - 0.37)**2)*3", ["x"], [0]),
        ("(x**2 + y**2)**0.75", ["x", "y"], [0.3, 0.2]),
        ("x**2 + 0.1*log((x - 0.31)**2)", ["x"], [0]),
        ("x**2 + y**2 + 0.1*log((x - 0.31)**2 + (y - 1)**2)", ["x", "y"], [0, 0]),
        ("x**2 - 1/sqrt((x - 0.31)**2)", ["x"], [0]),
        ("sqrt(x**2 + y**2 + z**2 + w**2)*3", ["x", "y", "z", "w"], [1, 1, 1, 1]),
        ("sqrt(x**2)*3", ["x"], [1]),
        ("((x - 0.3)**2)**0.75 + y**2", ["x", "y"], [0, 0]),
    ],
)
def test_an_energy_with_a_corner_or_a_pole_at_its_minimum_is_refused_in_one_sentence(text, names, start):
    with pytest.raises(BadInput, match=r"not smooth.*make it round, such as sqrt\(u"):
        time_scales_of(af.Langevin(text, names, 1.0, start=start))


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("sqrt(x**2 + 0.01)*3", 30),
        ("x**4", 1),
        ("2000*(x - 0.5)**6", 1),
        ("3*tanh(20*x)**2 + x**2", 2402),
        ("x**2 - log((x - 7)**2)", 2),
    ],
)
def test_round_stiff_and_flat_minima_are_not_refused(text, rate):
    """Rates that are the second derivative at the floor, by hand; of flat floors at least that."""
    scales = time_scales_of(af.Langevin(text, ["x"], 1.0, start=[0.3]))
    assert np.isfinite(scales.fastest)
    assert scales.fastest > 0.3 * rate
