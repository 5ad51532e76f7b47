"""Scaled equations and the coefficients that are set for them, in the form of application notes of analog computing.

Every signal is written in machine units, so that no value exceeds 1, and time in units of 1/k0. Such a listing is what a
person checks a setting by: the vendors' notes, as Analog Paradigm's Application Note 2 (Lorenz attractor), list the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from analogflow.hardware.boards import Board
from analogflow.hardware.couplings import ONE, Form
from analogflow.hardware.scaling import ScaledCouplings

__all__ = ["ScaledEquation", "SetCoefficient", "scaled_equations", "set_coefficients"]

_DIGITS = 6


@dataclasses.dataclass(frozen=True)
class ScaledEquation:
    """What one element computes.

    Parameters
    ----------
    signal : str
        Component of a state, or of what lies between, as the flow calls it.
    unit : float
        Flow units that a machine unit of it stands for.
    start : float, optional
        Of an integrator, machine units.
    equation : str
        Rate of an integrator, marked by ``'``, per 1/k0; of all else the value. Signals by their names, in machine units.
    """

    signal: str
    unit: float
    start: float | None
    equation: str


@dataclasses.dataclass(frozen=True)
class SetCoefficient:
    """A coefficient as it is set.

    Parameters
    ----------
    place : str
        Lane or potentiometer.
    source, target : str
        Output it comes from, and input or inputs it goes to.
    value : float
        From −1 to 1.
    gain : str
        What its target multiplies it by.
    """

    place: str
    source: str
    target: str
    value: float
    gain: str


def scaled_equations(scaled: ScaledCouplings) -> tuple[ScaledEquation, ...]:
    """An equation for every element, integrators first."""
    elements = scaled.couplings.elements
    names = ["1", *(element.name for element in elements)]
    found = []
    for k, element in enumerate(elements):
        ports = [_written(form, names) for form in scaled.weights[k]]
        unit, start = float(scaled.scales[k + 1]), None
        match element.kind:
            case "integrator":
                start, text = float(scaled.initial[k]), f"{element.name}' = {ports[0]}"
            case "multiplier":
                text = f"{element.name} = {' * '.join(_factor(port) for port in ports)}"
            case "noise":
                text = f"{element.name} = white noise"
            case kind:
                text = f"{element.name} = {kind}({scaled.spans[k][0]:.{_DIGITS}g} * ({ports[0]})) / {unit:.{_DIGITS}g}"
        found.append(ScaledEquation(element.name, unit, start, text))
    return tuple(found)


def set_coefficients(board: Board, configuration: Mapping[str, Any]) -> tuple[SetCoefficient, ...]:
    """Coefficients of a LUCIDAC's lanes, for its client of 2026, or a patch panel's potentiometers; none of other boards."""
    if board.kind == "crossbar":
        return _lanes(configuration, board.range_step)
    if board.kind != "patch":
        return ()
    cables, values = configuration["cables"], configuration["potentiometers"]
    source = {target: origin for origin, target in cables}
    targets = {name: [target for origin, target in cables if origin == name] for name in values}
    return tuple(
        SetCoefficient(
            name,
            source[name],
            ", ".join(targets[name]),
            float(value),
            ", ".join(sorted({_weight(t) for t in targets[name]})),
        )
        for name, value in values.items()
    )


def _lanes(configuration: Mapping[str, Any], step: float) -> tuple[SetCoefficient, ...]:
    cluster = configuration["/0"]
    elements, upscaling = cluster["/C"]["elements"], cluster["/I"]["upscaling"]
    sink = {lane: number for number, lanes in enumerate(cluster["/I"]["outputs"]) for lane in lanes}
    found = []
    for lane, source in enumerate(cluster["/U"]["outputs"]):
        if source is None or lane not in sink:
            continue
        constant = cluster["/U"]["constant"] and source == (15 if lane < 16 else 14)
        origin = "+1" if constant else f"INT{source}" if source < 8 else f"MUL{source - 8}"
        target = f"INT{sink[lane]}" if sink[lane] < 8 else f"MUL{(sink[lane] - 8) // 2}.{'ab'[sink[lane] % 2]}"
        value = float(elements[lane]) * (10 / step if upscaling[lane] else 1)
        found.append(SetCoefficient(f"lane {lane}", origin, target, value, f"{step:g}" if upscaling[lane] else "1"))
    return tuple(found)


def _weight(jack: str) -> str:
    return "10" if jack.partition(":")[2].startswith("10") else "1"


def _factor(port: str) -> str:
    return f"({port})" if " " in port or port.startswith("-") else port


def _written(form: Form, names: list[str]) -> str:
    """A linear form as a sum: ``0.5*x - 1.2*y + 0.1``."""
    text = ""
    for source, weight in sorted(form.items(), key=lambda term: (term[0] == ONE, term[0])):
        size = f"{abs(float(weight)):.{_DIGITS}g}"
        term = size if source == ONE else names[source] if size == "1" else f"{size}*{names[source]}"
        sign = "-" if weight < 0 else "+"
        text += f" {sign} {term}" if text else f"-{term}" if weight < 0 else term
    return text or "0"
