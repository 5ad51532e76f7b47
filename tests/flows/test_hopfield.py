"""The Hopfield flow: its equations, the descent of its energy along circuits, and what its noise stands for."""

import numpy as np
import pytest
from scipy.integrate import simpson

from analogflow import Noise, compile, degrade, ensemble, netlist, parity, simulate, solve
from analogflow.errors import BadInput
from analogflow.flows import Flow, hopfield
from analogflow.graph import white_noise
from analogflow.problems import Hopfield
from analogflow.problems.hopfield import ACTIVATIONS
from analogflow.reference import hopfield_reference
from analogflow.reference.hopfield import energy, metric, rates
from analogflow.simulators.block import follow

activations = pytest.mark.parametrize("activation", ["linear", "tanh"])
all_activations = pytest.mark.parametrize("activation", ACTIVATIONS)
engines = pytest.mark.parametrize("engine", ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)])


def network(activation, temperature=0.0, seed=0, n=3, m=2, start=None):
    rng = np.random.default_rng(seed)
    U, inputs = rng.normal(size=(n, m)), rng.normal(size=n)
    if activation == "tanh":
        return Hopfield(U, inputs, rng.uniform(0.5, 2, n), rng.uniform(0.5, 2, m), "tanh", temperature, start)
    A, B = rng.normal(size=(n, n)), rng.normal(size=(m, m))
    G, F = A @ A.T / n + 0.5 * np.eye(n), B @ B.T / m + 0.5 * np.eye(m)
    if activation == "softmax":
        return Hopfield(U, inputs, G, 1.5, "softmax", temperature, start)
    U *= 0.7 / np.sqrt(np.linalg.eigvals(U.T @ G @ U @ F).real.max())
    return Hopfield(U, inputs, G, F, "linear", temperature, start)


@all_activations
def test_rates_and_observables_are_those_of_the_reference(activation):
    problem = network(activation)
    flow = hopfield(problem)
    x = np.random.default_rng(1).normal(size=5)
    v, h = x[:3], x[3:]
    np.testing.assert_allclose(np.concatenate([*flow.rates(v=v, h=h).values()]), rates(problem, x), rtol=1e-13)
    assert flow.observe("energy", v=v, h=h) == pytest.approx(energy(problem, x), rel=1e-13)
    rate = rates(problem, x)
    assert flow.observe("descent", v=v, h=h) == pytest.approx(-rate @ metric(problem, x) @ rate, rel=1e-13)


def test_drift_of_a_linear_network_is_the_same_with_noise():
    cold, warm = hopfield(network("linear")), hopfield(network("linear", 0.3))
    x = {"v": np.ones(3), "h": -np.ones(2)}
    for name, rate in cold.rates(**x).items():
        np.testing.assert_array_equal(warm.rates(**x)[name], rate)
    assert cold.averaging is None
    assert warm.averaging is not None


@engines
def test_a_run_goes_on_until_the_hidden_states_rest(engine):
    """Without couplings v starts where it rests, and h decays from 1."""
    problem = Hopfield(np.zeros((2, 2)), np.array([1.0, -1.0]), start=[1.0, -1.0, 1.0, 1.0])
    found = solve(problem, engine=engine)
    assert found.passed, str(found.certificate)
    assert abs(found.run.final["h"]).max() < 1e-7
    assert found.settling_time == pytest.approx(np.log(1e6), abs=0.5)


@engines
def test_large_states_come_to_rest_too(engine):
    """h rests at some 5e5, where an integrator's own error per step is larger than what counts as rest."""
    found = solve(Hopfield([[0.5]], [1.0], 1e6, 1e-6), engine=engine)
    assert found.passed, str(found.certificate)
    assert abs(found.run.final["h"][0]) > 1e5


def test_drift_of_a_saturating_network_has_ito_s_correction():
    """−½ B B' with B = √(2T/G) cosh(G v), by differences."""
    T, problem = 0.3, network("tanh", 0.3)
    x = np.random.default_rng(2).normal(size=5)
    gains = np.concatenate([problem.gain_v.diagonal(), problem.gain_h.diagonal()])

    def spread(y):
        return np.sqrt(2 * T / gains) * np.cosh(gains * y)

    correction = -0.5 * spread(x) * (spread(x + 1e-6) - spread(x - 1e-6)) / 2e-6
    drift = np.concatenate([*hopfield(problem).rates(v=x[:3], h=x[3:]).values()])
    np.testing.assert_allclose(drift, rates(problem, x) + correction, rtol=1e-7)


@engines
@activations
def test_energy_falls_along_circuits_as_the_theorem_says(engine, activation):
    """Energy and dE/dt at every point of a run, to 1e-8; in ngspice to what its nodes are solved to."""
    problem = network(activation, start=np.array([2.0, -1.0, 1.0, -2.0, 1.5]))
    run = simulate(netlist(compile(hopfield(problem)), time_constants=4.0, largest_step=1e-3), engine=engine)
    states = np.concatenate([run.values["v"], run.values["h"]], axis=1)
    within = 1e-8 if engine == "block" else 1e-6
    energies = [energy(problem, x) for x in states]
    lost = [-(rate := rates(problem, x)) @ metric(problem, x) @ rate for x in states]
    np.testing.assert_allclose(run.values["energy"][:, 0], energies, rtol=0, atol=within)
    np.testing.assert_allclose(run.values["descent"][:, 0], lost, rtol=0, atol=10 * within)
    assert np.diff(run.values["energy"][:, 0]).max() <= 1e-8
    assert run.values["descent"].max() <= 1e-8


@activations
def test_energy_lost_by_a_circuit_is_the_integral_of_its_descent(activation):
    """E(3) − E(0) = ∫ dE/dt to 1e-8, by Simpson's rule on the run's own points."""
    problem = network(activation, start=np.array([2.0, -1.0, 1.0, -2.0, 1.5]))
    run = follow(compile(hopfield(problem)), np.linspace(0.0, 3.0, 1501), step_accuracy=1e-10)
    E = run.values["energy"][:, 0]
    assert E[-1] - E[0] == pytest.approx(simpson(run.values["descent"][:, 0], x=run.time), abs=1e-8)
    assert E[-1] - E[0] < -1


def stationary(function, gain, T, seed=1, chains=1500):
    flow = Flow(function, {"v": np.zeros(1)}, constants={"a": gain, "T": T})
    return ensemble(compile(flow), chains, noise=Noise(0.0, seed, 0.01), time_constants=8.0, step_accuracy=1e-4)


def heated(v, a, T):
    """Without couplings, Itô's drift −v: the flow's own way."""
    rising, falling = np.exp(a * v), np.exp(-a * v)
    return -v + 0.5 * (rising + falling) * (white_noise(v, np.sqrt(2 * T / a)) - 0.5 * T * (rising - falling))


def uncorrected(v, a, T):
    rising, falling = np.exp(a * v), np.exp(-a * v)
    return -v + 0.5 * (rising + falling) * white_noise(v, np.sqrt(2 * T / a))


def with_divergence(v, a, T):
    """With T div K = 2T sinh cosh in Itô's drift: + T sinh cosh in Stratonovich's."""
    rising, falling = np.exp(a * v), np.exp(-a * v)
    return -v + 0.5 * (rising + falling) * (white_noise(v, np.sqrt(2 * T / a)) + 0.5 * T * (rising - falling))


def test_ito_s_correction_is_what_gives_the_law():
    """A state without couplings has the density e^{−E/T} dg; without the correction it spreads wider."""
    T, chains = 0.3, 1500
    problem = Hopfield([[1e-12]], None, 1.5, 1.0, "tanh", T)
    variance = hopfield_reference(problem).covariance[0, 0]
    found = stationary(heated, 1.5, T, chains=chains)
    assert found.ok.all()
    values = found.final["v"].ravel()
    error = np.sqrt(((values**2 - values.var()) ** 2).mean() / chains)
    assert abs(values.var() - variance) <= 3 * error
    wide = stationary(uncorrected, 1.5, T, chains=chains)
    spread = wide.final["v"].ravel()
    assert not wide.ok.all() or abs(spread.var() - variance) > 10 * error


def test_with_the_divergence_of_the_mobility_a_saturating_state_runs_away():
    """Within 8 τ nearly all do; with the other sign none does."""
    assert stationary(with_divergence, 1.5, 0.3, chains=50).ok.mean() < 0.2
    assert stationary(heated, 1.5, 0.3, chains=50).ok.all()


@pytest.mark.ngspice
@activations
def test_both_engines_follow_one_noisy_path(activation):
    circuit = degrade(compile(hopfield(network(activation, 0.1, n=2))), noise=Noise(0.0, 3, 0.05))
    assert parity(circuit, time_constants=5.0, largest_step=0.005).worst < 1e-3


def test_a_form_that_is_none_is_refused():
    with pytest.raises(BadInput, match=r"form 'printed' of the hopfield flow is not known; known are: relaxation"):
        hopfield(network("linear"), form="printed")
