"""Random problems of every family, each solved by its circuit and held against its reference.

Sizes, shapes and degeneracy vary: dense, sparse, nearly deterministic, repeated rows, narrow and wide. A problem is made
from its family and number alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import analogflow as af

TOLERANCE = 1e-6
"""Largest error that the checks let pass, in nats, in probability, in coordinates, over the mass or the cost's range."""


class Family(NamedTuple):
    """How problems of a family are drawn, from which stream, and how many are asked for in each engine."""

    stream: int
    make: Callable[[np.random.Generator], Any]
    forms: tuple[str, ...]
    block: int = 2000
    ngspice: int = 100
    law: bool = False


def distributions(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Rows that are even, peaked or sparse, some of them repeated, some of their entries tiny."""
    P = rng.dirichlet(np.full(columns, rng.choice([0.2, 1.0, 5.0])), rows)
    kind = rng.integers(5)
    if kind == 0:
        P = P * (rng.random(P.shape) < 0.6) + 1e-9 * (P == P.max(axis=1, keepdims=True))
    elif kind == 1:
        P[rng.integers(rows)] = P[rng.integers(rows)]
    elif kind == 2:
        P = 0.9 * np.eye(rows, columns)[rng.permutation(rows)] + 0.1 * P if rows <= columns else P
    elif kind == 3:
        P[rng.integers(rows), rng.integers(columns)] *= 1e-12
    P = P[:, P.sum(axis=0) > 0]
    return P / P.sum(axis=1, keepdims=True)


def capacity(rng: np.random.Generator) -> af.Channel:
    """2 to 6 inputs, 2 to 6 outputs."""
    return af.Channel(distributions(rng, *rng.integers(2, 7, 2)))


def rate_distortion(rng: np.random.Generator) -> af.RateDistortion:
    """Hamming's, squared and random distortions, some with zeros or equal letters; β from 0.1 to 30."""
    n, m = rng.integers(2, 7, 2)
    kind = rng.integers(4)
    d = (1 - np.eye(n, m), (np.arange(n)[:, None] - np.arange(m)) ** 2.0, rng.random((n, m)), rng.integers(0, 3, (n, m)))[
        kind
    ]
    p = rng.dirichlet(np.full(n, rng.choice([0.5, 5.0]))) + 1e-9
    return af.RateDistortion(p / p.sum(), d, float(np.exp(rng.uniform(np.log(0.1), np.log(30)))))


def transport(rng: np.random.Generator) -> af.Transport:
    """Random, squared and repeated costs; even and uneven masses; ε from a twentieth of the range to the range."""
    n, m = rng.integers(2, 7, 2)
    kind = rng.integers(3)
    C = (rng.random((n, m)), (np.linspace(0, 1, n)[:, None] - np.linspace(0, 1, m)) ** 2, rng.integers(0, 3, (n, m)) / 2.0)[
        kind
    ]
    a, b = (rng.dirichlet(np.full(k, rng.choice([1.0, 20.0]))) + 1e-3 for k in (n, m))
    return af.Transport(C, a / a.sum(), b / b.sum(), float(np.exp(rng.uniform(np.log(0.05), 0))))


def attention(rng: np.random.Generator) -> af.Attention:
    """1 to 6 tokens in 2 to 4 dimensions, some of them equal or opposite; β from 0.1 to 10, up to 2 τ."""
    n, d = rng.integers(1, 7), rng.integers(2, 5)
    x = rng.normal(size=(n, d))
    if rng.integers(4) == 0:
        x[-1] = rng.choice([-1, 1]) * x[0]
    B, V = (rng.normal(size=(d, d)) if rng.integers(3) else rng.choice([-1, 1]) * np.eye(d) for _ in range(2))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return af.Attention(x, B, V, float(np.exp(rng.uniform(np.log(0.1), np.log(10)))), float(rng.uniform(0.2, 2.0)))


def network(rng: np.random.Generator, temperature: float = 0.0, largest: float = 0.95) -> af.Hopfield:
    """1 to 6 visible and hidden states, dense, sparse or of rank one; linear networks are kept convex."""
    n, m = rng.integers(1, 7, 2)
    U = rng.normal(size=(n, m)) * (rng.random((n, m)) < rng.choice([0.5, 1.0]))
    U = np.outer(U[:, 0], U[0]) if rng.integers(4) == 0 else U
    activation = "linear" if temperature else str(rng.choice(["linear", "tanh"]))
    G, F = rng.uniform(0.5, 2.0, n), rng.uniform(0.5, 2.0, m)
    size = np.linalg.norm(np.sqrt(G)[:, None] * U * np.sqrt(F), 2)
    U = U * (rng.uniform(0.0, largest if activation == "linear" else 3.0) / size if size else 0.0)
    start = rng.normal(size=n + m)
    return af.Hopfield(U, rng.normal(size=n), G, F, activation, temperature, start)


def noisy_network(rng: np.random.Generator) -> af.Hopfield:
    """Linear, σ up to 0.7, temperatures from 1e-3 to 1."""
    return network(rng, float(10 ** rng.uniform(-3, 0)), 0.7)


def energy(rng: np.random.Generator) -> af.Langevin:
    """Bowls of one to three variables, quartic or quadratic and coupled; temperatures from 1e-3 to 1."""
    names = ["x", "y", "z"][: rng.integers(1, 4)]
    return landscape(rng, names, float(10 ** rng.uniform(-3, 0)))


def bowl(rng: np.random.Generator) -> af.Langevin:
    """The same bowls without noise, of up to six variables, from anywhere."""
    names = ["x", "y", "z", "a", "b", "c"][: rng.integers(1, 7)]
    return landscape(rng, names, 0.0, rng.normal(size=len(names)))


def landscape(rng: np.random.Generator, names: list[str], T: float, start: np.ndarray | None = None) -> af.Langevin:
    power = rng.choice([0.0, 0.25])
    terms = [f"{rng.uniform(0.5, 2):.6f}*{name}**2/2 + {power}*{name}**4 - {rng.normal():.6f}*{name}" for name in names]
    terms += [f"{rng.uniform(-0.2, 0.2):.6f}*{a}*{b}" for a, b in itertools.pairwise(names)]
    return af.Langevin(" + ".join(terms).replace("+ -", "- ").replace("- -", "+ "), names, T, start=start)


FAMILIES = {
    "capacity": Family(1, capacity, ("logdomain", "accelerated", "replicator", "normalised")),
    "rate-distortion": Family(5, rate_distortion, ("logdomain", "gibbs", "logarithmic")),
    "transport": Family(6, transport, ("potential", "scaling")),
    "attention": Family(0, attention, ("softmax",)),
    "hopfield, rest": Family(3, network, ("relaxation",)),
    "hopfield, law": Family(2, noisy_network, ("relaxation",), 200, 20, law=True),
    "langevin, rest": Family(7, bowl, ("overdamped",)),
    "langevin, law": Family(4, energy, ("overdamped",), 200, 20, law=True),
}
LAW_TIME = 120.0
"""Length of a run of a law, τ."""


def solved(family: str, engine: str, number: int, stream: int = 0) -> dict[str, Any]:
    """What came of one problem; forms take turns."""
    kind = FAMILIES[family]
    rng = np.random.default_rng([stream, kind.stream, number])
    problem, form = kind.make(rng), kind.forms[number % len(kind.forms)]
    asked = {"time_constants": LAW_TIME, "seed": number} if kind.law else {"accuracy": TOLERANCE}
    try:
        found = af.solve(problem, form=form, engine=engine, **asked)
    except af.AnalogflowError as fault:
        return {"number": number, "form": form, "end": "refused", "said": str(fault), "error": None}
    failed = [f"{check.name}: {check.detail}" for check in found.certificate.checks if not check.passed]
    settled = found.run.outcome.ok
    end = "agrees" if not failed else "disagrees" if settled else "not settled"
    if kind.law and end == "disagrees":  # a short run of a right law is refused by chance; a wrong law is by a longer one
        longer = af.solve(problem, form=form, engine=engine, seed=number)
        left = {check.verdict for check in longer.certificate.checks if not check.passed}
        end = "agrees when longer" if not left else "too few samples" if left == {"too few samples to tell"} else end
    return {"number": number, "form": form, "end": end, "said": "; ".join(failed), "error": error_of(found)}


def error_of(found: af.Solution) -> float:
    """The error that the family is judged by."""
    errors = found.certificate.errors
    return max(
        float(errors[name]) for name in ("capacity_nats", "lagrangian_nats", "plan", "tokens", "mean") if name in errors
    )
