"""The gap of every reference bounds its true error, on random and on nasty problems, by code and formulas that are not ours.

The quick run takes a few problems of each family, ``--slow`` two hundred. Nothing is statistical: a gap holds the right
value or not.
"""

import math

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from analogflow import Attention, Channel, Hopfield, Langevin, RateDistortion, Transport
from analogflow.errors import SimulationFailed
from analogflow.reference import (
    attention_reference,
    boltzmann_law,
    capacity_reference,
    hopfield_reference,
    path_end,
    rate_distortion_reference,
    transport_reference,
)

SWEEP = (pytest.mark.slow, pytest.mark.sweep)
NUMBERS = [*range(20), *(pytest.param(k, marks=SWEEP) for k in range(20, 200))]
each = pytest.mark.parametrize("number", NUMBERS)
mpmath.mp.dps = 40


def held(error, gap):
    """Whether a gap holds an error; it is not without end, and not larger than the numbers themselves."""
    assert 0 <= error <= gap < math.inf, (error, gap, error / max(gap, 1e-300))


def distributions(rng, n, m):
    """Rows of probability: some sparse, some nearly alike, some nearly deterministic."""
    kind = rng.integers(4)
    P = rng.dirichlet(np.full(m, [1.0, 0.1, 10.0, 1.0][kind]), n)
    if kind == 3:
        P = P[:1] + 10.0 ** -rng.uniform(1, 5) * (P - P[:1])
    P = np.maximum(P, 0) * (rng.random((n, m)) < 0.9) + 1e-12
    return P / P.sum(axis=1, keepdims=True)


def mp_information(P, z):
    """I(z), max D and all D in forty digits."""
    rows, weights = [[mpmath.mpf(float(x)) for x in row] for row in P], [mpmath.mpf(float(x)) for x in z]
    total = sum(weights)
    weights = [w / total for w in weights]
    q = [sum(w * row[j] for w, row in zip(weights, rows, strict=True)) for j in range(len(rows[0]))]
    D = [sum(p * mpmath.log(p / b) for p, b in zip(row, q, strict=True) if p > 0 and b > 0) for row in rows]
    return sum(w * d for w, d in zip(weights, D, strict=True)), D


@each
def test_capacity(number):
    rng = np.random.default_rng([1, number])
    channel = Channel(distributions(rng, *rng.integers(2, 8, 2)))
    found = capacity_reference(channel)
    lower, D = mp_information(channel.transition, found.input_distribution)
    # Blahut's bounds hold the capacity whoever found z; rows sum to 1 within rounding, which the bounds feel.
    error = max(abs(found.capacity_nats - lower), abs(max(D) - found.capacity_nats))
    held(float(error), found.gap)


@each
def test_capacity_with_a_cost(number):
    rng = np.random.default_rng([2, number])
    n, m = rng.integers(2, 7, 2)
    cost = rng.random(n) * (rng.random(n) < 0.8)
    limit = float(cost.min() + rng.uniform(0.05, 1.0) * (np.ptp(cost) + 0.01))
    channel = Channel(distributions(rng, n, m), cost=cost, cost_limit=limit)
    found = capacity_reference(channel)
    lower, D = mp_information(channel.transition, found.input_distribution)
    upper = max(d - found.price * e for d, e in zip(D, map(float, cost), strict=True)) + found.price * limit
    held(float(max(abs(found.capacity_nats - lower), abs(upper - found.capacity_nats))), found.gap)
    assert found.input_distribution @ cost <= limit + 1e-9


@each
def test_rate_distortion(number):
    rng = np.random.default_rng([3, number])
    n, m = rng.integers(2, 7, 2)
    d = [1 - np.eye(n, m), (np.arange(n)[:, None] - np.arange(m)) ** 2.0, rng.random((n, m)), rng.integers(0, 3, (n, m))][
        rng.integers(4)
    ]
    p = rng.dirichlet(np.full(n, rng.choice([0.2, 1.0, 5.0]))) + 1e-6
    problem = RateDistortion(p / p.sum(), d, float(10 ** rng.uniform(-1.5, 1.5)))
    found = rate_distortion_reference(problem)
    A = [[mpmath.exp(-mpmath.mpf(problem.beta) * mpmath.mpf(float(x))) for x in row] for row in problem.distortion]
    q = [mpmath.mpf(float(x)) for x in found.reproduction]
    q = [x / sum(q) for x in q]
    source = [mpmath.mpf(float(x)) for x in problem.source]
    Z = [sum(a * b for a, b in zip(row, q, strict=True)) for row in A]
    value = -sum(s * mpmath.log(z) for s, z in zip(source, Z, strict=True))
    scores = [sum(s * row[y] / z for s, row, z in zip(source, A, Z, strict=True)) for y in range(problem.reproductions)]
    lower = value - mpmath.log(max(scores))
    middle = found.bounds.upper
    held(float(max(abs(middle - value), abs(middle - lower))), found.gap)


@each
def test_transport(number):
    rng = np.random.default_rng([4, number])
    n, m = rng.integers(2, 7, 2)
    C = [rng.random((n, m)), (np.linspace(0, 1, n)[:, None] - np.linspace(0, 1, m)) ** 2, rng.integers(0, 3, (n, m)) / 2.0][
        rng.integers(3)
    ]
    a, b = (rng.dirichlet(np.full(k, rng.choice([0.5, 1.0, 20.0]))) + 1e-4 for k in (n, m))
    problem = Transport(C, a / a.sum(), b / b.sum(), float(10 ** rng.uniform(-2.5, 0.5)))
    found = transport_reference(problem)
    # Weak duality in forty digits, with the reference's own potential; the plan's value may lie below by its violation.
    eps, g = mpmath.mpf(problem.epsilon), [mpmath.mpf(float(x)) for x in found.potential]
    dual = sum(mpmath.mpf(float(x)) * y for x, y in zip(problem.column, g, strict=True))
    for row, mass in zip(problem.cost, problem.row, strict=True):
        terms = sum(mpmath.exp((y - mpmath.mpf(float(c))) / eps) for y, c in zip(g, row, strict=True))
        dual += mpmath.mpf(float(mass)) * eps * (mpmath.log(mpmath.mpf(float(mass))) - mpmath.log(terms))
    primal = sum(
        mpmath.mpf(float(x)) * (mpmath.mpf(float(c)) + eps * mpmath.log(mpmath.mpf(float(x))))
        for x, c in zip(found.plan.ravel(), problem.cost.ravel(), strict=True) if x > 0
    )  # fmt: skip
    off = found.violation * (problem.span + problem.epsilon * 60) * problem.mass
    held(float(abs(primal - dual)), found.gap + off)


def network(rng, temperature=0.0, activation=""):
    n, m = rng.integers(1, 5, 2)
    kind = activation or str(rng.choice(["linear", "tanh"]))
    G, F = rng.uniform(0.5, 2.0, n), rng.uniform(0.5, 2.0, m)
    U = rng.normal(size=(n, m))
    size = np.linalg.norm(np.sqrt(G)[:, None] * U * np.sqrt(F), 2)
    U *= (1 - 10 ** -rng.uniform(0.1, 5) if kind == "linear" else rng.uniform(0, 3)) / size
    return Hopfield(U, rng.normal(size=n), G, F, kind, temperature, rng.normal(size=n + m))


@each
def test_a_rest_of_hopfield(number):
    problem = network(np.random.default_rng([5, number]))
    found = hopfield_reference(problem)
    n = problem.visible
    U, G, F, current = (mpmath.matrix(x.tolist()) for x in (problem.U, problem.gain_v, problem.gain_h, problem.I))
    act = mpmath.tanh if problem.activation == "tanh" else (lambda x: x)

    def rates(*x):
        g, f = [act(G[i, i] * x[i]) for i in range(n)], [act(F[j, j] * x[n + j]) for j in range(problem.hidden)]
        up = [sum(U[i, j] * f[j] for j in range(problem.hidden)) - x[i] + current[i] for i in range(n)]
        return up + [sum(U[i, j] * g[i] for i in range(n)) - x[n + j] for j in range(problem.hidden)]

    exact = mpmath.findroot(rates, found.mean.tolist(), tol=1e-50, verify=False)
    held(float(max(abs(a - b) for a, b in zip(exact, found.mean.tolist(), strict=True))), found.gap)


@each
def test_a_gaussian_law_of_hopfield(number):
    problem = network(
        np.random.default_rng([6, number]), float(10 ** np.random.default_rng(number).uniform(-6, 1)), "linear"
    )
    found = hopfield_reference(problem)
    U, G, F = (mpmath.matrix(x.tolist()) for x in (problem.U, problem.gain_v, problem.gain_h))
    n, size = problem.visible, problem.size
    hessian = mpmath.matrix(size)
    coupling = -G * U * F
    for i in range(size):
        for j in range(size):
            inside = (i < n) == (j < n)
            block = (G[i, j] if i < n else F[i - n, j - n]) if inside else coupling[min(i, j), max(i, j) - n]
            hessian[i, j] = block
    exact = mpmath.mpf(problem.temperature) * mpmath.inverse(hessian)
    error = max(abs(exact[i, j] - mpmath.mpf(float(found.covariance[i, j]))) for i in range(size) for j in range(size))
    held(float(error), found.gap)


@pytest.mark.few(8)
@each
def test_a_saturating_law_of_hopfield(number):
    """One unit each: two nested integrals, from e^{−E/T} dg df as it is printed."""
    rng = np.random.default_rng([7, number])
    T = float(10 ** rng.uniform(-2, 0.5))
    problem = Hopfield([[rng.uniform(-2, 2)]], [rng.normal()], 1.0, float(rng.uniform(0.5, 2)), "tanh", T)
    found = hopfield_reference(problem)
    a, u, current = float(problem.gain_h[0, 0]), float(problem.U[0, 0]), float(problem.I[0])

    def log_weight(v, h):
        g, f = np.tanh(v), np.tanh(a * h)
        log_cosh = [np.logaddexp(x, -x) - math.log(2) for x in (v, a * h)]
        E = (v - current) * g + h * f - u * g * f - log_cosh[0] - log_cosh[1] / a
        return -E / T - 2 * log_cosh[0] - 2 * log_cosh[1]

    # The trapezoidal rule, geometric here; what lies beyond 18 is 1e-12 of the second moments.
    v, h = np.linspace(-26, 26, 2601), np.linspace(-26 / a, 26 / a, 2601)
    weights = log_weight(v[:, None], h)
    weights = np.exp(weights - weights.max())
    total = weights.sum()
    rows, columns = weights.sum(axis=1) / total, weights.sum(axis=0) / total
    mean = np.array([rows @ v, columns @ h])
    second = np.array([[rows @ v**2, v @ weights @ h / total], [v @ weights @ h / total, columns @ h**2]])
    error = max(abs(mean - found.mean).max(), abs(second - np.outer(mean, mean) - found.covariance).max())
    held(float(error), found.gap + 1e-12)


@each
def test_attention(number):
    """A third integration, by Radau's method at 1e-12; where tokens part, all differ by as much."""
    rng = np.random.default_rng([8, number])
    n, d = rng.integers(1, 5), rng.integers(2, 4)
    x = rng.normal(size=(n, d))
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    B, V = (rng.normal(size=(d, d)) for _ in range(2))
    problem = Attention(x, B, V, float(10 ** rng.uniform(-1, 1)), float(rng.uniform(0.2, 3.0)))
    found = attention_reference(problem)

    def field(_, y):
        y = y.reshape(n, d)
        scores = problem.beta * (y @ B) @ y.T
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        drive = (weights / weights.sum(axis=1, keepdims=True)) @ y @ V.T
        return (drive - (y * drive).sum(axis=1, keepdims=True) * y).ravel()

    run = solve_ivp(field, (0, problem.time), x.ravel(), method="DOP853", rtol=3e-14, atol=1e-15)
    held(float(abs(run.y[:, -1] - found.tokens.ravel()).max()), found.gap + 2e-12)


@each
def test_paths_of_equations(number):
    """Linear and logistic equations, whose paths are formulas: stiff, oscillating and growing."""
    rng = np.random.default_rng([9, number])
    n, time = int(rng.integers(1, 5)), float(rng.uniform(0.1, 20))
    A = rng.normal(size=(n, n)) - rng.uniform(0, 3) * np.eye(n)
    A *= 10 ** rng.uniform(-1, 1.5) / max(1.0, np.linalg.norm(A, 2))
    A -= max(0.0, float(np.linalg.eigvals(A).real.max()) - 0.2) * np.eye(n)
    start = rng.normal(size=n)
    states, gap = path_end(lambda s: {"x": A @ s["x"], "y": s["y"] * (1 - s["y"])}, {"x": start, "y": np.array([0.1])}, time)
    right = 0.1 * math.exp(time) / (1 + 0.1 * (math.exp(time) - 1))
    error = max(abs(expm(A * time) @ start - states["x"]).max(), abs(right - states["y"][0]))
    held(float(error), gap + 1e-13)


def rosenbrock(rng, number):
    T, a = 10 ** rng.uniform(-2, 0.5), 10 ** rng.uniform(0, 2)
    energy = f"({a!r}*(y - x**2)**2 + (1 - x)**2)/20"
    mean, c = [1.0, 1.0 + 10 * T], 10 * T
    # x ~ N(1, 10 T), y = x² + noise of variance 10 T/a.
    return Langevin(energy, ["x", "y"], T), mean, [[c, 2 * c], [2 * c, 2 * c * c + 4 * c + 10 * T / a]]


def banana(rng, number):
    T, b, turn = 10 ** rng.uniform(-2, 0), rng.uniform(0.3, 3), rng.uniform(0, 2 * math.pi)
    s, w = rng.uniform(0.5, 2), 10 ** rng.uniform(-1.5, 0)
    c, d = math.cos(turn), math.sin(turn)
    u, v = f"({c!r}*x + {d!r}*y)", f"({-d!r}*x + {c!r}*y)"
    energy = f"{u}**2/(2*{s * s!r}) + ({v} - {b!r}*{u}**2)**2/(2*{w * w!r})"
    S = T * s * s
    mean, C = np.array([0.0, b * S]), np.diag([S, 2 * b * b * S * S + T * w * w])
    R = np.array([[c, -d], [d, c]])
    return Langevin(energy, ["x", "y"], T), R @ mean, R @ C @ R.T


def wells(rng, number):
    """One variable, two or three wells, and a harmonic second one that knows nothing of it."""
    T = 10 ** rng.uniform(-1.5, 0)
    tilt, k = rng.normal() * 0.1, 10 ** rng.uniform(-1, 3)
    if rng.integers(2):
        text, f, reach = f"(x**2 - 1)**2 + {tilt!r}*x", lambda x: (x**2 - 1) ** 2 + tilt * x, 5.0
    else:
        text, f, reach = f"x**2/20 + cos(3*x) + {tilt!r}*x", lambda x: x**2 / 20 + np.cos(3 * x) + tilt * x, 60.0
    return Langevin(f"{text} + {k / 2!r}*y**2", ["x", "y"], T), *independent([(f, reach), (None, T / k)], T)


def flat(rng, number):
    """Nearly flat, steep and power-like directions, independent of each other, in one to three variables."""
    T, parts, texts = 10 ** rng.uniform(-2, 1), [], []
    names = ["x", "y", "z"][: 1 + number % (2 if number < 4 else 3)]  # three take seconds
    for name in names:
        power, scale = int(rng.choice([4, 6, 8])), 10 ** rng.uniform(-4, 4)
        moment = math.gamma(3 / power) / math.gamma(1 / power) * (T / scale) ** (2 / power)
        texts.append(f"{scale!r}*{name}**{power}")
        parts.append((None, moment))
    return Langevin(" + ".join(texts), names, T), *independent(parts, T)


def tails(rng, number):
    """(1 + x²)^{−a}: Student's law."""
    a = rng.uniform(3.0, 12.0)
    return Langevin(f"{a!r}*log(1 + x**2)", ["x"], 1.0), [0.0], [[1 / (2 * a - 3)]]


def independent(parts, T):
    mean, variance = [], []
    for f, extent in parts:
        if f is None:
            mean.append(0.0)
            variance.append(extent)
            continue
        x = np.linspace(-extent, extent, 400_001)
        energy = f(x)
        weights = np.exp(-(energy - energy.min()) / T)
        mean.append(weights @ x / weights.sum())
        variance.append(weights @ (x - mean[-1]) ** 2 / weights.sum())
    return mean, np.diag(variance)


@pytest.mark.parametrize("family", [rosenbrock, banana, wells, flat, tails], ids=lambda family: family.__name__)
@pytest.mark.parametrize("number", [*range(3), *(pytest.param(k, marks=SWEEP) for k in range(3, 40))])
def test_boltzmann_laws(family, number):
    problem, mean, covariance = family(np.random.default_rng([10, number]), number)
    law = boltzmann_law(problem)
    widths = np.sqrt(np.diag(covariance))
    rounding = 1e-13 * widths  # of the formulas, and of numbers written into the energy
    off = abs(law.mean - mean) - law.mean_gap - rounding - 1e-15 * abs(np.asarray(mean))
    assert off.max() <= 0
    assert (abs(law.covariance - covariance) - law.covariance_gap - np.outer(rounding, widths)).max() <= 0
    # A gap that held everything would say nothing: this is a tenth of what a law is judged to.
    assert (law.mean_gap / widths).max() <= 0.02
    assert (law.covariance_gap / np.outer(widths, widths)).max() <= 0.02


@pytest.mark.slow
def test_laws_of_people():
    """Rosenbrock's valley at T = 0.9, 1 and 2, x⁶, the Müller-Brown surface as printed, and a stiff spring."""
    for T in (0.9, 1.0, 2.0):
        law = boltzmann_law(Langevin("(100*(y-x**2)**2+(1-x)**2)/20", ["x", "y"], T))
        np.testing.assert_allclose(law.mean, [1, 1 + 10 * T], atol=law.mean_gap.max())
        right = [[10 * T, 20 * T], [20 * T, 200 * T * T + 40 * T + 0.1 * T]]
        assert (abs(law.covariance - right) <= law.covariance_gap).all()
        assert law.gap <= 1e-9
    law = boltzmann_law(Langevin("2000*(x-0.5)**6", ["x"], 1.0))
    right = math.gamma(0.5) / math.gamma(1 / 6) * 2000 ** (-1 / 3)
    assert abs(law.covariance[0, 0] - right) <= law.gap <= 1e-12
    assert boltzmann_law(Langevin("5000*x**2", ["x"], 1.0)).covariance[0, 0] == pytest.approx(1e-4, rel=1e-14)


def test_where_a_solution_ends_is_said():
    """x = 1/(1 − t) runs away at 1, and h = (1 − t/2)² is no solution beyond 2 that a formula with a root can follow."""
    with pytest.raises(SimulationFailed, match=r"^the solution runs away near t = 1 τ, .* before it in place of 2 τ"):
        path_end(lambda s: {"x": s["x"] ** 2}, {"x": np.ones(1)}, 2.0)
    with pytest.raises(
        SimulationFailed, match=r"^the solution runs away or stops being a real number near t = (2|1\.99\d*) τ"
    ):
        path_end(lambda s: {"h": -np.sqrt(s["h"])}, {"h": np.ones(1)}, 5.0)
