"""Hopfield networks: digital rests against the reference, and a law that is learned only with the negative phase."""

import numpy as np
import pytest

from analogflow import Noise, compile, degrade, ensemble, netlist, simulate
from analogflow.digital import euler_rest, newton_rest, recall_and_learn, update_rest
from analogflow.errors import BadInput
from analogflow.flows import hopfield
from analogflow.problems import Hopfield
from analogflow.problems.hopfield import ACTIVATIONS
from analogflow.reference import correlation, hopfield_reference, log_likelihood
from analogflow.reference.hopfield_learning import clamped_correlation

U = [[0.3, 0.0], [0.1, 0.2]]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("find", [euler_rest, newton_rest])
def test_the_rest_is_found(find, activation):
    problem = Hopfield(U, [0.5, -0.5], activation=activation)
    run = find(problem, rate=1e-11)
    assert run.converged
    assert run.state == pytest.approx(hopfield_reference(problem).mean, abs=1e-10)
    assert find(problem, rate=1e-11, most=1).converged is (find is newton_rest and activation == "linear")


def test_gains_are_in_the_jacobian():
    problem = Hopfield(U, [0.5, -0.5], gain_v=np.diag([2.0, 0.5]), gain_h=np.diag([1.5, 1.0]), activation="tanh")
    run = newton_rest(problem, rate=1e-13)
    assert run.iterations < 10
    assert run.state == pytest.approx(hopfield_reference(problem).mean, abs=1e-11)


def test_the_update_of_a_softmax_network_is_attention():
    problem = Hopfield([[1.0, -0.5], [0.2, 0.9]], [0.1, 0.0], [1.0, 0.7], 3.0, "softmax", start=[0.5, 0.5, 0, 0])
    run = update_rest(problem, rate=1e-13)
    assert run.converged
    assert run.state == pytest.approx(hopfield_reference(problem).mean, abs=1e-11)
    once = update_rest(problem, most=1).state[:2]
    scores = np.exp(3.0 * problem.U.T @ problem.gain_v @ [0.5, 0.5])
    assert once == pytest.approx(problem.U @ scores / scores.sum() + problem.I)
    with pytest.raises(BadInput, match="the activation is 'linear', and this is for 'softmax' alone"):
        update_rest(Hopfield(U))


def test_numbers_out_of_range_are_refused():
    with pytest.raises(BadInput, match="step is 0; give a number above 0"):
        euler_rest(Hopfield(U), step=0)


PAIR = Hopfield([[0.3]], temperature=1.0)


def data_of(covariance, count=500, seed=0):
    """Samples whose second moments are exactly `covariance`."""
    samples = np.random.default_rng(seed).normal(size=(count, len(covariance)))
    samples = samples @ np.linalg.inv(np.linalg.cholesky(samples.T @ samples / count)).T
    return samples @ np.linalg.cholesky(covariance).T


def test_without_the_negative_phase_the_energy_loses_its_bound_after_17_steps():
    learning = recall_and_learn(PAIR, None, steps=100, rate=0.05, negative=False)
    assert learning.lost == 17
    assert learning.couplings[-1].item() == pytest.approx(1.175, abs=5e-4)
    assert (np.diff(learning.norms) > 0).all()
    assert (learning.norms[:-1] < 1).all()


def test_nor_do_data_alone_hold_it():
    assert recall_and_learn(PAIR, data_of([[1.5]]), steps=100, rate=0.05, negative=False).lost is not None


def test_with_the_negative_phase_the_pair_learns_the_variance_of_its_data():
    """T/(1 − U²) is the variance of v: it is that of the data at U = √(1 − T/variance)."""
    learning = recall_and_learn(PAIR, data_of([[1.5]]), steps=600, rate=0.05)
    assert learning.lost is None
    assert learning.norms.max() < 1
    assert learning.couplings[-1].item() == pytest.approx(np.sqrt(1 - 1 / 1.5), abs=1e-9)


@pytest.mark.slow
def test_a_larger_network_learns_the_covariance_of_its_data():
    rng = np.random.default_rng(4)
    A = rng.normal(size=(3, 3))
    covariance = 0.5 * np.eye(3) + 0.2 * A @ A.T
    G, F = np.diag([2.5, 3.0, 2.2]), np.array([[1.0, 0.2], [0.2, 0.8]])
    start = Hopfield(rng.normal(size=(3, 2)) * 0.1, None, G, F, temperature=1.0)
    full = Hopfield(rng.normal(size=(3, 3)) * 0.1, None, G, 1.0, temperature=1.0)
    for network in (start, full):
        learning = recall_and_learn(network, data_of(covariance), steps=6000, rate=0.01)
        assert learning.lost is None
        learned = hopfield_reference(network.with_couplings(learning.couplings[-1]))
        if network is full:
            np.testing.assert_allclose(learned.covariance[:3, :3], covariance, atol=1e-8)


def test_recall_is_the_average_over_the_network_s_law():
    rng = np.random.default_rng(2)
    G, F = np.array([[1.2, 0.3], [0.3, 0.9]]), np.diag([1.1, 0.7, 1.0])
    network = Hopfield(0.3 * rng.normal(size=(2, 3)), [0.4, -0.2], G, F, temperature=0.7)
    reference = hopfield_reference(network)
    moments = reference.covariance + np.outer(reference.mean, reference.mean)
    asked = []

    def recall(model):
        asked.append(model)
        return G @ moments[:2, 2:] @ F

    by_reference = recall_and_learn(network, data_of(np.eye(2)), steps=1, rate=0.1, recall=recall)
    exact = recall_and_learn(network, data_of(np.eye(2)), steps=1, rate=0.1)
    assert asked == [network]
    np.testing.assert_allclose(exact.couplings, by_reference.couplings, atol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"network": Hopfield([[0.3]])},
            r"the network is Hopfield\(.*\); give a linear or tanh one with a temperature above",
        ),
        ({"network": Hopfield([[0.3]], activation="softmax")}, r"give a linear or tanh one with a temperature"),
        (
            {"network": Hopfield([[0.3]], activation="tanh", temperature=1.0)},
            r"give recall=analogflow.reference.correlation",
        ),
        ({"data": [[1.0, 2.0]]}, r"the data have shape \(1, 2\); give rows of 1 finite numbers"),
        ({"data": None}, r"without data both averages are over one law and cancel"),
        ({"steps": 0, "rate": -1.0}, r"steps is 0; give a whole number from 1; rate is -1.0; give a positive number"),
    ],
)
def test_what_can_not_be_learned_is_refused(arguments, message):
    arguments = {"network": PAIR, "data": [[1.0]], "steps": 1, "rate": 0.1} | arguments
    with pytest.raises(BadInput, match=message):
        recall_and_learn(**arguments)


def two_lumps(count=300, seed=3):
    """Visible states about (1, 0.8) and its reverse: their density has two peaks."""
    rng = np.random.default_rng(seed)
    return rng.choice([-1.0, 1.0], (count, 1)) * [1.0, 0.8] + 0.4 * rng.normal(size=(count, 2))


def saturating(U=((0.2,), (0.1,)), temperature=0.2):
    return Hopfield(U, None, [1.2, 0.9], 1.0, "tanh", temperature)


def test_what_is_clamped_is_averaged_as_the_reference_does():
    data = two_lumps()
    for temperature in (1.0, 0.2, 1e-3):
        network = saturating(temperature=temperature)
        learning = recall_and_learn(network, data, steps=1, rate=1.0, negative=False, recall=correlation)
        clamped = clamped_correlation(network, data)
        np.testing.assert_allclose(learning.couplings[1] - network.U, clamped, atol=1e-12)


@pytest.mark.slow
def test_a_saturating_network_learns_until_both_averages_agree_and_its_likelihood_rises_all_the_way():
    data = two_lumps()
    learning = recall_and_learn(saturating(), data, steps=200, rate=0.05, recall=correlation)
    assert learning.lost is None
    networks = [saturating(U) for U in learning.couplings]
    likelihoods = [log_likelihood(network, data) for network in networks[::10]]
    assert (np.diff(likelihoods) > 0).all()
    assert learning.norms[-1] > 1  # what would be lost with linear units, and is what makes two valleys of one
    far = recall_and_learn(networks[-1], data, steps=300, rate=0.4, recall=correlation).couplings[-1]
    left = clamped_correlation(saturating(far), data) - correlation(saturating(far))
    assert abs(left).max() < 1e-5


@pytest.mark.slow
def test_a_saturating_network_learns_two_lumps_and_a_linear_one_their_covariance():
    """On the same data: the linear one has their second moments exactly, and explains them worse than the other."""
    data = two_lumps()
    moment = data.T @ data / len(data)
    linear = Hopfield([[0.4, 0.1], [0.1, 0.4]], temperature=0.06)
    learned = recall_and_learn(linear, data, steps=6000, rate=0.01)
    assert learned.lost is None
    gaussian = linear.with_couplings(learned.couplings[-1])
    np.testing.assert_allclose(hopfield_reference(gaussian).covariance[:2, :2], moment, atol=1e-9)
    best = -0.5 * (2 + np.linalg.slogdet(moment)[1] + 2 * np.log(2 * np.pi))
    assert log_likelihood(gaussian, data) == pytest.approx(best, abs=1e-8)
    tanh = recall_and_learn(saturating(), data, steps=200, rate=0.4, recall=correlation)
    assert log_likelihood(saturating(tanh.couplings[-1]), data) > best + 0.35


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])
def test_a_circuit_recalls_for_a_saturating_network(engine):
    """⟨g fᵀ⟩ of runs of the circuit, within 4 standard errors of its own chains; and one step of learning by it."""
    network = saturating(((0.6,), (0.3,)))
    if engine == "block":
        circuit = compile(hopfield(network))
        many = ensemble(circuit, 1000, noise=Noise(0.0, seed=1, step=0.02), time_constants=8.0, step_accuracy=1e-3)
        assert many.ok.all()
        parts = recalled(network, many.final["v"], many.final["h"])
        error = parts.std(axis=0) / np.sqrt(len(parts))
    else:
        circuit = degrade(compile(hopfield(network)), noise=Noise(0.0, 3, 0.04))
        run = simulate(netlist(circuit, time_constants=150.0), engine=engine)
        times = np.linspace(20.0, 150.0, 2601)
        v, h = (np.interp(times, run.time, run.values[name][:, k]) for name, k in (("v", 0), ("h", 0)))
        w = np.interp(times, run.time, run.values["v"][:, 1])
        parts = recalled(network, np.stack([v, w], axis=1), h[:, None])
        blocks = np.array_split(parts, 20)  # of 6.5 τ each, which is longer than what is remembered
        error = np.std([block.mean(axis=0) for block in blocks], axis=0) / np.sqrt(20)
    found = parts.mean(axis=0)
    assert (abs(found - correlation(network)) < 4 * error + 0.02 * 7 / 30).all()
    assert error.max() < 0.1
    data = two_lumps()
    by_circuit = recall_and_learn(network, data, steps=1, rate=0.1, recall=lambda _: found).couplings[-1]
    exact = recall_and_learn(network, data, steps=1, rate=0.1, recall=correlation).couplings[-1]
    assert abs(by_circuit - exact).max() < 0.1 * (4 * error.max() + 0.01)


def recalled(network, v, h):
    """g fᵀ of each state, shape (states, n, m)."""
    g, f = np.tanh(v @ network.gain_v), np.tanh(h @ network.gain_h)
    return g[:, :, None] * f[:, None, :]
