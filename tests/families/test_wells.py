"""What chains tell of wells, against quadratures of the law and of first passages that know nothing of chains."""

import numpy as np
import pytest
from scipy.integrate import quad

import analogflow as af
from analogflow.block_engine.native import library
from analogflow.families.wells import wells_of
from analogflow.flows.relaxation import time_scales_of
from analogflow.problems.landscape import landscape

T = 0.5
WELL = af.Langevin("(x**2 - 1)**2 + 0.1*x", ["x"], T)


def energy(x):
    return (x**2 - 1) ** 2 + 0.1 * x


@pytest.fixture(scope="module")
def wells():
    return af.solve(WELL, engine="block", seed=2, time_constants=400, chains=64, step=0.02).certificate.wells


def test_occupancy_is_the_share_of_the_law(wells):
    top = max(np.roots([4, 0, -4, 0.1]).real, key=lambda x: -abs(x))
    parts = [quad(lambda x: np.exp(-energy(x) / T), *ends)[0] for ends in ((-np.inf, top), (top, np.inf))]
    for held, share in zip(sorted(wells, key=lambda held: held.at["x"]), np.array(parts) / sum(parts), strict=True):
        assert held.exact == pytest.approx(share, abs=1e-9)
        assert 0 <= held.exact_gap < 1e-7
        assert abs(held.occupancy - share) < 4 * held.occupancy_error
        assert held.occupancy_error < 0.02


def test_stays_are_mean_first_passages(wells):
    """From where a chain first arrives in the core of one well to where it first arrives in that of the other."""
    land, scales = landscape(WELL), time_scales_of(WELL)
    place = {round(float(w.position[0]), 3): (float(w.position[0]), 1 / abs(float(scales.scalings[k][0, 0])))
             for k, w in enumerate(land.wells)}  # fmt: skip
    (left, left_width), (right, right_width) = sorted(place.values())

    def passage(start, end):
        def inner(y):
            return np.exp(energy(y) / T) * quad(lambda z: np.exp(-energy(z) / T), -np.inf, y)[0]

        return quad(inner, start, end)[0] / T

    def back(start, end):
        def inner(y):
            return np.exp(energy(y) / T) * quad(lambda z: np.exp(-energy(z) / T), y, np.inf)[0]

        return quad(inner, end, start)[0] / T

    low, high = sorted(wells, key=lambda held: held.at["x"])
    for held, exact in (
        (low, passage(left + left_width, right - right_width)),
        (high, back(right - right_width, left + left_width)),
    ):
        assert held.left > 500
        assert held.stay == pytest.approx(exact, rel=0.02, abs=3 * held.stay_error)  # 0.02 for what is of second order
        assert held.stay_error < 0.05 * exact


def test_one_well_is_not_told_of():
    flat = af.Langevin("x**4", ["x"], T)
    assert af.solve(flat, engine="block", time_constants=50, chains=4).certificate.wells == ()


def test_points_belong_to_the_well_they_fall_into():
    points = np.array([[-2.0], [-0.1], [0.1], [3.0]])
    positions = np.array([well.position[0] for well in landscape(WELL).wells])
    assert (np.sign(positions[wells_of(WELL, points)]) == np.sign(points[:, 0])).all()


@pytest.mark.slow
@pytest.mark.skipif(library() is None, reason="needs a C compiler")
def test_stays_seen_at_few_points_are_within_their_errors():
    """Where points are three quarters of a time constant apart, longer than it takes to fall into a well."""
    tilted = af.Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], T)
    wells = af.solve(tilted, engine="block", seed=0, time_constants=3000, chains=128).certificate.wells
    low, high = sorted(wells, key=lambda held: held.at["x"])
    # Quadratures of the first passages between cores, as above.
    assert abs(low.stay - 16.1300507) < 2 * low.stay_error < 2
    assert abs(high.stay - 5.7004353) < 2 * high.stay_error < 1
