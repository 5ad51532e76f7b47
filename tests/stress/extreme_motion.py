"""Clouds of tokens, networks and energies at the edge of what a family means, each with what is known of its answer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from stress.extreme_optima import Case

__all__ = ["attention", "hopfield", "langevin"]


def cloud(asked: str, tokens: Any, beta: Any, parts: tuple[str, ...] = (), **keys: Any) -> Case:
    """Tokens on a sphere."""
    x = np.asarray(tokens, dtype=float)
    d = x.shape[1]
    given = {"tokens": x.tolist(), "B": np.eye(d).tolist(), "V": np.eye(d).tolist(), "beta": beta, "time": 2.0}
    known = {"tokens": keys.pop("known")} if "known" in keys else {}
    return Case("attention", asked, given | keys, known, parts)


def attention() -> list[Case]:
    """Clouds."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    pole = [1.0, 0.0, 0.0]
    large = rng.normal(size=(16, 3))
    large /= np.linalg.norm(large, axis=1, keepdims=True)
    turn = [[0.0, -1.0], [1.0, 0.0]]
    return [
        *(cloud(f"β = {beta:g}", x, beta) for beta in (1e-9, 1.0, 1e2, 1e4, 1e300)),
        cloud("β infinite", x, math.inf),
        cloud("β infinite, B singular", x, math.inf, B=np.diag([1.0, 1.0, 0.0]).tolist()),
        cloud("one token, V = 1", [pole], 1.0, known=[pole]),
        cloud("one token, V a quarter turn per τ", [[1.0, 0.0]], 1.0, V=turn, known=[[math.cos(2), math.sin(2)]]),
        cloud("tokens that coincide", [pole, pole, pole], 5.0, known=[pole, pole, pole]),
        cloud("tokens apart by 1e-12", [pole, [1.0, 1e-12, 0.0]], 5.0, known=[pole, pole]),
        cloud("antipodal tokens, an unstable rest", [pole, [-1.0, 0.0, 0.0]], 1.0, known=[pole, [-1.0, 0.0, 0.0]]),
        cloud("V repels (V = −1)", x, 2.0, V=(-np.eye(3)).tolist()),
        cloud("V = 0: nothing moves", x, 2.0, V=np.zeros((3, 3)).tolist(), known=x.tolist()),
        cloud("V of size 1e3", x, 1.0, V=(1e3 * np.eye(3)).tolist()),
        cloud("V of size 1e-9", x, 1.0, V=(1e-9 * np.eye(3)).tolist()),
        cloud("B = 0", x, 5.0, B=np.zeros((3, 3)).tolist()),
        cloud("B of size 1e6", x, 1.0, B=(1e6 * np.eye(3)).tolist()),
        cloud("a time of 1e-6", x, 1.0, time=1e-6),
        cloud("a time of 100", x, 1.0, time=100.0),
        cloud("16 tokens", large, 3.0, time=1.0),
        cloud("tokens on a line (1 coordinate)", [[1.0], [-1.0]], 1.0),
        cloud("a token off the sphere", [[1.0, 1.0], [1.0, 0.0]], 1.0),
        cloud("β = 0", x, 0.0),
    ]


def network(asked: str, U: Any, parts: tuple[str, ...] = (), **keys: Any) -> Case:
    """A Hopfield network."""
    known = {"mean": keys.pop("known")} if "known" in keys else {}
    options = keys.pop("options", ())
    return Case("hopfield", asked, {"U": np.asarray(U).tolist(), **keys}, known, parts, options)


def hopfield() -> list[Case]:
    """Networks: the rest of a linear one of two states is v = I/(1 − u²), h = u v."""
    rng = np.random.default_rng(4)
    short = ("--time", "100")

    def rest(u: float, given: float) -> list[float]:
        return [given / (1 - u * u), u * given / (1 - u * u)]

    odd = rng.normal(size=(3, 2))
    odd /= np.linalg.svd(odd, compute_uv=False)[0]
    return [
        network("σ = 0.99", [[0.99]], I=[1.0], known=rest(0.99, 1.0)),
        network("σ = 0.999999", [[0.999999]], I=[1e-3], known=rest(0.999999, 1e-3)),
        network("σ = 1 − 1e-11", [[1 - 1e-11]], I=[1.0]),
        network("σ = 1: a valley without a floor", [[1.0]], I=[1.0]),
        network("σ = 2, linear: no floor", [[2.0]], I=[1.0]),
        network("σ = 2, tanh, from its saddle", [[2.0]], activation="tanh", known=[0.0, 0.0]),
        network("σ = 2, tanh, 1e-12 from its saddle", [[2.0]], activation="tanh", start=[1e-12, 0.0]),
        network("σ = 1, tanh, at the bifurcation", [[1.0]], activation="tanh", start=[0.5, 0.5]),
        network("σ = 50, tanh, saturated", (50 * odd).tolist(), activation="tanh", I=[0.1, 0.2, 0.3]),
        network("no couplings", np.zeros((2, 2)), I=[1.0, -2.0], known=[1.0, -2.0, 0.0, 0.0]),
        network("inputs of 1e9", [[0.5]], I=[1e9], known=rest(0.5, 1e9)),
        network("inputs of 1e-12", [[0.5]], I=[1e-12], known=rest(0.5, 1e-12)),
        network("gains of 1e6 and 1e-6", [[0.5]], I=[1.0], gain_v=1e6, gain_h=1e-6),
        network("a gain of 1e9, tanh: a comparator", [[0.5]], I=[1.0], gain_v=1e9, activation="tanh"),
        network("T = 1e-12", [[0.5]], I=[1.0], temperature=1e-12, known=rest(0.5, 1.0)),
        network("T = 1e-300", [[0.5]], I=[1.0], temperature=1e-300, options=short, known=rest(0.5, 1.0)),
        network("T = 1e6", [[0.5]], temperature=1e6, options=short),
        network("T = 0.01, σ = 0.99", [[0.99]], temperature=0.01, options=short),
        network("T = 0.3, tanh", [[0.5]], temperature=0.3, activation="tanh", options=short),
        network("T = 2, tanh", [[0.5]], temperature=2.0, activation="tanh", options=short),
        network("32 + 32 states", (0.9 * _unit(rng.normal(size=(32, 32)))).tolist(), I=rng.normal(size=32).tolist()),
        network("1 + 64 states", (0.9 * _unit(rng.normal(size=(1, 64)))).tolist(), I=[1.0]),
        network("a negative temperature", [[0.5]], temperature=-1.0),
    ]


def _unit(matrix: np.ndarray) -> np.ndarray:
    """With a largest singular value of 1."""
    return matrix / np.linalg.svd(matrix, compute_uv=False)[0]


def motion(asked: str, energy: str, temperature: float, parts: tuple[str, ...] = (), **keys: Any) -> Case:
    """An energy, of x unless other variables are given."""
    known = {"mean": keys.pop("known")} if "known" in keys else {}
    options = keys.pop("options", ("--time", "100") if temperature else ())
    keys = {"energy": energy, "variables": ["x"], "temperature": temperature, **keys}
    return Case("langevin", asked, keys, known, parts, options)


def langevin() -> list[Case]:
    """Energies."""
    bowl, double = "x**2 / 2", "(x**2 - 1)**2 / 4"
    return [
        motion("T = 0", bowl, 0.0, start=[1.0]),
        motion("T = 1e-12", bowl, 1e-12),
        motion("T = 1e-300", bowl, 1e-300),
        motion("T = 1e6", bowl, 1e6),
        motion("T = 0, on the crest between two valleys", double, 0.0, known=[0.0]),
        motion("T = 0, 1e-9 from the crest", double, 0.0, start=[1e-9]),
        motion("T = 0.02: barrier of 12 T, never crossed", double, 0.02, start=[1.0]),
        motion("T = 1e-3: barrier of 250 T", double, 1e-3, start=[1.0]),
        motion("a flat floor, x⁸", "x**8 / 8", 0.1),
        motion("a steep wall, exp(x²)", "exp(x**2)", 0.5),
        motion("a curvature of 1e6", "1e6 * x**2 / 2", 1.0),
        motion("a curvature of 1e-6", "1e-6 * x**2 / 2", 1.0),
        motion("a kink, sqrt(x² + 1e-12)", "sqrt(x**2 + 1e-12)", 0.1),
        motion("curvatures of 1 and 100", "x**2 / 2 + 100 * y**2 / 2", 0.1, variables=["x", "y"]),
        motion("mobility of 1e-6", bowl, 0.1, mobility=1e-6),
        motion("mobility of 1e6", bowl, 0.1, mobility=1e6),
        motion("mobility 1 + x²", bowl, 0.1, mobility="1 + x**2"),
        motion("a start of 1e3", bowl, 0.1, start=[1e3]),
        motion("−x²/2: no floor", "-x**2 / 2", 0.1),
        motion("x: a slope without end", "x", 0.1),
        motion("constant: nothing confines", "1", 0.1),
        motion("1/x: not finite at the start", "1 / x", 0.1),
        motion("log(x): not finite left of 0", "log(x)", 0.1, start=[1.0]),
        motion("tanh: rises too little", "tanh(x)**2", 0.1),
        motion("0.2 ln(1 + x²), T = 0.1: no variance", "0.2 * log(1 + x**2)", 0.1),
    ]
