"""The paper on flows that compute capacities: its formulas are right; what its circuits and its runs need besides."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from zoo import PAPER

from analogflow.digital import multiplicative_weights
from analogflow.flows import capacity
from analogflow.problems import Channel
from analogflow.reference import capacity_certificate, capacity_convergence, capacity_reference

SECOND = Channel([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0.5, 0, 0.5, 0]])
"""Input 3 is of type II."""


def printed_rate(channel, form="printed", **values):
    flow = capacity(channel, form=form)
    return lambda z: flow.rates(z=z, **values)["z"]


def differences(function, z, h=1e-6):
    return np.stack([(function(z + h * e) - function(z - h * e)) / (2 * h) for e in np.eye(len(z))], axis=-1)


def test_derivatives_of_the_information_with_their_signs():
    """Propositions 1 and 3: copies of the text have lost the minus signs."""
    P, z = PAPER.transition, np.array([0.5, 0.3, 0.2])

    def information(x):
        q = P.T @ x
        return x @ (P * np.log(P)).sum(axis=1) - q @ np.log(q)

    q = P.T @ z
    slope = (P * np.log(P)).sum(axis=1) - 1 - P @ np.log(q)
    np.testing.assert_allclose(differences(information, z), slope, atol=1e-9)
    assert z @ slope == pytest.approx(information(z) - z.sum(), abs=1e-14)
    hessian = differences(lambda x: (P * np.log(P)).sum(axis=1) - 1 - P @ np.log(P.T @ x), z)
    np.testing.assert_allclose(hessian, -P @ np.diag(1 / q) @ P.T, atol=1e-8)
    assert abs(hessian - P @ np.diag(1 / q) @ P.T).max() > 1
    best = capacity_reference(PAPER)
    np.testing.assert_allclose(
        (P * np.log(P / (P.T @ best.input_distribution))).sum(axis=1) - 1, best.capacity_nats - 1, atol=1e-6
    )


def test_numbers_of_the_first_example():
    found = capacity_reference(PAPER)
    np.testing.assert_allclose(found.input_distribution, [0.3645015452, 0.4168658487, 0.2186326061], atol=1e-8)
    assert found.capacity_nats == pytest.approx(0.252343625741, abs=1e-12)
    assert capacity_convergence(PAPER).lambda_max == pytest.approx(-0.177815867299, abs=1e-9)


def test_start_of_the_figures_has_to_be_one_third():
    """They start at 0.333, which sums to 0.999: harmless where each step is normalised, and lost with equation (7)."""
    rate, best = printed_rate(PAPER), capacity_reference(PAPER)
    end = solve_ivp(lambda _, z: rate(z), (0, 40), np.full(3, 0.333), rtol=1e-10, atol=1e-12).y[:, -1]
    assert end.sum() == pytest.approx(math.exp(best.capacity_nats - 1), abs=1e-3)
    right = solve_ivp(lambda _, z: rate(z), (0, 25), np.full(3, 1 / 3), "DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
    np.testing.assert_allclose(right, best.input_distribution, atol=5e-3)


def test_the_matrix_of_theorem_4_is_the_jacobian_on_the_simplex_only():
    """Its block Z H has the eigenvalue −1 along z*; the Jacobian has 1 − C there, so that equation (7) runs away."""
    found = capacity_reference(PAPER)
    z, M = found.input_distribution, capacity_convergence(PAPER).matrix
    jacobian = differences(printed_rate(PAPER), z)
    tangent = np.linalg.svd(np.ones((1, 3)))[2][1:]
    np.testing.assert_allclose(jacobian @ tangent.T, M @ tangent.T, atol=1e-7)
    np.testing.assert_allclose(np.sort(np.linalg.eigvals(M).real), [-1, -0.35424, -0.17782], atol=1e-4)
    values = np.sort(np.linalg.eigvals(jacobian).real)
    np.testing.assert_allclose(values, [-0.35424, -0.17782, 1 - found.capacity_nats], atol=1e-4)


def test_integrating_equation_7_leaves_the_simplex():
    """Rounding grows like e^{(1 − C) t}; a gauge of ½ takes it back."""
    growth = 1 - capacity_reference(PAPER).capacity_nats
    times = [0, 10, 20, 30]
    start = np.array([0.5, 0.3, 0.2])
    off = {}
    for form in ("printed", "replicator"):
        rate = printed_rate(PAPER, form)
        path = solve_ivp(
            lambda _, z, rate=rate: rate(z), (0, 30), start * (1 + 1e-12), "DOP853", times, rtol=1e-12, atol=1e-15
        )
        off[form] = abs(path.y.sum(axis=0) - 1)
    assert off["printed"][3] > 1e3 * off["printed"][1] > 1e4 * off["printed"][0]
    assert math.log(off["printed"][3] / off["printed"][2]) == pytest.approx(10 * growth, rel=0.05)
    assert off["replicator"][3] < 1e-13


def test_ratios_follow_the_flow_whatever_the_sum_does():
    """In Figure 1's circuit z/Σz follows equation (7) exactly, and at its speed."""
    start = np.array([0.5, 0.3, 0.2])
    paths = []
    for scale in (1.0, 0.7):
        rate = printed_rate(PAPER)
        run = solve_ivp(lambda _, z, rate=rate: rate(z), (0, 5), scale * start, "DOP853", [1, 2, 5], rtol=1e-12, atol=1e-14)
        paths.append(run.y / run.y.sum(axis=0))
        if scale < 1:
            assert abs(run.y.sum(axis=0) - 1).min() > 0.3
    np.testing.assert_allclose(paths[0], paths[1], atol=1e-9)


def test_normaliser_of_figure_2_leaves_the_sum_of_the_integrators_free():
    """It is said to keep z from leaving the simplex: the signals are on it, the integrators drift."""
    rate = printed_rate(PAPER, "normalised")
    z = np.array([0.5, 0.3, 0.2])
    for scale in (0.2, 1.0, 3.0):
        assert abs(rate(scale * z).sum()) < 1e-15
    offset = 1e-2
    run = solve_ivp(lambda _, z: rate(z) + offset, (0, 100), z, "LSODA", [50, 100], rtol=1e-8, atol=1e-10).y
    np.testing.assert_allclose(run.sum(axis=0), [2.5, 4.0], atol=1e-4)  # 1 + 3 offset t
    dead = solve_ivp(lambda _, z: rate(z), (0, 60), [0.6, 0.45, -0.05], "LSODA", rtol=1e-9, atol=1e-12).y[:, -1]
    assert dead[2] == pytest.approx(-0.05, abs=1e-12)  # what is below 0 stays there
    assert capacity_certificate(PAPER.transition, dead).gap > 0.01
    # Mended: the compiler's gauge in the replicator form brings the sum back at the rate I + ½.
    back = solve_ivp(lambda _, z: printed_rate(PAPER, "replicator")(z) + offset, (0, 60), z, rtol=1e-9, atol=1e-12).y[:, -1]
    assert abs(back.sum() - 1) < 0.1


def test_steps_of_multiplicative_weights_are_the_flow_to_first_order_only():
    """Section 8 draws τ = 0.01 for the flow: its error falls at −ln(1 − τ|λ|)/τ per unit of time."""
    slow = abs(capacity_convergence(PAPER).lambda_max)
    z = capacity_reference(PAPER).input_distribution
    P, rates = PAPER.transition, {}
    for tau in (1.0, 0.1, 0.01):
        y, norms = np.array([0.3, 0.4, 0.3]), []
        for _ in range(round(40 / tau) + 1):
            y = y * np.exp(tau * (P * np.log(P / (P.T @ y))).sum(axis=1))
            y /= y.sum()
            norms.append(np.linalg.norm(y - z))
        rates[tau] = math.log(norms[round(30 / tau)] / norms[round(40 / tau)]) / 10
        assert rates[tau] == pytest.approx(-math.log(1 - tau * slow) / tau, abs=2e-4)
    assert abs(rates[1.0] - slow) > 0.015
    assert abs(rates[0.01] - slow) < 4e-4
    # The package's own steps need as many more to gain three digits as that factor says.
    more = [multiplicative_weights(PAPER, 0.5, gap=gap).iterations for gap in (1e-6, 1e-9)]
    assert more[1] - more[0] == pytest.approx(math.log(1e3) / -math.log(1 - 0.5 * slow), rel=0.05)


def test_inputs_of_type_two_die_out_algebraically():
    """Theorems 5 and 6 leave them out by (N1): their weight falls as 1/t, in the flow and in the iteration."""
    flow = capacity(SECOND)
    start = flow.states["u"]
    run = solve_ivp(lambda _, u: flow.rates(u=u)["u"], (0, 1000), start, "LSODA", [500, 1000], rtol=1e-10, atol=1e-12).y
    z = np.exp(run - run.max(axis=0))
    z /= z.sum(axis=0)
    np.testing.assert_allclose(z[2] * [500, 1000], 1, atol=0.02)
    P, y = SECOND.transition, np.full(3, 1 / 3)
    for _ in range(1000):
        y = y * np.exp(np.where(P > 0, P * np.log(np.where(P > 0, P, 1) / (P.T @ y)), 0).sum(axis=1))
        y /= y.sum()
    assert 1000 * y[2] == pytest.approx(1, abs=0.02)
    assert capacity_convergence(SECOND).lambda_max == 0


def test_small_steps_stand_still_near_the_rounding_of_doubles():
    """Figure 5(b): off the theoretical line from t = 32 on, near 10⁻¹⁴."""
    z = np.array([0.7, 0.2, 0.1])
    distance = {}
    for step in range(1, 4001):
        z = z * np.exp(-0.01 * np.log(z))  # D(p_i‖q) of the noiseless channel is −ln z_i
        z = z / z.sum()
        distance[step] = np.linalg.norm(z - 1 / 3)
    line = 0.464934657988 * 3**-0.5
    assert distance[2000] == pytest.approx(distance[1000] * math.exp(-10), rel=0.1)
    assert line > 0.2
    assert 1e-16 < distance[4000] < 3e-14
    assert distance[4000] > 5 * distance[1000] * math.exp(-30)
