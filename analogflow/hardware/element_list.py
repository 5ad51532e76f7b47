"""A list of elements and couplings in machine units: the configuration of boards that publish no format of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.hardware.boards import Board
from analogflow.hardware.couplings import FUNCTIONS, ONE
from analogflow.hardware.machine import Machine, decade, rounded
from analogflow.hardware.scaling import ScaledCouplings

__all__ = ["configuration", "machine"]

Array = NDArray[np.float64]

_CONSTANT = "+1"


def configuration(scaled: ScaledCouplings, board: Board) -> dict[str, Any]:
    """Elements with their starts, couplings and, where they hold a function, its scales.

    A function generator delivers f(``input_scale`` x)/``output_scale``, all else is in machine units; rates are per 1/k0.
    """
    elements = scaled.couplings.elements
    names = [_CONSTANT, *(element.name for element in elements)]
    listed = []
    for k, element in enumerate(elements):
        inputs = [[{"from": names[s], "coefficient": float(w)} for s, w in form.items()] for form in scaled.weights[k]]
        entry: dict[str, Any] = {"name": element.name, "kind": element.kind, "inputs": inputs}
        if element.kind == "integrator":
            entry["initial"] = float(scaled.initial[k])
        elif element.kind in FUNCTIONS:
            entry |= {"input_scale": float(scaled.spans[k][0]), "output_scale": float(scaled.scales[k + 1])}
        listed.append(entry)
    return {"rate_per_second": board.rate_per_second.value, "elements": listed}


def machine(plan: Mapping[str, Any], *, bits: int | None = None) -> Machine:
    """What a list of elements computes, with coefficients of so many bits over ±1, ±10, ...; exact if None."""
    listed = plan["elements"]
    number = {_CONSTANT: ONE} | {entry["name"]: k + 1 for k, entry in enumerate(listed)}
    ports = [
        [
            [(number[c["from"]], rounded(c["coefficient"], bits, decade(c["coefficient"]))) for c in terms]
            for terms in entry["inputs"]
        ]
        for entry in listed
    ]
    held = [k for k, entry in enumerate(listed) if entry["kind"] == "integrator"]

    def valued(outputs: Array) -> tuple[Array, dict[str, float]]:
        """Every output, and every signal at an input of a multiplier, by where it is."""
        values = np.zeros(len(listed) + 1)
        values[ONE] = 1.0
        values[[k + 1 for k in held]] = outputs
        received: dict[str, float] = {}
        for k, entry in enumerate(listed):
            if entry["kind"] == "integrator":
                continue
            inputs = [sum(w * values[s] for s, w in terms) for terms in ports[k]]
            if entry["kind"] == "multiplier":
                values[k + 1] = inputs[0] * inputs[1]
                received |= {f"an input of {entry['name']}": max(inputs, key=abs)}
            elif entry["kind"] in FUNCTIONS:
                values[k + 1] = FUNCTIONS[entry["kind"]](entry["input_scale"] * inputs[0]) / entry["output_scale"]
        return values, received

    def rates(outputs: Array) -> Array:
        values, _ = valued(outputs)
        return np.array([sum(w * values[s] for s, w in ports[k][0]) for k in held])

    def signals(outputs: Array) -> dict[str, float]:
        values, received = valued(outputs)
        return {**received, **{entry["name"]: float(values[k + 1]) for k, entry in enumerate(listed)}}

    return Machine(np.array([rounded(listed[k]["initial"], bits) for k in held]), rates, signals)
