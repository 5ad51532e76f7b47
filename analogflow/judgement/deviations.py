"""Which parts make the error of a circuit's answer: what each deviation of each part moves it by, to first order.

Linear about where the circuit rests. The deviations are those that `sample_parts` draws, so that a study of boards has the
same errors, and packages and lots that parts share are told as one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import Circuit, Element, Instance
from analogflow.circuit.build import PartSet
from analogflow.errors import BadInput
from analogflow.judgement.device_budget import DeviceLine
from analogflow.passes import SingleDraws
from analogflow.passes.operating_point import rest_volts
from analogflow.passes.small_signal import Assembly, Linear, linearised

__all__ = ["ERROR_KINDS", "DeviceErrors", "device_errors"]

Array = NDArray[np.float64]

ERROR_KINDS = {
    "resistor": "tolerances of resistors",
    "resistor lot": "what all resistors share",
    "junction": "junctions, each by itself",
    "junction package": "junctions, by package",
    "junction lot": "what all junctions of a type share",
    "area": "emitter areas",
    "temperature": "packages that are warmer",
    "multiplier": "gains and offsets of multipliers",
    "offset": "offsets of amplifiers",
    "offset drift": "drift of these offsets",
    "common mode": "common-mode rejection",
    "bias current": "bias currents, from amplifier to amplifier",
    "leakage": "leakage of switches",
    "reference": "the reference of all fixed voltages",
    "reference drift": "drift of this reference",
}
"""What each kind of deviation is, in words. Capacitors move no rest."""

_MEAN = "bias currents, as all amplifiers have them"

_NAMED = 3
"""Parts that are named where they share a deviation."""

_PART = 0.1
"""Standard deviations by which a part is moved, either way, for a slope."""


@dataclasses.dataclass(frozen=True, eq=False)
class DeviceErrors:
    """What makes the error of a circuit's answer, to first order.

    Parameters
    ----------
    answer : str
        Name of the signal.
    rms : array, shape (size,)
        σ of each of its elements from board to board, flow units.
    kinds, devices : tuple of DeviceLine
        By kind of deviation, and by part: the largest first. What several parts share has no one device.
    shifts : tuple of DeviceLine
        What bias currents that all boards have move it by; their share is that of the square, over the variance.
    """

    answer: str
    rms: Array
    kinds: tuple[DeviceLine, ...]
    devices: tuple[DeviceLine, ...]
    shifts: tuple[DeviceLine, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain numbers and names."""
        return {
            "answer": self.answer,
            "rms": self.rms.tolist(),
            **{name: [dataclasses.asdict(line) for line in getattr(self, name)] for name in ("kinds", "devices", "shifts")},
        }


def device_errors(
    circuit: Circuit, parts: PartSet | None = None, *, on_progress: Callable[[float], None] | None = None
) -> DeviceErrors:
    """Shares of the deviations of all parts in the error of a circuit's answer.

    Parameters
    ----------
    circuit : Circuit
        Of parts, with the values that they are to have, as `choose_values` returns it.
    parts : PartSet, optional
        Whose tolerances and offsets count; those the circuit was built from if not given.
    on_progress : callable, optional
        Called with the fraction done.

    Raises
    ------
    BadInput
        It has no parts, its parts deviate or make noise, it does not rest, or has an element without a small-signal model.
    SimulationFailed
        No rest was found.

    Notes
    -----
    Deviations change the currents f(x) that vanish where the circuit rests by δf, and so what rests there by −G⁻¹ δf, of
    which the adjoint of G gives the answer's part (S. W. Director and R. A. Rohrer, IEEE Trans. Circuit Theory CT-16, 318,
    1969).
    """
    flow, parts = circuit.flow, parts or circuit.parts
    if circuit.parts is None or parts is None:
        raise BadInput(f"the technology {circuit.technology!r} has no parts whose errors could have a budget.")
    if not circuit.nominal:
        raise BadInput("the errors of parts are those of a circuit as it is meant: give one without flaws and noise.")
    if flow.end_time is not None or flow.averaging is not None or flow.noisy or flow.clock:
        raise BadInput("the errors of parts have a budget where a circuit rests, and the answer of this one is on its way.")
    if flow.answer not in circuit.readings:
        raise BadInput(f"the answer {flow.answer!r} is no signal of this circuit, so that its errors have no budget.")
    linear = linearised(circuit, rest_volts(circuit))
    adjoint = np.asarray(
        np.linalg.solve(linear.conductance.T, linear.gradient(circuit.readings[flow.answer]).T).T, dtype=float
    )
    single, lines = SingleDraws(circuit, parts), []
    draws = [draw for draw in single.draws if draw[0] in ERROR_KINDS]
    variance = np.zeros(len(adjoint))
    for count, draw in enumerate(draws, start=1):
        up, down = (single.drawn(draw, size) for size in (_PART, -_PART))
        moved = -adjoint @ (_currents(up, linear) - _currents(down, linear)) / (2 * _PART)
        if moved.any():
            variance += moved**2
            lines.append((*_who(up, down), draw[0], float((moved**2).sum())))
        if on_progress is not None:
            on_progress(count / len(draws))
    total = float(variance.sum()) or 1.0
    kinds: dict[str, float] = {}
    devices: dict[tuple[str, str, str], float] = {}
    for device, block, kind, power in lines:
        kinds[ERROR_KINDS[kind]] = kinds.get(ERROR_KINDS[kind], 0.0) + power
        key = device, ERROR_KINDS[kind], block
        devices[key] = devices.get(key, 0.0) + power  # both inputs of an amplifier
    found = [DeviceLine(*key, power / total, power**0.5) for key, power in devices.items()]
    by_kind = [DeviceLine("", kind, "", power / total, power**0.5) for kind, power in kinds.items()]
    return DeviceErrors(
        flow.answer,
        np.sqrt(variance),
        _ordered(by_kind),
        _ordered(found),
        _ordered(_shifts(circuit, linear, adjoint, total)),
    )


def _ordered(lines: list[DeviceLine]) -> tuple[DeviceLine, ...]:
    return tuple(sorted(lines, key=lambda line: -line.share))


def _currents(circuit: Circuit, linear: Linear) -> Array:
    """Currents of a circuit of the same nodes where the other rests."""
    return Assembly(circuit).currents(linear.rest)


def _who(one: Circuit, other: Circuit) -> tuple[str, str]:
    """Name and group of the part in which two circuits differ; several names, or how many, where there are more."""
    pairs = [
        (a.name, group.block)
        for group, beside in zip(one.groups, other.groups, strict=True)
        for a, b in zip(group.elements, beside.elements, strict=True)
        if a != b
    ]
    if len(pairs) == 1:
        return pairs[0]
    return (", ".join(name for name, _ in pairs) if len(pairs) <= _NAMED else f"{len(pairs)} parts", "")


def _shifts(circuit: Circuit, linear: Linear, adjoint: Array, total: float) -> list[DeviceLine]:
    """What the bias currents of each amplifier move the answer by."""
    here, lines = Assembly(circuit).currents(linear.rest), []
    biased = {macro.name for macro in circuit.macros if "ibp" in dict(macro.parameters)}
    for place, group in enumerate(circuit.groups):
        for element in group.elements:
            if not (isinstance(element, Instance) and element.macro in biased):
                continue
            elements = tuple(_unbiased(each) if each is element else each for each in group.elements)
            groups = (*circuit.groups[:place], dataclasses.replace(group, elements=elements), *circuit.groups[place + 1 :])
            moved = -adjoint @ (here - _currents(dataclasses.replace(circuit, groups=groups), linear))
            power = float((moved**2).sum())
            if power:
                lines.append(DeviceLine(element.name, _MEAN, group.block, power / total, power**0.5))
    return lines


def _unbiased(element: Element) -> Element:
    assert isinstance(element, Instance)
    others = tuple(pair for pair in element.parameters if pair[0] not in ("ibp", "ibn"))
    return dataclasses.replace(element, parameters=(*others, ("ibp", 0.0), ("ibn", 0.0)))
