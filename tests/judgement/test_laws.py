"""Laws of degraded circuits: solved for, or averaged beside the circuit without flaws, and both say the same."""

import numpy as np
import pytest

import analogflow as af
from analogflow.blocks import Imperfections
from analogflow.compiler import circuit_of
from analogflow.families.files import read_problem
from analogflow.families.stationary import law_of
from analogflow.judgement.laws import BY_CHAINS, METHODS, averaged_shift, averaged_shifts, solved_law, solved_shift
from analogflow.noise import Noise
from analogflow.reference import boltzmann_law

WELL = af.Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], 0.5)
COUPLED = af.Langevin("0.5*x**2 + y**4/4 + 0.5*x*y", ["x", "y"], 0.4, mobility=[1.0, 1.5])
NETWORK = af.Hopfield([[0.6]], [0.5], [[1]], [[1]], "linear", 0.2)


def under(problem, flaws=None, noise=0.0, sample=0):
    nominal = circuit_of(problem)
    return circuit_of(nominal, noise=noise, imperfections=flaws or Imperfections(), seed=3, sample=sample), nominal


@pytest.mark.parametrize(("problem", "method"), [(WELL, "quadrature"), (COUPLED, "fokker-planck"), (NETWORK, "lyapunov")])
def test_a_circuit_without_flaws_has_no_error(problem, method):
    shift = solved_shift(*under(problem))
    assert shift is not None
    assert shift.method == method
    for name in shift.NAMES:
        assert shift.errors[name] <= shift.sampling[name] < 1e-4


@pytest.mark.parametrize("problem", [WELL, NETWORK])
def test_a_mismatch_of_one_percent_is_seen(problem):
    """In each sample, far above three times what the solver may be off by."""
    for sample in range(4):
        shift = solved_shift(*under(problem, Imperfections(mismatch=0.01), sample=sample))
        assert shift is not None
        assert shift.errors["covariance"] > 1e3 * shift.sampling["covariance"]


def test_noise_at_an_integrator_raises_the_temperature():
    """σ² adds to 2T: E/T of the double well at another T, which the reference knows."""
    circuit, nominal = under(WELL, noise=0.3)
    shift = solved_shift(circuit, nominal)
    assert shift is not None
    warm, cold = (boltzmann_law(af.Langevin(WELL.energy.text, ["x"], T)) for T in (0.5 + 0.3**2 / 2, 0.5))
    assert shift.errors["mean"] == pytest.approx(abs(warm.mean - cold.mean)[0], rel=1e-6)
    assert shift.errors["covariance"] == pytest.approx(abs(warm.covariance - cold.covariance)[0, 0], rel=1e-6)


def test_a_pole_is_a_state_of_a_linear_circuit_and_none_of_its_law():
    per_tau = 50 / (2 * np.pi * circuit_of(NETWORK).units.time_constant)
    circuit, nominal = under(NETWORK, Imperfections(bandwidth=per_tau))
    law, exact = solved_law(circuit), solved_law(nominal)
    assert law is not None
    assert exact is not None
    assert len(circuit.graph.states) > 2
    assert law.mean == pytest.approx(exact.mean, abs=1e-10)
    assert abs(law.covariance - exact.covariance).max() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("problem", [WELL, pytest.param(NETWORK, marks=pytest.mark.slow)])
def test_chains_find_what_is_solved_for(problem):
    """Beside the undegraded circuit, under the same noise: within their standard errors, which are small for that."""
    flaws, samples = Imperfections(mismatch=0.03), [0, 1, 2, 3]
    noise = Noise(0.0, 3, under(problem)[1].noise.step)
    told = averaged_shifts(circuit_of(problem), samples, imperfections=flaws, noise=noise, engine="block", end=500.0)
    for sample, (found, run) in zip(samples, told, strict=True):
        exact = solved_shift(*under(problem, flaws, sample=sample))
        assert exact is not None
        assert found is not None
        assert found.method == BY_CHAINS
        assert run.outcome.ok
        for name in exact.NAMES:
            assert abs(found.errors[name] - exact.errors[name]) < 4.5 * found.sampling[name] + 0.1 * exact.errors[name]


@pytest.mark.slow
def test_the_same_noise_sees_what_other_noise_would_hide():
    """The standard error of the difference is a small part of that of either average."""
    flaws = Imperfections(mismatch=0.01)
    nominal = circuit_of(NETWORK)
    noise = Noise(0.0, 3, nominal.noise.step)
    ((found, run),) = averaged_shifts(nominal, [1], imperfections=flaws, noise=noise, engine="block", end=500.0)
    assert found is not None
    alone = law_of(run, ["v", "h"], skipped=20.0)
    assert found.sampling["mean"] < 0.1 * alone.mean_error.max()
    assert found.errors["mean"] > 3 * found.sampling["mean"]


def test_without_flaws_chains_differ_by_nothing():
    nominal = circuit_of(WELL)
    noise = Noise(0.0, 3, nominal.noise.step)
    for found, _ in averaged_shifts(nominal, [0, 1], imperfections=Imperfections(), noise=noise, engine="block", end=50.0):
        assert found is not None
        assert set(found.errors.values()) == {0.0}
        assert set(found.sampling.values()) == {0.0}


@pytest.mark.slow
def test_a_chain_that_runs_away_is_no_law():
    unstable = af.Hopfield([[0.95]], [0.5], [[1]], [[1]], "linear", 0.2)
    nominal = circuit_of(unstable)
    noise = Noise(0.0, 3, nominal.noise.step)
    flaws = Imperfections(mismatch=0.3)
    told = averaged_shifts(nominal, range(8), imperfections=flaws, noise=noise, engine="block", end=300.0)
    solved = [solved_shift(*under(unstable, flaws, sample=k)) for k in range(8)]
    gone = [run.outcome is af.Outcome.BLEW_UP for _, run in told]
    assert any(gone)
    for shift, away, law in zip([shift for shift, _ in told], gone, solved, strict=True):
        assert (shift is None) == away
        assert not away or law is None


@pytest.mark.slow
@pytest.mark.ngspice
def test_chains_of_a_simulator_find_what_the_block_engines_do():
    flaws = Imperfections(mismatch=0.05)
    circuit, nominal = under(NETWORK, flaws, sample=2)
    alike = circuit_of(nominal, noise=0.0, imperfections=Imperfections(), seed=3, sample=2)
    found, run = averaged_shift(circuit, alike, engine="ngspice", end=60.0, time_limit=600.0)
    ((block, _),) = averaged_shifts(
        nominal, [2], imperfections=flaws, noise=Noise(0.0, 3, nominal.noise.step), engine="block", end=60.0
    )
    assert found is not None
    assert block is not None
    assert run.outcome.ok
    for name in found.NAMES:
        assert found.errors[name] == pytest.approx(block.errors[name], rel=0.02)


def test_what_is_in_no_graph_is_not_solved_for():
    assert solved_law(circuit_of(read_problem("hopfield", "examples/data/hopfield_law.json"), technology="opamp")) is None


def test_every_method_has_its_words():
    assert {"lyapunov", "quadrature", "fokker-planck", BY_CHAINS} == set(METHODS)
    assert np.all([bool(words) for words in METHODS.values()])
