"""What delays add to a motion to whose orbit nothing leads back: a formula, and the equations with delays themselves."""

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.errors import BadInput
from analogflow.flows import Flow
from analogflow.passes.drift import drift_of

LOTKA = {
    "states": {"prey": 1.2, "predator": 0.6},
    "equations": {"prey": "prey * (0.8 - predator)", "predator": "predator * (0.9 * prey - 0.5)"},
    "conserved": {"level": "0.9 * prey - 0.5 * log(prey) + predator - 0.8 * log(predator)"},
}


def motion(states, equations, time, conserved=()):
    return af.flows.custom(af.Equations(states, equations, time=time, conserved=dict(conserved)))


@pytest.mark.parametrize(("omega", "time"), [(1.0, 10.0), (3.0, 20.0), (0.5, 100.0)])
def test_a_harmonic_oscillator_grows_with_the_square_of_its_frequency(omega, time):
    rates = {"x": f"{omega} * y", "y": f"-{omega} * x"}
    flow = motion({"x": 2.0, "y": 0.0}, rates, time, {"energy": "x**2 + y**2"})
    assert drift_of(flow.graph(), flow) == pytest.approx(omega**2 * time, rel=1e-3)


def test_where_nothing_is_conserved_nothing_drifts():
    rates = {"x": "3 * y", "y": "-3 * x"}
    free = motion({"x": 1.0, "y": 0.0}, rates, 20.0)
    assert drift_of(free.graph(), free) == 0
    rests = af.flows.capacity(PAPER)
    assert drift_of(rests.graph(), rests) == 0


def delayed(delay, time, step):
    """Prey and predator of equations that read both as they were a while ago, shape (points, 2), by the midpoint rule."""

    def rate(y):
        return np.array([y[0] * (0.8 - y[1]), y[1] * (0.9 * y[0] - 0.5)])

    ago = round(delay / step)
    past = [np.array([1.2, 0.6])] * (ago + 1)
    for _ in range(round(time / step)):
        now = past[-1]
        middle = (past[-1 - ago] + past[-ago]) / 2 if ago else now + step / 2 * rate(now)
        past.append(now + step * rate(middle))
    return np.array(past)


def test_equations_with_delays_leave_their_orbit_as_far_as_is_said():
    flow = motion(LOTKA["states"], LOTKA["equations"], 20.0, LOTKA["conserved"])
    told = drift_of(flow.graph(), flow)
    late, exact = (np.ptp(delayed(d, 20.0, 0.001)[-10_500:], axis=0) for d in (0.004, 0.0))
    middle = 1 - 10.5 / 2 / 20  # of the last period, in which the drift goes on
    assert (late / exact - 1).max() == pytest.approx(0.004 * told * middle, rel=0.1)


def test_what_is_conserved_is_an_observable():
    with pytest.raises(BadInput, match=r"Flow\.conserved: 'energy' is no observable of this flow\."):
        Flow(lambda x: -x, {"x": np.ones(1)}, conserved=("energy",))
