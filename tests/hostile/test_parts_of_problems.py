"""Wrong values in every place of nested problems, heads, masks, perceptrons and functions of time: a sentence, or a flow."""

import copy
import math

import pytest

from analogflow.errors import AnalogflowError, AssumptionWarning
from analogflow.families import FAMILIES
from analogflow.families.files import problem_of_keys

WRONG = [
    None, True, "", "x", math.nan, math.inf, -1, 0, 1e308, 10**400, [], [[]], [1], [[1]], {}, {"a": 1}, [[1, 2], [3]], 1j,
    b"x", [None], "1/0", "log(-1)", "__import__('os')", "exp(1000)",
]  # fmt: skip
ONE = [[1.0, 0.0], [0.0, 1.0]]
WHOLE = [
    ("attention", {
        "tokens": [[1.0, 0.0], [0.6, 0.8]], "beta": 1.0, "time": 1.0, "mask": [[1, 0], [1, 1]],
        "heads": [{"Q": ONE, "K": ONE, "V": ONE}, {"B": ONE, "V": [[1.0, 0.0]]}],
        "output": [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]],
        "mlp": {"W1": ONE, "b1": [1.0, 0.0], "W2": ONE, "b2": [0.0, 1.0], "activation": "relu"},
    }),
    ("attention", {
        "tokens": [[1.0, 0.0], [0.6, 0.8]], "beta": 1.0, "time": 1.0, "Q": ONE, "K": ONE, "V": ONE, "mask": "causal",
        "output": "mean",
    }),
    ("drifting-channel", {
        "channel": [["1-p", "p"], [0.1, 0.9]], "inputs": {"p": {"times": [0.0, 1.0], "values": [0.1, 0.2]}}, "time": 5.0,
        "saved": [1.0, 2.0], "start": [0.5, 0.5],
    }),
    ("drifting-channel", {"channels": [[[0.9, 0.1], [0.1, 0.9]]] * 2, "times": [0.0, 1.0], "time": 5.0}),
    ("drifting-transport", {
        "cost": [["d", 1.0], [1.0, 0.0]], "inputs": {"d": "0.1*t"}, "row": [0.5, 0.5], "column": [0.25, 0.75],
        "epsilon": 0.5, "time": 5.0, "saved": [1.0],
    }),
    ("drifting-transport", {"costs": [ONE, ONE], "times": [0.0, 1.0], "epsilon": 0.5, "time": 5.0}),
]  # fmt: skip


def places(value, path=()):
    """Paths to everything in nested mappings and lists."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from places(part, (*path, key))


def put(value, path, wrong):
    value = copy.deepcopy(value)
    at = value
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = wrong
    return value


@pytest.mark.few(3)
@pytest.mark.filterwarnings("ignore", category=AssumptionWarning)
@pytest.mark.parametrize(("family", "keys"), WHOLE)
def test_a_wrong_value_anywhere_is_a_sentence_or_no_fault(family, keys):
    problem_of_keys(family, copy.deepcopy(keys), "p.json")
    refused = 0
    for path in places(keys):
        for wrong in WRONG:
            try:
                FAMILIES[family].flow(problem_of_keys(family, put(keys, path, wrong), "p.json"))
            except AnalogflowError as fault:
                said = str(fault)
                assert said.startswith("p.json: "), (path, wrong, said)
                assert said.endswith("."), (path, wrong, said)
                assert "\n" not in said, (path, wrong, said)
                assert "Error" not in said, (path, wrong, said)
                refused += 1
    assert refused > 100
