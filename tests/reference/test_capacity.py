"""The reference: certified on everything, equal to closed forms, and unable to certify a wrong answer."""

import math

import numpy as np
import pytest
import zoo
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import xlog1py, xlogy
from zoo import PAPER_ROWS, binary_erasure, binary_symmetric, noiseless, z_channel

from analogflow.digital import blahut_arimoto
from analogflow.errors import BadInput, SimulationFailed
from analogflow.problems import Channel
from analogflow.reference import capacity_batch, capacity_certificate, capacity_reference, capacity_search

known = pytest.mark.parametrize("entry", zoo.CHANNELS, ids=lambda entry: entry.name)


def random_transition(seed, n=None, m=None, zeros=0.3):
    rng = np.random.default_rng(seed)
    n, m = n or int(rng.integers(2, 12)), m or int(rng.integers(2, 12))
    P = rng.dirichlet(np.ones(m) * rng.choice([0.2, 1, 5]), n) * (rng.random((n, m)) > zeros * rng.random())
    P[np.arange(n), rng.integers(0, m, n)] += 1e-3
    P = P[:, P.sum(0) > 0]
    return P / P.sum(1, keepdims=True)


@known
def test_named_channel(entry):
    found = capacity_reference(entry.channel)
    assert found.capacity_nats == pytest.approx(entry.capacity_nats, abs=2e-12)
    assert 0 <= found.gap <= 1e-12
    assert found.input_distribution.sum() == pytest.approx(1, abs=1e-14)
    if entry.optimum is not None:
        np.testing.assert_allclose(found.input_distribution, entry.optimum, atol=2e-6 if "II" in entry.name else 1e-9)


def binary_symmetric_capacity(p):
    """ln 2 − h(p), without cancellation near p = ½, and an optimal distribution."""
    x = 1 - 2 * p
    return 0.5 * (xlog1py(1 + x, x) + xlog1py(1 - x, -x)), [0.5, 0.5]


def binary_erasure_capacity(e):
    """(1 − e) ln 2."""
    return (1 - e) * math.log(2), [0.5, 0.5]


def z_channel_capacity(p):
    """ln(1 + (1 − p) p^(p/(1 − p))), and z_1 = 1/((1 − p) + p^(−p/(1 − p)))."""
    exponent = xlogy(p, p) / (1 - p)
    one = 1 / ((1 - p) + math.exp(-exponent))
    return math.log1p((1 - p) * math.exp(exponent)), [1 - one, one]


@pytest.mark.parametrize("p", [0.0, 1e-9, 0.11, 0.5, 0.9, 1.0])
def test_closed_forms_of_binary_channels(p):
    cases = [(binary_symmetric, binary_symmetric_capacity)]
    if 0 < p < 1:
        cases += [(binary_erasure, binary_erasure_capacity), (z_channel, z_channel_capacity)]
    for build, closed in cases:
        capacity, optimum = closed(p)
        assert capacity_reference(build(p)).capacity_nats == pytest.approx(capacity, abs=2e-12)
        bounds = capacity_certificate(build(p).transition, optimum)
        assert bounds.gap <= 1e-9


@pytest.mark.parametrize("n", [2, 3, 7, 64])
def test_noiseless_channel(n):
    assert capacity_reference(noiseless(n)).capacity_nats == pytest.approx(math.log(n), abs=1e-13)


@given(st.integers(0, 10**9))
def test_every_random_channel_is_certified_and_meets_the_conditions_of_optimality(seed):
    P = random_transition(seed)
    found = capacity_reference(Channel(P))
    z, q = found.input_distribution, found.input_distribution @ P
    with np.errstate(divide="ignore", invalid="ignore"):
        D = np.where(P > 0, P * np.log(P / q), 0).sum(1)
    assert found.gap <= 1e-12
    assert D.max() - found.capacity_nats <= 2e-12
    assert abs(D[z > 1e-5] - found.capacity_nats).max() <= 1e-6
    assert -1e-12 <= found.capacity_nats <= min(math.log(len(P)), math.log(P.shape[1])) + 1e-12


@settings(max_examples=25)
@given(st.integers(0, 10**9))
def test_blahut_arimoto_finds_nothing_better(seed):
    P = random_transition(seed)
    found, other = capacity_reference(Channel(P)), blahut_arimoto(Channel(P), gap=1e-6, most=3000)
    assert other.capacity_nats <= found.capacity_nats + 2e-12
    assert found.capacity_nats <= other.capacity_nats + other.gap + 2e-12


@given(hnp.arrays(float, 3, elements=st.floats(0, 1)))
def test_a_wrong_distribution_is_not_certified(weights):
    channel = zoo.CHANNELS[0].channel
    if weights.sum() < 1e-3:
        return
    z = weights / weights.sum()
    bounds = capacity_certificate(channel.transition, z)
    assert bounds.lower - 1e-14 <= zoo.CHANNELS[0].capacity_nats <= bounds.upper + 1e-11
    distance = abs(z - zoo.CHANNELS[0].optimum).max()
    assert bounds.gap >= 0.05 * distance**2 - 1e-14


def test_certificate_of_what_a_circuit_may_settle_at():
    P = zoo.CHANNELS[0].channel.transition
    z = np.array([0.5, 0.6, -0.1])
    clipped = capacity_certificate(P, np.array([5, 6, 0]) / 11)
    assert capacity_certificate(P, z) == clipped
    with pytest.raises(BadInput, match="positive"):
        capacity_certificate(P, [-1.0, 0.0, 0.0])
    with pytest.raises(BadInput, match="finite"):
        capacity_certificate(P, [np.nan, 0.5, 0.5])


HARD = {
    "near-equal rows": np.array([[0.3, 0.7], [0.3 + 1e-12, 0.7 - 1e-12]]),
    "duplicate rows": np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]]),
    "tiny probabilities": np.array([[1 - 1e-300, 1e-300], [1e-300, 1 - 1e-300]]),
    "one tiny column": np.array([[1.0 - 1e-200, 1e-200, 0.0], [0.0, 0.0, 1.0]]),
    "wide": np.random.default_rng(3).dirichlet(np.ones(300), 4),
    "tall": np.random.default_rng(3).dirichlet(np.ones(4), 300),
    "sparse": np.eye(40)[np.random.default_rng(4).permutation(40)] * 0.5 + 0.5 * np.eye(40),
    "block diagonal": np.kron(np.eye(5), np.random.default_rng(5).dirichlet(np.ones(6), 6)),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_channels_are_certified(name):
    assert capacity_reference(Channel(HARD[name])).gap <= 1e-12


@pytest.mark.parametrize(("n", "concentration"), [(256, 1.0), (256, 0.05), (700, 1.0)])
def test_large_channels_are_certified_through_screening(n, concentration):
    P = np.random.default_rng(0).dirichlet(np.full(n, concentration), n)
    P = np.maximum(P, 1e-300)
    found = capacity_reference(Channel(P / P.sum(1, keepdims=True)))
    assert found.gap <= 1e-12
    assert "screened" in found.method


def test_a_column_that_only_a_screened_out_input_reaches_is_covered():
    rng = np.random.default_rng(8)
    P = rng.dirichlet(np.ones(200), 200)
    P = np.hstack([P, np.zeros((200, 1))])
    weak = P[:100].mean(0)
    weak[-1] = 1e-9
    P = np.vstack([P, weak / weak.sum()])
    assert capacity_reference(Channel(P)).gap <= 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(("n", "gap"), [(1024, 1e-12), (2048, 1e-9)])
def test_the_largest_channels_are_certified(n, gap):
    P = np.random.default_rng(0).dirichlet(np.ones(n), n)
    assert capacity_reference(Channel(P), gap=gap).gap <= gap


def test_batch_agrees_with_one_by_one():
    P = np.random.default_rng(1).dirichlet(np.ones(3), (10_000, 3))
    batch = capacity_batch(P)
    assert batch.gaps.max() <= 1e-9
    assert abs(batch.input_distributions.sum(1) - 1).max() < 1e-13
    for k in range(0, 10_000, 500):
        assert batch.capacities_nats[k] == pytest.approx(capacity_reference(Channel(P[k])).capacity_nats, abs=1e-9)


def excess(T, z, cost=0.0, price=0.0):
    """By how much each input's D(p_i‖q) − s e_i stays below the largest, by its definition."""
    terms = np.where(T > 0, T * np.log(np.where(T > 0, T, 1) / (z @ T)), 0)
    worth = terms.sum(axis=1) - price * np.asarray(cost)
    return worth.max() - worth


@pytest.mark.parametrize("limited", [False, True])
def test_inputs_that_the_optimum_does_not_need_have_no_weight_at_all(limited):
    # Dust of 1e-13 that comes and goes with the last bit would change who is in use, and so every sensitivity.
    for seed in range(60):
        rng = np.random.default_rng(seed)
        T = rng.dirichlet(np.ones(3 + seed // 6 % 5), size=3 + seed % 6)
        cost = rng.uniform(0, 1, len(T))
        asked = {"cost": cost, "cost_limit": 0.7 * cost.min() + 0.3 * cost.mean()} if limited else {}
        found = capacity_reference(Channel(T, **asked))
        z = found.input_distribution
        assert not ((z > 0) & (excess(T, z, cost, found.price) > 1e-7)).any(), (seed, z)
        if limited:
            assert z @ cost <= asked["cost_limit"] + 1e-12
        else:
            assert ((capacity_batch(T[None], 1e-12).input_distributions[0] > 0) == (z > 0)).all()


def test_unavailable_inputs_are_left_out():
    rows = PAPER_ROWS
    closed = capacity_reference(Channel(rows, unavailable=[0]))
    assert closed.input_distribution[0] == 0
    assert closed.capacity_nats == capacity_reference(Channel(rows[1:])).capacity_nats


def test_what_can_not_be_asked_is_refused():
    with pytest.raises(BadInput, match="gap 0 is not a positive number of nats"):
        capacity_reference(zoo.CHANNELS[0].channel, gap=0)
    with pytest.raises(SimulationFailed, match=r"is certified to .* nat only, not to the 1e-30 asked for"):
        capacity_reference(Channel(np.random.default_rng(0).dirichlet(np.ones(50), 50)), gap=1e-30)
    with pytest.raises(BadInput, match=r"have shape \(3, 3\); give an array of shape \(k, n, m\)"):
        capacity_batch(np.eye(3))


@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (5, 3), (16, 6), (16, 16), (40, 60)])
@pytest.mark.parametrize("concentration", [0.1, 1.0])
def test_newton_on_the_support_ends_where_the_interior_point_does(shape, concentration, monkeypatch):
    n, m = shape
    arrived = []
    for seed in range(10):
        P = np.random.default_rng(seed).dirichlet(np.full(m, concentration), n)
        channel = Channel(P / P.sum(1, keepdims=True))
        found = capacity_reference(channel)
        arrived.append("support" in found.method)
        with monkeypatch.context() as without:
            without.setattr(capacity_search, "_SUPPORT_STEPS", 0)
            other = capacity_reference(channel)
        assert "support" not in other.method
        assert abs(found.capacity_nats - other.capacity_nats) <= 2e-12
    assert sum(arrived) >= 9
