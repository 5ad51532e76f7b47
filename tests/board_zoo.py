"""Flows that boards are tested with."""

import functools
from pathlib import Path

import numpy as np
from zoo import PAPER

from analogflow.families.files import read_problem
from analogflow.flows import Flow, Sphere, attention, capacity, custom, hopfield, rate_distortion, transport
from analogflow.hardware import BoardFit, map_flow
from analogflow.problems import Attention, Channel, Hopfield, RateDistortion, Transport

__all__ = ["FLOWS", "mapped", "polynomial", "written"]

ODE = Path(__file__).parent / "data" / "ode"

C = np.array([[2.0, 0.6], [0.6, 1.0]])


def oja(w, C):
    y = C @ w
    return y - (w @ y) * w


def prey_and_predators(x, y):
    return x * (0.8 - y), y * (0.9 * x - 0.5)


def lorenz(x, y, z):
    return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z


def van_der_pol(x, y):
    return y, (1 - x * x) * y - x


def one(value):
    return np.array([value])


def polynomial(linear, cubic, start):
    """ẋ = A x − c x³, elementwise."""
    return Flow(lambda x, A, c: A @ x - c * x * x * x, {"x": start}, constants={"A": linear, "c": cubic}, end_time=2.0)


FLOWS = {
    "capacity": capacity(Channel([[0.9, 0.1], [0.3, 0.7]])),
    "capacity of three": capacity(PAPER),
    "rate-distortion": rate_distortion(RateDistortion([0.6, 0.4], [[0, 1], [1, 0]], 1.5), form="gibbs"),
    "transport": transport(Transport([[0, 1], [1, 0.2]], [0.5, 0.5], [0.4, 0.6], 0.5)),
    "attention": attention(Attention([[1.0, 0], [0.6, 0.8]], np.eye(2), np.eye(2), 1.0, 3.0)),
    "hopfield": hopfield(Hopfield([[0.5, -0.2], [0.1, 0.3]], [0.4, -0.3])),
    "hopfield of eight": hopfield(Hopfield(np.full((4, 4), 0.1) + 0.1 * np.eye(4), np.full(4, 0.3))),
    "oja": Flow(oja, {"w": np.array([0.6, 0.8])}, (Sphere("w", 2),), {"C": C}),
    "lotka-volterra": Flow(prey_and_predators, {"x": one(1.2), "y": one(0.6)}, end_time=20.0),
    "lorenz": Flow(lorenz, {"x": one(1.0), "y": one(1.0), "z": one(20.0)}, end_time=1.0),
    "van der pol": Flow(van_der_pol, {"x": one(1.0), "y": one(0.0)}, end_time=20.0),
    "decay": Flow(lambda x: -x, {"x": one(1.0)}),
    "tanh": Flow(lambda x: np.tanh(1.5 * x) - x, {"x": one(0.1)}),
}


@functools.cache
def written(name: str) -> Flow:
    """Flow of a file of tests/data/ode."""
    return custom(read_problem(str(ODE / f"{name}.toml")))


@functools.cache
def mapped(name: str, board: str) -> BoardFit:
    """A flow of this zoo, or ode/ and a file of tests/data/ode, held against a board without what would fit instead."""
    return map_flow(written(name[4:]) if name.startswith("ode/") else FLOWS[name], board, suggest=False)
