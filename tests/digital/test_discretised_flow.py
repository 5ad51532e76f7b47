"""Algorithm 1 with each of its steps: fixed points, orders in the step, and Blahut-Arimoto as a special case."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from zoo import CHANNELS

from analogflow.digital import STEPS, blahut_arimoto, discretised_flow
from analogflow.errors import BadInput
from analogflow.flows import capacity
from analogflow.problems import Channel

PAPER = CHANNELS[0].channel
UNIQUE = [known for known in CHANNELS if known.optimum and known.name != "type II"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "known", [known for known in CHANNELS if known.optimum and known.name != "type II"], ids=lambda k: k.name
)
def test_every_step_ends_at_the_capacity(known, step):
    run = discretised_flow(known.channel, step=step, tau=0.2, tolerance=1e-12)
    assert run.converged
    assert run.capacity_nats == pytest.approx(known.capacity_nats, abs=1e-9)
    np.testing.assert_allclose(run.input_distribution, known.optimum, atol=1e-8)


def test_the_multiplicative_step_of_one_is_blahut_arimoto():
    """Blahut's own formula: the next distribution from the posterior of each input, Σ_j p_ij ln(z_i p_ij / q_j)."""
    P, z, seen = PAPER.transition, np.full(3, 1 / 3), []
    for _ in range(30):
        posterior = z[:, None] * P / (z @ P)
        z = np.exp((P * np.log(posterior)).sum(axis=1))
        z /= z.sum()
        seen.append(z)
    for steps in (1, 7, 30):
        run = discretised_flow(PAPER, step="mwu", tau=1.0, tolerance=1e-300, most=steps)
        np.testing.assert_allclose(run.input_distribution, seen[steps - 1], rtol=2e-15 * steps, atol=0)
        np.testing.assert_allclose(
            blahut_arimoto(PAPER, gap=1e-300, most=steps).input_distribution, seen[steps - 1], rtol=1e-13
        )


@pytest.mark.parametrize(("step", "order"), [("euler", 1), ("mwu", 1), ("rk4", 4)])
def test_order_in_the_step(step, order):
    flow = capacity(PAPER, form="replicator")
    exact = solve_ivp(lambda t, z: flow.rates(z=z)["z"], (0, 4), PAPER.start(), "DOP853", rtol=1e-13, atol=1e-15).y[:, -1]
    errors = [
        abs(discretised_flow(PAPER, step=step, tau=4 / n, tolerance=1e-300, most=n).input_distribution - exact).max()
        for n in (10, 20, 40)
    ]
    assert np.log2(errors[1] / errors[2]) == pytest.approx(order, abs=0.15)


def test_a_step_of_ones_own():
    def halved(z, divergences, tau):
        return STEPS["mwu"](z, divergences, tau / 2)

    own = discretised_flow(PAPER, step=halved, tau=1.0, tolerance=1e-300, most=5)
    np.testing.assert_array_equal(
        own.input_distribution, discretised_flow(PAPER, step="mwu", tau=0.5, tolerance=1e-300, most=5).input_distribution
    )


def test_unavailable_inputs_stay_unused():
    channel = Channel(PAPER.transition, unavailable=[1])
    assert discretised_flow(channel).input_distribution[1] == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"step": "leapfrog"}, r"step 'leapfrog' is not known; known are: euler, rk4, mwu"), ({"tau": 0.0}, r"tau is 0.0"),
     ({"tolerance": -1.0}, r"tolerance is -1.0"), ({"most": 0}, r"most is 0")],
)  # fmt: skip
def test_bad_arguments_are_refused(fields, message):
    with pytest.raises(BadInput, match=message):
        discretised_flow(PAPER, **fields)
