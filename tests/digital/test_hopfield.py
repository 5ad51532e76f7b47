"""Hopfield networks: digital rests against the reference, and a law that is learned only with the negative phase."""

import numpy as np
import pytest

from analogflow.digital import euler_rest, newton_rest, recall_and_learn, update_rest
from analogflow.errors import BadInput
from analogflow.problems import Hopfield
from analogflow.problems.hopfield import ACTIVATIONS
from analogflow.reference import hopfield_reference

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
        ({"network": Hopfield([[0.3]])}, r"the network is Hopfield\(.*\); give a linear one with a temperature above 0"),
        ({"network": Hopfield([[0.3]], activation="tanh", temperature=1.0)}, r"give a linear one with a temperature"),
        ({"data": [[1.0, 2.0]]}, r"the data have shape \(1, 2\); give rows of 1 finite numbers"),
        ({"data": None}, r"without data both averages are over one law and cancel"),
        ({"steps": 0, "rate": -1.0}, r"steps is 0; give a whole number from 1; rate is -1.0; give a positive number"),
    ],
)
def test_what_can_not_be_learned_is_refused(arguments, message):
    arguments = {"network": PAIR, "data": [[1.0]], "steps": 1, "rate": 0.1} | arguments
    with pytest.raises(BadInput, match=message):
        recall_and_learn(**arguments)
