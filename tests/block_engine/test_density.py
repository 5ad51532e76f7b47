"""Stationary laws on a grid: against laws that are known, against many paths, and what is said where a grid can not tell."""

import numpy as np
import pytest
from scipy.integrate import quad

from analogflow import Flow, Hopfield, Imperfections, Langevin, Noise, compile, ensemble
from analogflow.block_engine.density import density_law
from analogflow.block_engine.diffusion import diffusion_of
from analogflow.families import flow_of
from analogflow.graph import white_noise
from analogflow.passes import graph_under
from analogflow.reference import boltzmann_law
from analogflow.reference.hopfield import hopfield_reference

IDEAL = Imperfections()
TURNS = [[1.0, 0.8], [-0.8, 1.0]]
LEANS = [[1.0, 0.5], [0.5, 2.0]]
PROBLEMS = {
    "a double well": Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], 0.5),
    "a cold double well": Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], 0.05),
    "a flat floor": Langevin("x**6/6", ["x"], 1.0),
    "a mobility of its own": Langevin("x**2/2 + x**4/4", ["x"], 0.7, mobility=["1 + 0.5*x**2"]),
    "a small unit": Langevin("1e6*x**2 + 1e12*x**4", ["x"], 2.0, start=[0.0]),
    "two that are coupled": Langevin("0.5*x**2 + y**4/4 + 0.5*x*y", ["x", "y"], 0.4, mobility=[1.0, 1.5]),
    "two cold wells": Langevin("(x**2 - 1)**2 + 0.3*x + (y - x)**2", ["x", "y"], 0.1),
    "a mobility that turns": Langevin("(x**2 - 1)**2 + 0.3*x + (y - x)**2", ["x", "y"], 0.5, mobility=TURNS),
    "a mobility that leans": Langevin("(x**2 - 1)**2 + 0.3*x + (y - x)**2", ["x", "y"], 0.5, mobility=LEANS),
    "a bent valley": Langevin("(1 - x)**2 + 5*(y - x**2)**2", ["x", "y"], 1.0),
    "two mobilities": Langevin("(1 - x)**2 + (y - x)**4", ["x", "y"], 1.0, mobility=["1 + 0.2*y**2", "1 + 0.1*x**2"]),
    "three": Langevin("(x**2 - 1)**2 + 0.5*(x - y)**2 + 0.25*y**4 + 0.5*z**2 + 0.3*z*x", ["x", "y", "z"], 0.5),
}
SATURATING = Hopfield([[0.6]], [0.5], [[1]], [[1]], "tanh", 0.2)


def about(exact):
    """Points where a law lies, four standard deviations along each of its axes."""
    reach = 4 * np.linalg.cholesky(exact.covariance).T
    return exact.mean + np.concatenate([reach, -reach])


def diffusion(graph):
    found = diffusion_of(graph)
    assert found is not None
    return found


def law_of_graph(graph, near):
    law = density_law(diffusion(graph), near)
    assert law is not None
    return law


def off(law, mean, covariance):
    widths = np.sqrt(np.diag(covariance))
    return abs((law.mean - mean) / widths).max(), abs((law.covariance - covariance) / np.outer(widths, widths)).max()


def gaps(law):
    widths = np.sqrt(np.diag(law.covariance))
    return (law.mean_gap / widths).max(), (law.covariance_gap / np.outer(widths, widths)).max()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "three" else name for name in PROBLEMS]
)
def test_law_of_an_ideal_circuit_is_boltzmanns(name):
    """The grid is told where to look, and nothing of the energy: it sees the block graph's own field."""
    problem = PROBLEMS[name]
    exact = boltzmann_law(problem)
    law = law_of_graph(compile(flow_of(problem)).graph, about(exact))
    found, bounds = off(law, exact.mean, exact.covariance), gaps(law)
    known = exact.mean_gap.max() / law.mean_gap.max(), exact.covariance_gap.max() / law.covariance_gap.max()
    assert max(known) < 1
    assert found[0] <= bounds[0] < 1e-4
    assert found[1] <= bounds[1] < 2e-4
    assert law.method == ("quadrature" if problem.size == 1 else "fokker-planck")


def test_law_of_a_network_whose_noise_grows_with_its_states():
    exact = hopfield_reference(SATURATING)
    law = law_of_graph(compile(flow_of(SATURATING)).graph, about(exact))
    found, bounds = off(law, exact.mean, exact.covariance), gaps(law)
    assert found[0] <= bounds[0] < 1e-4
    assert found[1] <= bounds[1] < 1e-4


def multiplied(x, density):
    return (1 + x * x) ** 0.5 * white_noise(x, density) - x


def test_noise_that_is_multiplied_is_read_as_stratonovich_reads_it():
    """p ∝ (1 + x²)^(−½ − 1/s²): Student's law with ν = 2/s² degrees of freedom, of variance 1/(ν − 2)."""
    circuit = compile(Flow(multiplied, {"x": np.zeros(1)}, constants={"density": 0.3}))
    law = law_of_graph(circuit.graph, np.array([[-1.0], [1.0]]))
    assert law.covariance[0, 0] == pytest.approx(1 / (2 / 0.3**2 - 2), rel=1e-7)


@pytest.mark.parametrize("change", [1e-4, 1e-2])
def test_a_coefficient_that_changes_shifts_the_law_as_it_should(change):
    """The noise of the double well changes by 1 + δ: its law is that of another temperature, by SciPy's quadrature."""
    problem = PROBLEMS["a double well"]
    circuit = compile(flow_of(problem))

    def moment(power, temperature):
        def weight(x):
            return x**power * np.exp(-((x * x - 1) ** 2 + 0.3 * x) / temperature)

        return quad(weight, -6, 6, epsabs=1e-13, epsrel=1e-13, points=[-1, 1], limit=400)[0]

    law, undegraded = (
        law_of_graph(graph_under(circuit, IDEAL, Noise(sigma), 0), about(boltzmann_law(problem)))
        for sigma in (np.sqrt(2 * 0.5 * change), 0.0)
    )
    wanted = [moment(1, temperature) / moment(0, temperature) for temperature in (0.5 * (1 + change), 0.5)]
    assert law.mean[0] - undegraded.mean[0] == pytest.approx(wanted[0] - wanted[1], rel=1e-6)


def test_a_small_change_shifts_the_law_by_its_linear_response():
    """Of drift −E' + δ g the mean moves by δ Cov(x, G)/T, with G' = g; here g is what one part in its place delivers."""
    problem = PROBLEMS["a double well"]
    circuit, exact = compile(flow_of(problem)), boltzmann_law(problem)
    flaws = Imperfections(mismatch=1e-5)
    graph = graph_under(circuit, flaws, Noise(0.0), 0)
    degraded, ideal = diffusion(graph), diffusion(circuit.graph)
    law = law_of_graph(graph, about(exact))
    x = np.linspace(-4, 4, 80_001)[:, None]
    p = np.exp(-((x[:, 0] ** 2 - 1) ** 2 + 0.3 * x[:, 0]) / 0.5)
    p /= p.sum()
    spreads = [0.5 * float((each.spread(x[:1]) ** 2).sum()) for each in (degraded, ideal)]
    force = degraded.drift(x)[:, 0] / spreads[0] - ideal.drift(x)[:, 0] / spreads[1]
    potential = np.concatenate([[0.0], np.cumsum(0.5 * (force[1:] + force[:-1]))]) * (x[1, 0] - x[0, 0])
    shift = p @ (x[:, 0] * potential) - (p @ x[:, 0]) * (p @ potential)
    assert abs(shift) > 1e-7
    assert law.mean[0] - exact.mean[0] == pytest.approx(shift, rel=1e-3)


@pytest.mark.parametrize("name", ["two that are coupled", "a mobility that turns", "a mobility that leans"])
def test_law_of_a_degraded_circuit_is_that_of_many_paths_of_it(name):
    """Heun's rule, which knows nothing of densities; none of the three has an energy once its parts deviate."""
    problem = PROBLEMS[name]
    graph = graph_under(compile(flow_of(problem)), Imperfections(mismatch=0.1), Noise(0.0), 4)
    law, exact = law_of_graph(graph, about(boltzmann_law(problem))), boltzmann_law(problem)
    paths, step = 3000, 0.02
    field, rng = diffusion(graph).field, np.random.default_rng(2)
    y = exact.mean + rng.normal(size=(paths, 2)) @ np.linalg.cholesky(exact.covariance).T
    for _ in range(700):
        noise = rng.normal(size=(paths, len(field.streams))) * field.density / np.sqrt(step)
        ahead = field(0.0, y, noise)
        y = y + 0.5 * step * (ahead + field(0.0, y + step * ahead, noise))
    apart = off(law, y.mean(axis=0), np.cov(y.T))
    assert apart[0] < 4.5 / np.sqrt(paths)
    assert apart[1] < 4.5 * np.sqrt(2 / paths)
    seen = off(law, exact.mean, exact.covariance)
    assert max(seen) > 2 * max(apart)


@pytest.mark.slow
def test_law_of_a_degraded_double_well_is_that_of_an_ensemble():
    problem = PROBLEMS["a double well"]
    circuit, noise, flaws = compile(flow_of(problem)), Noise(0.0, 5, step=0.01), Imperfections(offset=0.3, gain_error=0.1)
    run = ensemble(circuit, 200, time_constants=25.0, imperfections=flaws, noise=noise)
    exact = boltzmann_law(problem)
    laws = [density_law(diffusion(graph_under(circuit, flaws, noise, k)), about(exact)) for k in range(200)]
    known = [law is not None for law in laws]
    means = np.array([law.mean[0] for law in laws if law is not None])
    spreads = np.array([law.covariance[0, 0] for law in laws if law is not None])
    ends = run.final["x"][known, 0]
    assert sum(known) > 195
    assert abs((ends - means).sum()) < 4.5 * np.sqrt(spreads.sum())
    regression = (means - means.mean()) @ ends / ((means - means.mean()) ** 2).sum()
    assert regression == pytest.approx(1.0, abs=4.5 * np.sqrt(spreads.mean() / ((means - means.mean()) ** 2).sum()))


def test_a_valley_that_a_mismatch_opens_has_no_law():
    """What cancels along the bent valley does so no more: far out the circuit runs away, and a box has no edge."""
    problem = PROBLEMS["a bent valley"]
    graph = graph_under(compile(flow_of(problem)), Imperfections(mismatch=0.01), Noise(0.0), 0)
    assert density_law(diffusion(graph), about(boltzmann_law(problem))) is None


def test_four_states_are_too_many_for_a_grid():
    problem = Langevin("a**4 + b**4 + c**4 + d**4 + a*b*c*d/9", ["a", "b", "c", "d"], 0.5)
    assert density_law(diffusion(compile(flow_of(problem)).graph), np.array([-np.ones(4), np.ones(4)])) is None


def test_a_state_without_noise_of_its_own_is_no_matter_for_a_grid():
    problem = PROBLEMS["a double well"]
    graph = graph_under(compile(flow_of(problem)), Imperfections(bandwidth=1e-3), Noise(0.0), 0)
    assert len(graph.states) > 1
    assert density_law(diffusion(graph), np.array([-np.ones(graph.size), np.ones(graph.size)])) is None


def test_a_law_far_from_where_it_is_looked_for_is_found():
    exact = boltzmann_law(PROBLEMS["two cold wells"])
    near = np.array([[4.0, 4.0], [4.2, 4.1], [4.1, 4.3]])
    law = law_of_graph(compile(flow_of(PROBLEMS["two cold wells"])).graph, near)
    assert max(off(law, exact.mean, exact.covariance)) < 1e-4
