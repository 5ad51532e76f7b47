"""Smallest problems of every family, one for each kind of answer, and the forms of a family."""

from __future__ import annotations

import pytest

from analogflow.errors import BadInput
from analogflow.families import FAMILIES

TWO = [[0.0, 1.0], [1.0, 0.0]]
PROBLEMS = {
    "capacity": {
        "channel": {"transition": [[0.9, 0.1], [0.2, 0.8]]},
        "channel with a cost": {"transition": [[0.9, 0.1], [0.2, 0.8]], "cost": [0, 1], "cost_limit": 0.3},
        "channel with an unavailable input": {"transition": [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], "unavailable": [0]},
    },
    "rate-distortion": {"two symbols": {"source": [0.6, 0.4], "distortion": TWO, "beta": 2.0}},
    "transport": {
        "two by two": {"cost": TWO, "row": [0.6, 0.4], "column": [0.5, 0.5], "epsilon": 0.5},
        "cold": {"cost": [[0.2, 1.0], [0.0, 0.3]], "row": [0.3, 0.7], "column": [0.7, 0.3], "epsilon": 0.01},
        "cooling": {
            "cost": TWO, "row": [0.6, 0.4], "column": [0.5, 0.5], "epsilon": 0.2,
            "schedule": {"kind": "exponential", "start": 1.0, "rate": 1.0},
        },
        "adaptive cooling": {
            "cost": TWO, "row": [0.6, 0.4], "column": [0.5, 0.5], "epsilon": 0.2,
            "schedule": {"kind": "adaptive", "start": 1.0, "rate": 1.0, "k_safe": 0.5},
        },
    },
    "attention": {
        "two tokens": {"tokens": [[1, 0], [0.6, 0.8]], "B": [[1, 0], [0, 1]], "V": [[1, 0], [0, 1]], "beta": 1, "time": 0.5},
    },
    "hopfield": {
        "rest": {"U": [[0.3]], "I": [0.5], "activation": "tanh"},
        "softmax": {"patterns": [[1, 1], [1, -1]], "activation": "softmax", "gain_h": 2.0, "start": [1, 0.5]},
        "two patterns": {"patterns": [[1, 1, -1], [1, -1, 1]], "start": [1, 1, 1]},
        "law": {"U": [[0.3]], "I": [0.5], "temperature": 0.2},
        "law of a saturating network": {"U": [[0.3]], "I": [0.5], "activation": "tanh", "temperature": 0.2},
    },
    "langevin": {
        "rest": {"energy": "x**2 + y**2 + x", "variables": ["x", "y"], "temperature": 0},
        "law": {"energy": "x**2/2", "variables": ["x"], "temperature": 0.5},
        "law of four variables": {
            "energy": "(a**2 + b**2 + c**2 + d**2)/2", "variables": ["a", "b", "c", "d"], "temperature": 0.5
        },
    },
    "custom": {
        "rest of two states": {"states": {"x": 1.0, "y": [0.5, 0.2]}, "equations": {"x": "-x", "y": "x - y"}},
        "motion": {"states": {"x": 1.0, "v": 0.0}, "equations": {"x": "v", "v": "-x"}, "time": 3.0},
        "an observable called plan": {
            "states": {"x": 1.0, "y": 0.0}, "equations": {"x": "y - x", "y": "-y"},
            "observables": {"plan": "x*x", "double": "2*x"}, "answer": "double",
        },
        "a state of common mode": {
            "states": {"u": [0.3, -0.1]}, "manifolds": {"u": "mean"}, "equations": {"u": "mean(u) - u"},
        },
        "noise of its own": {"states": {"x": 1.0}, "equations": {"x": "-x"}, "noise": {"x": 0.1}},
        "one that runs away": {"states": {"x": 1.0}, "equations": {"x": "x*x"}},
    },
}  # fmt: skip
"""Smallest problems of each family, one for each kind of answer; of families of one file, the example that they bring."""

PROBLEMS |= {name: {"example": dict(family.example)} for name, family in FAMILIES.items() if family.example}


def forms(family, problem):
    """Forms of a family, as it names them where it is asked for another."""
    with pytest.raises(BadInput, match=r"is not known; (known are|there is only): ") as refusal:
        FAMILIES[family].flow(problem, form="none of these")
    return str(refusal.value).rpartition(": ")[2].rstrip(".").split(", ")
