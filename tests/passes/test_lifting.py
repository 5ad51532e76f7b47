"""A lifted graph is polynomial, follows the same path, and keeps the identities it rests on as far as theory says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from zoo import PAPER

from analogflow.block_engine import VectorField, integrate
from analogflow.blocks import Constant, Crossbar, Gain, Integrator, Multiplier, Sum, Wire
from analogflow.errors import BadInput, NoCell
from analogflow.flows import Flow, attention, capacity, langevin, rate_distortion, transport
from analogflow.graph import comparator, log, normalise, softmax, white_noise
from analogflow.passes import check, lift
from analogflow.problems import Attention, Langevin, RateDistortion, Schedule, Transport

POLYNOMIAL = (Constant, Crossbar, Gain, Integrator, Multiplier, Sum, Wire)
RATE_DISTORTION = RateDistortion([0.5, 0.3, 0.2], [[0, 1, 1], [1, 0, 1], [1, 1, 0]], 1.5)
TOKENS = Attention([[1.0, 0], [0.6, 0.8], [0, 1]], np.diag([1.0, -0.5]), np.eye(2), 1.5, 3.0)


def functions(x):
    return (
        -x + 0.2 * np.arctan(2 * x) + 0.3 * np.sin(x) * np.tanh(x) + 0.2 * np.exp(-x) / np.sqrt(1 + x * x) + 0.1 * np.cos(x)
    )


FLOWS = {
    "capacity, logdomain": capacity(PAPER),
    "capacity, replicator": capacity(PAPER, form="replicator"),
    "capacity, normalised": capacity(PAPER, form="normalised"),
    "rate-distortion, gibbs": rate_distortion(RATE_DISTORTION, form="gibbs"),
    "rate-distortion, logdomain": rate_distortion(RATE_DISTORTION),
    "attention": attention(TOKENS),
    "attention, zero temperature": attention(TOKENS, form="zero-temperature"),
    "transport": transport(Transport([[0, 1], [1, 0.2]], [0.5, 0.5], [0.4, 0.6], 0.5)),
    "transport, cooling": transport(
        Transport([[0, 1], [1, 0]], [0.5, 0.5], [0.4, 0.6], 0.5, Schedule("exponential", 1.0, 0.5))
    ),
    "sine, tanh, exp and root": Flow(functions, {"x": np.array([0.3, -0.5, 1.0])}),
}


@pytest.mark.parametrize("restore", [0.0, 1.0])
@pytest.mark.parametrize("name", FLOWS)
def test_lifted_paths_are_the_same(name, restore):
    flow = FLOWS[name]
    graph = flow.graph()
    lifted, note = lift(flow, restore=restore)
    check(lifted)
    assert all(isinstance(lifted.block(node), POLYNOMIAL) for node in lifted)
    assert "more integrators" in note
    assert set(graph.states) <= set(lifted.states)
    there, here = integrate(graph, 10.0), integrate(lifted, 10.0)
    for signal in there.values:
        assert np.allclose(here.final[signal], there.final[signal], atol=1e-6, rtol=0)


def followed(graph, start, time):
    field = VectorField(graph)
    run = solve_ivp(field, (0, time), field.pack(start), rtol=1e-10, atol=1e-12)
    return field.unpack(run.y[:, -1])


def starts(graph):
    return {state: np.array(graph.integrator(node).initial) for state, node in graph.states.items()}


def inverse(x):
    return -x + 0.5 / (1 + x * x)


def test_an_error_in_a_lifted_identity_stays_unless_it_is_restored():
    # At rest nothing moves, so that nothing but the restoring term can return 1/q to where it belongs.
    identities = {}
    for restore in (0.0, 2.0):
        graph, _ = lift(Flow(inverse, {"x": np.array([0.2])}), restore=restore)
        (label,) = set(graph.states) - {"x"}
        start = starts(graph)
        start[label] = start[label] * 1.01
        end = followed(graph, start, 20.0)
        identities[restore] = abs((1 + end["x"] ** 2) * end[label] - 1).max()
    assert 3e-3 < identities[0.0] < 3e-2
    assert identities[2.0] < 1e-9


def test_every_restored_identity_returns():
    def rates(x, u):
        shares = softmax(u) * np.array([1.0, 2.0, 3.0])
        return 0.3 - x + 0.2 * np.sin(x) + 0.1 * np.arctan(x) + 0.1 * np.sqrt(1 + x * x), -u + shares

    graph, _ = lift(Flow(rates, {"x": np.array([0.4]), "u": np.zeros(3)}), restore=1.0)
    start = starts(graph)
    hidden = [state for state in start if state not in ("x", "u") and not state.startswith("arctan")]
    for label in hidden:
        start[label] = start[label] * 1.02
    end = followed(graph, start, 40.0)
    found = {label.partition("_of_")[0]: end[label] for label in hidden}
    assert found["softmax"].sum() == pytest.approx(1, abs=1e-9)
    assert (found["sine"] ** 2 + found["cosine"] ** 2)[0] == pytest.approx(1, abs=1e-9)
    assert ((1 + end["x"] ** 2) * found["inverse_root"] ** 2)[0] == pytest.approx(1, abs=1e-9)
    assert ((1 + end["x"] ** 2) * found["slope"])[0] == pytest.approx(1, abs=1e-9)


def test_a_logarithm_costs_two_states_and_a_quotient_by_a_root_one():
    logarithm, note = lift(Flow(lambda q: -log(q), {"q": np.array([2.0])}))
    assert set(logarithm.states) == {"q", "reciprocal_of_integrator0", "log_of_integrator0"}
    assert note.startswith("lifted 1 log, 1 reciprocal: 2 more integrators and +")
    rooted, _ = lift(Flow(lambda q: -q / np.sqrt(1 + q * q), {"q": np.array([2.0])}))
    assert len(rooted.states) == 2


def test_only_what_is_asked_for_is_lifted_with_what_it_is_made_of():
    def rates(x, y):
        return np.sin(np.tanh(x) * y) - x, 0.3 + np.tanh(y) / (1 + np.exp(x)) - y

    flow = Flow(rates, {"x": np.array([0.4]), "y": np.array([-0.2])})
    lifted, _ = lift(flow, only=("sine",))
    counts = lifted.counts()
    # tanh(x) is behind the sine and becomes a state; tanh(y), exp and the quotient stay what they are.
    assert {kind: counts[kind] for kind in ("integrator", "tanh", "exp", "divider")} == {
        "integrator": 5, "tanh": 1, "exp": 1, "divider": 1,
    }  # fmt: skip
    there, here = integrate(flow.graph(), 10.0), integrate(lifted, 10.0)
    for signal in there.values:
        assert np.allclose(here.final[signal], there.final[signal], atol=1e-6, rtol=0)


def test_what_is_polynomial_is_left_alone():
    flow = Flow(lambda x: x * (1 - x), {"x": np.array([0.1])})
    lifted, note = lift(flow)
    assert note == "nothing to lift: the graph is polynomial"
    assert lifted.counts() == flow.graph().counts()
    _, note = lift(lift(FLOWS["capacity, logdomain"])[0])
    assert note.startswith("nothing to lift")


@settings(max_examples=25)
@given(
    weights=st.lists(st.floats(-1, 1), min_size=9, max_size=9),
    start=st.lists(st.floats(-0.8, 0.8), min_size=3, max_size=3),
)
def test_rates_at_the_start_are_those_of_the_functions(weights, start):
    A = np.array(weights).reshape(3, 3)

    def rates(x):
        y = A @ x
        return np.tanh(y) - x / (1 + y * y) + softmax(y) * np.exp(-x) + log(2 + np.sin(y)) + normalise(np.exp(y))

    flow = Flow(rates, {"x": np.array(start)})
    lifted, _ = lift(flow)
    here = VectorField(lifted)(0.0, lifted.initial())
    assert np.allclose(here[:3], flow.rates()["x"], atol=1e-12)
    # The lifted states' own rates are the derivatives of what they stand for along the flow.
    step = 1e-5
    field = VectorField(flow.graph())
    moved = [flow.states["x"] + sign * step * field(0.0, flow.states["x"]) for sign in (1, -1)]
    ahead, behind = (lift(Flow(rates, {"x": x}))[0].initial() for x in moved)
    assert np.allclose(here[3:], (ahead - behind)[3:] / (2 * step), atol=1e-5)


def two_steps(x):
    return comparator(x, 0.5) - x


@pytest.mark.parametrize(
    "function, message",
    [
        (two_steps, r"test_lifting\.py.*a comparator \('comparator0'\) is not smooth"),
        (lambda x: np.maximum(x, 0.0) - x, r"a positive part \('positive_part0'\) is not smooth"),
        (lambda x: x * white_noise(x), r"the multiplier 'multiplier0' has noise at its input; only noise that is added"),
        (lambda x: white_noise(x) - np.exp(x), r"the state 'x' is moved by noise and a function of it is to be lifted"),
    ],
)
def test_what_is_no_polynomial_is_refused(function, message):
    with pytest.raises(NoCell, match=message):
        lift(Flow(function, {"x": np.array([0.2])}))


@pytest.mark.parametrize(
    "function, start, message",
    [
        (lambda x: -log(x), -1.0, r"the logarithm of 'integrator0' starts at -1, where it is held at its floor of 1e-12"),
        (lambda x: 1 / x, 0.0, r"the reciprocal of 'integrator0' starts at 0"),
        (lambda x: np.sqrt(x), -2.0, r"the square root of 'integrator0' starts at -2"),
        (lambda x: np.exp(x), 90.0, r"the exponent 'integrator0' starts at 90, above 80"),
        (lambda x: normalise(x * np.array([1.0, -1.0])), 1.0, r"the normaliser of 'gain0' starts with a part of -1"),
    ],
)
def test_a_start_where_a_function_is_held_is_refused(function, start, message):
    with pytest.raises(BadInput, match=message):
        lift(Flow(function, {"x": np.full(2, start)}))


def test_additive_noise_is_kept_and_wrong_arguments_are_refused():
    lifted, _ = lift(langevin(Langevin("x**4/4", ["x"], temperature=0.3)))
    assert lifted.counts()["noise_source"] == 1
    with pytest.raises(
        BadInput, match=r"lift: 'zz' is no observable; there are: capacity_nats, z|lift: 'zz' is no observable"
    ):
        lift(capacity(PAPER), observables=["zz"])
    with pytest.raises(BadInput, match=r"restore is -1; give a rate per τ of 0 or more"):
        lift(capacity(PAPER), restore=-1)
