"""The capacity flow in its forms: equations, identities of the paper, and what happens off the simplex."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from zoo import PAPER, PAPER_ROWS, binary_erasure, binary_symmetric, noiseless, z_channel

from analogflow.block_engine import VectorField
from analogflow.errors import BadInput
from analogflow.flows import Flow, Simplex, capacity
from analogflow.flows.capacity import FORMS
from analogflow.problems import Channel
from analogflow.reference import capacity_reference
from analogflow.solution import solve

ENGINES = ("block", pytest.param("ngspice", marks=pytest.mark.ngspice))


def random_channel(seed, n=None, m=None):
    rng = np.random.default_rng(seed)
    n, m = n or rng.integers(2, 9), m or rng.integers(2, 9)
    return Channel(rng.dirichlet(np.ones(m), n))


@pytest.mark.parametrize("form", FORMS)
@given(st.integers(0, 10**6))
def test_direct_and_graph_evaluation_agree_to_rounding(form, seed):
    flow = capacity(random_channel(seed), form=form)
    (name,) = flow.states
    y = np.random.default_rng(seed).dirichlet(np.ones(flow.states[name].size))
    y = np.log(y) if name == "u" else y
    field = VectorField(flow.graph())
    direct = flow.rates(**{name: y})[name]
    assert abs(field(0.0, y) - direct).max() <= 1e-14 * max(1, abs(direct).max()) * 10
    assert abs(field.observables(y)["capacity_nats"][0] - flow.observe("capacity_nats", **{name: y})) <= 1e-14 * 10


@given(st.integers(0, 10**6))
def test_all_forms_have_the_same_orbits_on_the_simplex(seed):
    channel = random_channel(seed)
    z = np.random.default_rng(seed).dirichlet(np.ones(channel.inputs))
    rates = {
        form: capacity(channel, form=form).rates(z=z)["z"] for form in FORMS if "z" in capacity(channel, form=form).states
    }
    u_rate = capacity(channel).rates(u=np.log(z))["u"]
    rates["logdomain"] = z * (u_rate - z @ u_rate)
    for rate in rates.values():
        np.testing.assert_allclose(rate, rates["printed"], atol=1e-12)
        assert abs(rate.sum()) < 1e-12


@given(st.integers(0, 10**6))
def test_mutual_information_never_falls_and_rises_as_the_variance_of_the_divergences(seed):
    channel = random_channel(seed)
    P, z = channel.transition, np.random.default_rng(seed).dirichlet(np.ones(channel.inputs))
    rate = capacity(channel, form="replicator").rates(z=z)["z"]
    w = (P * np.log(P / (P.T @ z))).sum(1)
    information_rate = (w - 1) @ rate
    np.testing.assert_allclose(information_rate, z @ (w - z @ w) ** 2, atol=1e-12)
    assert information_rate >= -1e-15


@pytest.mark.parametrize(("gauge", "sigma"), [(-1.0, 0.99), (-1.0, 1.01), (0.5, 0.8), (0.5, 1.3)])
def test_sum_off_the_simplex_follows_its_own_law(gauge, sigma):
    flow = capacity(PAPER, form="printed" if gauge < 0 else "replicator")
    x = np.array([0.2, 0.5, 0.3])
    information = flow.observe("capacity_nats", z=x)
    rate = flow.rates(z=sigma * x)["z"].sum()
    assert rate == pytest.approx((1 - sigma) * sigma * (information - np.log(sigma) + gauge), rel=1e-12)


def test_printed_form_blows_up_above_the_simplex_and_collapses_below():
    field = VectorField(capacity(PAPER, form="printed").graph())
    below = solve_ivp(field, (0, 60), np.full(3, (1 - 1e-6) / 3), rtol=1e-10, atol=1e-12).y[:, -1]
    assert below.sum() == pytest.approx(0.47347, abs=1e-3)
    with np.errstate(all="ignore"):
        above = solve_ivp(field, (0, 17.5), np.full(3, (1 + 1e-6) / 3), rtol=1e-9, atol=1e-12)
    assert above.status != 0 or above.y[:, -1].sum() > 1e3


def test_unavailable_inputs_stay_at_zero_and_give_the_reduced_channel():
    rows = PAPER_ROWS
    closed = Channel(rows, unavailable=[2])
    small = Channel(rows[:2])
    assert capacity(closed).states["u"].size == 2
    flow = capacity(closed, form="replicator")
    assert flow.rates()["z"][2] == 0
    z = np.array([0.4, 0.6])
    full = flow.rates(z=np.append(z, 0.0))["z"]
    np.testing.assert_allclose(full[:2], capacity(small, form="replicator").rates(z=z)["z"], atol=1e-15)


@pytest.mark.parametrize("channel", [PAPER, binary_symmetric(0.11), binary_erasure(0.3), z_channel(0.5), noiseless(4)])
def test_flow_rests_at_the_optimum(channel):
    z = capacity_reference(channel).input_distribution
    assert abs(capacity(channel, form="replicator").rates(z=z)["z"]).max() < 1e-9


def test_unknown_form_is_refused_with_the_known_ones():
    with pytest.raises(
        BadInput, match="form 'polar' of the capacity flow is not known; known are: logdomain, accelerated, replicator"
    ):
        capacity(PAPER, form="polar")


def test_flow_refuses_what_it_can_not_start_from():
    with pytest.raises(BadInput, match="initial value of 'x' must be an array of finite numbers"):
        Flow(lambda x: -x, {"x": [np.nan]})
    with pytest.raises(BadInput, match="at least one state"):
        Flow(lambda x: -x, {})
    with pytest.raises(BadInput, match="names no state of this flow; there are x"):
        Flow(lambda x: -x, {"x": [1.0]}, keeps=[Simplex("y")])
    with pytest.raises(BadInput, match="'capacity' is neither a state nor an observable"):
        Flow(lambda x: -x, {"x": [1.0]}, answer="capacity")


@pytest.mark.parametrize(
    "engine", [pytest.param(e, marks=pytest.mark.ngspice if e == "ngspice" else ()) for e in ("block", "ngspice")]
)
@pytest.mark.parametrize("form", ["replicator", "normalised", "logdomain", "accelerated"])
def test_unavailable_inputs_give_the_capacity_of_the_reduced_channel(engine, form):
    rng = np.random.default_rng(4)
    P = rng.dirichlet(np.ones(4), 5)
    solution = solve(Channel(P, unavailable=[1, 3]), form=form, engine=engine)
    reduced = capacity_reference(Channel(P[[0, 2, 4]]))
    assert solution.certificate.answer["capacity_nats"] == pytest.approx(reduced.capacity_nats, abs=1e-7)
    found = np.array(solution.certificate.answer["input_distribution"])
    assert (found[[1, 3]] == 0).all()
    np.testing.assert_allclose(found[[0, 2, 4]], reduced.input_distribution, atol=1e-4)


def test_the_rates_extend_continuously_to_the_boundary():
    """Proposition 4: where no input with weight reaches an output, z_i D_i has a finite limit, which the blocks deliver."""
    P = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.2, 0.8]])
    flow = capacity(Channel(P), form="replicator")
    edge = np.array([1.0, 0.0, 0.0])  # outputs 2 and 3 have probability 0
    rates = flow.rates(z=edge)["z"]
    np.testing.assert_allclose(rates, 0, atol=1e-12)  # a vertex rests
    half = flow.rates(z=np.array([0.5, 0.5, 0.0]))["z"]
    np.testing.assert_allclose(
        half[:2], capacity(Channel(P[:2, :2]), form="replicator").rates(z=np.array([0.5, 0.5]))["z"], atol=1e-12
    )
    assert half[2] == 0
    jumps = [
        abs(flow.rates(z=(1 - e) * edge + e * np.array([0.2, 0.3, 0.5]))["z"] - rates).max() for e in (1e-3, 1e-5, 1e-7)
    ]
    assert jumps[0] > jumps[1] > jumps[2]
    assert jumps[2] < 1e-5  # like e ln e


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))])
def test_the_accelerated_form_ends_at_the_same_answer_sooner(seed):
    rng = np.random.default_rng(seed)
    channel = Channel(rng.dirichlet(np.ones(4), 4))
    plain, fast = (solve(channel, form=form, engine="block") for form in ("logdomain", "accelerated"))
    assert fast.passed
    np.testing.assert_allclose(
        fast.certificate.answer["input_distribution"], plain.certificate.answer["input_distribution"], atol=2e-5
    )
    assert fast.settling_time < plain.settling_time


def test_the_accelerated_speed_is_a_ratio_of_fisher_norms_that_is_at_least_one():
    rng = np.random.default_rng(3)
    channel = Channel(rng.dirichlet(np.ones(5), 4))
    fast, plain = capacity(channel, form="accelerated"), capacity(channel)
    for _ in range(50):
        u = rng.normal(size=4)
        slow = plain.rates(u=u)["u"]
        speed = fast.rates(u=u)["u"] / slow
        z = np.exp(u) / np.exp(u).sum()
        rate = z * slow
        ratio = (rate**2 / z).sum() / ((rate @ channel.transition) ** 2 / (z @ channel.transition)).sum()
        np.testing.assert_allclose(speed, 1 / (1 / ratio + 1 / 10), rtol=1e-4)
        assert ratio >= 1
