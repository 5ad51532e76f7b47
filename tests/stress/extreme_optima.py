"""Channels, sources and costs at the edge of what a family means, each with what is known of its answer without our help."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from zoo import PAPER

__all__ = ["PARTS", "Case", "capacity", "rate_distortion", "transport"]


class Case(NamedTuple):
    """A problem, as the keys of its file, and its answer where a formula gives it.

    Parameters
    ----------
    family : str
    asked : str
        What is extreme about it.
    keys : mapping
        What its file holds.
    known : mapping of answer's name to number or list
        From a formula, not from the package.
    parts : tuple of str
        Technologies of parts that are tried too, in ngspice.
    options : tuple of str
        Further options of the command line.
    """

    family: str
    asked: str
    keys: Mapping[str, Any]
    known: Mapping[str, Any] = {}
    parts: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


PARTS = ("opamp", "translinear")
P1 = PAPER.transition


def symmetric(size: int, error: float) -> np.ndarray:
    """Channel that errs with probability `error`, evenly into the other symbols."""
    return (1 - error) * np.eye(size) + error / (size - 1) * (1 - np.eye(size))


def symmetric_capacity(size: int, error: float) -> float:
    """Ln n − h(e) − e ln(n − 1)."""
    return math.log(size) + error * math.log(error / (size - 1)) + (1 - error) * math.log1p(-error)


def channel(asked: str, rows: Any, capacity: float | None = None, parts: tuple[str, ...] = (), **keys: Any) -> Case:
    """Capacity of a transition matrix."""
    known = {} if capacity is None else {"capacity_nats": capacity}
    return Case("capacity", asked, {"transition": np.asarray(rows).tolist(), **keys}, known, parts)


def capacity() -> list[Case]:
    """Channels."""
    rng = np.random.default_rng(0)
    near = np.array([[0.5 + 1e-12, 0.5 - 1e-12], [0.5, 0.5]])
    wide = np.array([P1[0], P1[0] + [1e-12, -1e-12, 0], P1[2]])
    tiny = np.array([[1 - 1e-300, 1e-300], [1e-300, 1 - 1e-300]])
    faint = np.array([[0.7, 0.3 - 1e-12, 1e-12], [0.1, 0.9, 1e-300], [0.25, 0.75, 0.0]])
    vertex = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    two = np.array([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0.5, 0, 0.5, 0]])
    skewed = np.array([1 - 1e-9, 5e-10, 5e-10])
    return [
        channel("capacity 0: three equal rows", np.tile(P1[0], (3, 1)), 0.0, PARTS),
        channel("two rows equal to 1e-12, capacity 5e-25", near, 5e-25, PARTS[1:]),
        channel("two of three rows equal to 1e-12", wide, None, PARTS),
        channel("two of three rows equal", [P1[0], P1[0], P1[2]], None, PARTS),
        channel("capacity ln 3: the identity", np.eye(3), math.log(3), PARTS),
        channel("capacity ln 3, less 1e-12 of errors", symmetric(3, 1e-12), symmetric_capacity(3, 1e-12), PARTS),
        channel("probabilities of 1e-300 beside the identity", tiny, math.log(2), PARTS),
        channel("probabilities of 1e-300 and 1e-12 in a column of their own", faint, None, PARTS),
        channel("the smallest number, 5e-324, as a probability", [[1.0, 5e-324], [5e-324, 1.0]], math.log(2)),
        channel("optimum on a face: a third input of no use", vertex, math.log(2), PARTS),
        channel("optimum on a face, approached like 1/t", two, math.log(2)),
        channel("start within 1e-9 of a vertex", P1, None, (), initial=skewed.tolist()),
        channel("one input left out", P1, None, (), unavailable=[2]),
        channel("one input only (1 × 3)", P1[:1], 0.0),
        channel("one output only (3 × 1)", np.ones((3, 1)), 0.0, PARTS),
        channel("2 × 64", rng.dirichlet(np.ones(64), 2)),
        channel("64 × 2", rng.dirichlet(np.ones(2), 64)),
        channel("32 symbols, 5 % errors", symmetric(32, 0.05), symmetric_capacity(32, 0.05)),
        channel("64 symbols, 5 % errors", symmetric(64, 0.05), symmetric_capacity(64, 0.05)),
        channel("costs of 1e-9, a limit of 1e-10", P1, None, (), cost=[0.0, 1e-9, 1e-9], cost_limit=1e-10),
        channel("costs of 1e9", P1, None, (), cost=[0.0, 1e9, 2e9], cost_limit=5e8),
        channel("a limit that does not bind", P1, 0.252343625741, (), cost=[0.0, 1.0, 2.0], cost_limit=100.0),
    ]


def coder(asked: str, p: Any, d: Any, beta: float, parts: tuple[str, ...] = (), **known: Any) -> Case:
    """A point of a rate-distortion curve."""
    keys = {"source": np.asarray(p).tolist(), "distortion": np.asarray(d).tolist(), "beta": beta}
    return Case("rate-distortion", asked, keys, known, parts)


def rate_distortion() -> list[Case]:
    """Sources: a source of equal letters with Hamming's distortion has D = (n−1) e/(1 + (n−1) e), e = exp(−β)."""
    rng = np.random.default_rng(1)

    def hamming(size: int, beta: float) -> dict[str, float]:
        wrong = (size - 1) * math.exp(-beta)
        distortion = wrong / (1 + wrong)
        entropy = -math.log1p(-distortion) * (1 - distortion)
        entropy += distortion * (beta + math.log1p(wrong)) if distortion else 0.0
        return {"rate_nats": math.log(size) - entropy, "distortion": distortion}

    even, off = np.full(3, 1 / 3), 1 - np.eye(3)
    square = (np.arange(5.0)[:, None] - np.arange(5.0)) ** 2
    return [
        *(
            coder(
                f"β = {beta:g}, three equal letters",
                even,
                off,
                beta,
                PARTS if beta in (1e-3, 1e2) else (),
                **hamming(3, beta),
            )
            for beta in (1e-9, 1e-3, 1.0, 1e2, 1e4)
        ),
        coder("β = 1e300", even, off, 1e300, (), **hamming(3, 1e300)),
        coder("β small: all on one letter", [0.7, 0.2, 0.1], off, 0.1, (), rate_nats=0.0, distortion=0.3),
        coder("β where a letter leaves, ln(7/3)", [0.7, 0.3], 1 - np.eye(2), math.log(7 / 3), (), rate_nats=0.0),
        coder("a source symbol of 1e-12", [1 - 1e-12, 1e-12], 1 - np.eye(2), 2.0, (), rate_nats=0.0, distortion=1e-12),
        coder("a source symbol of 1e-300", [1.0, 1e-300], 1 - np.eye(2), 2.0, (), rate_nats=0.0, distortion=0.0),
        coder("two equal reproduction letters", even, off[:, [0, 1, 2, 2]], 3.0, (), **hamming(3, 3.0)),
        coder("all distortions equal", even, np.ones((3, 3)), 3.0, (), rate_nats=0.0, distortion=1.0),
        coder("all distortions 0", even, np.zeros((3, 3)), 3.0, (), rate_nats=0.0, distortion=0.0),
        coder("distortions of 1e9, β = 3e-9", even, 1e9 * off, 3e-9, (), rate_nats=hamming(3, 3.0)["rate_nats"]),
        coder("distortions of 1e-9, β = 3e9", even, 1e-9 * off, 3e9, (), rate_nats=hamming(3, 3.0)["rate_nats"]),
        coder("distortions of 1e300", even, 1e300 * off, 1.0, (), rate_nats=math.log(3), distortion=0.0),
        coder("one reproduction letter", even, np.ones((3, 1)), 2.0, (), rate_nats=0.0, distortion=1.0),
        coder("one source symbol", [1.0], [[0.5, 1.0]], 2.0, (), rate_nats=0.0, distortion=0.5),
        coder("optimum on a face: squares on a grid", rng.dirichlet(np.ones(5)), square, 0.3),
        coder("32 letters, Hamming", np.full(32, 1 / 32), 1 - np.eye(32), 3.0, (), **hamming(32, 3.0)),
        coder("64 letters, Hamming", np.full(64, 1 / 64), 1 - np.eye(64), 3.0, (), **hamming(64, 3.0)),
        coder("β = 0", even, off, 0.0),
    ]


def mover(
    asked: str, cost: Any, row: Any, column: Any, epsilon: float, parts: tuple[str, ...] = (), /, **known: Any
) -> Case:
    """A transport plan."""
    keys = {"cost": np.asarray(cost).tolist(), "row": list(row), "column": list(column), "epsilon": epsilon}
    return Case("transport", asked, keys | known.pop("keys", {}), known, parts)


def transport() -> list[Case]:
    """Costs and marginals."""
    rng = np.random.default_rng(2)
    cost, third = rng.random((3, 3)), [1 / 3] * 3
    assignment = min(sum(cost[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(3))) / 3
    big, mass = rng.random((32, 32)), [1 / 32] * 32
    return [
        *(mover(f"ε = {e:g}", cost, third, third, e, PARTS if e == 1e-2 else ()) for e in (1e-1, 1e-2)),
        *(mover(f"ε = {e:g}", cost, third, third, e, (), cost=assignment) for e in (1e-3, 1e-4, 1e-6, 1e-300)),
        *(
            mover(f"cooled to ε = {e:g}", cost, third, third, e, (), keys={"schedule": "exponential"})
            for e in (1e-2, 1e-3, 1e-4)
        ),
        mover("adaptive cooling to ε = 0.01", cost, third, third, 1e-2, (), keys={"schedule": "adaptive"}),
        mover("ε = 1e6: the product plan", cost, third, third, 1e6, (), cost=float(cost.mean())),
        mover("all costs equal", np.full((3, 3), 2.0), third, third, 0.1, (), cost=2.0),
        mover("all costs 0", np.zeros((3, 3)), third, third, 0.1, (), cost=0.0),
        mover("costs of 1e9, ε = 1e8", 1e9 * cost, third, third, 1e8),
        mover("costs of 1e-9, ε = 1e-10", 1e-9 * cost, third, third, 1e-10),
        mover("negative costs", cost - 5, third, third, 0.1),
        mover("a mass of 1e-12", cost, [1 - 1e-12, 5e-13, 5e-13], third, 0.1),
        mover("a mass of 1e-300", cost, [0.5, 0.5, 1e-300], third, 0.1),
        mover("a total mass of 1e6", cost, [1e6 / 3] * 3, [1e6 / 3] * 3, 0.1),
        mover("a total mass of 1e-6", cost, [1e-6 / 3] * 3, [1e-6 / 3] * 3, 0.1),
        mover("2 × 32", rng.random((2, 32)), [0.5, 0.5], mass, 0.1),
        mover("32 × 2", rng.random((32, 2)), mass, [0.5, 0.5], 0.1),
        mover("16 × 16, ε = 0.05", big[:16, :16], [1 / 16] * 16, [1 / 16] * 16, 0.05),
        mover("1 × 3", cost[:1], [1.0], third, 0.1),
        mover("a mass of 0", cost, [0.5, 0.5, 0.0], third, 0.1),
        mover("ε = 0", cost, third, third, 0.0),
    ]
