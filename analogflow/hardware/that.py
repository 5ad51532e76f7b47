"""The patch plan of THE ANALOG THING: which cable goes where, how potentiometers are set, and what such a plan computes.

Jacks: ``INT2:1a`` is an input of weight 1 of the second integrator, ``INT2:10b`` one of weight 10, ``INT2:IC`` its initial
condition; ``MUL1:X``, ``INV1:1``, ``COEFF3`` as a target is the input of a potentiometer. ``CMP1:A`` and ``CMP1:B`` are what
a comparator adds: if that is positive it delivers what is at ``CMP1:>0``, else what is at ``CMP1:<0``. A source is the
element's name, ``+1`` or ``-1``. An input takes one cable, an output any number. Integrators, summers, inverters and IC
inputs invert.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.hardware.couplings import DECISIONS, ONE, Couplings, Form
from analogflow.hardware.machine import Machine, rounded
from analogflow.hardware.scaling import ScaledCouplings, polarity, reach, scale

__all__ = ["Patch", "fewest_potentiometers", "machine", "patch"]

Array = NDArray[np.float64]

_JACKS = {"INT": ("1a", "1b", "1c", "10a", "10b"), "SUM": ("1a", "1b", "1c", "1d", "10a", "10b", "10c")}
_SAME = 1e-9
_MOST_STRETCH = 4.0


@dataclasses.dataclass(frozen=True, eq=False)
class Patch:
    """A patch plan.

    Parameters
    ----------
    cables : tuple of (source, target)
    potentiometers : mapping of name to number from 0 to 1
    signs : tuple of ±1
        Of each integrator's output.
    needs : mapping of unit to count
        Also of more than there are.
    """

    cables: tuple[tuple[str, str], ...]
    potentiometers: Mapping[str, float]
    signs: tuple[int, ...]
    needs: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Cables and potentiometers, for a person with a patch panel or for `machine`."""
        return {"cables": [list(cable) for cable in self.cables], "potentiometers": dict(self.potentiometers)}


def patch(scaled: ScaledCouplings, *, inverters: int = 4) -> Patch:
    """Plan for `scaled`, counting what it takes whether or not there is as much.

    A coefficient of 1 or 10 costs no potentiometer; equal ones of the same output share one. After as many `inverters`,
    summers that are left over serve as such.
    """
    return _Panel(scaled, inverters).plan()


def fewest_potentiometers(
    couplings: Couplings, states: Array, largest_coefficient: float, *, enough: int
) -> ScaledCouplings:
    """Scale `couplings` such that coefficients become 1 or 10 by the scales of the integrators, one after another.

    Parameters
    ----------
    couplings : Couplings
    states : array, shape (points, integrators)
        Nominal run, flow units.
    largest_coefficient : float
    enough : int
        Number of potentiometers at which the search ends.

    Returns
    -------
    ScaledCouplings
        The best that was found; signals may be smaller by a factor of up to 4 than they could be.
    """
    stretch = dict.fromkeys(couplings.of("integrator"), 1.0)
    reached = reach(couplings, states)

    def tried(trial: Mapping[int, float]) -> tuple[int, ScaledCouplings]:
        scaled = scale(couplings, reached, largest_coefficient, whole=True, stretch=trial)
        return patch(scaled).needs["potentiometers"], scaled

    best, found = tried(stretch)
    for k in [*stretch, *stretch]:
        for factor in _factors(found, k):
            if best > enough and 1 <= stretch[k] * factor <= _MOST_STRETCH:
                count, scaled = tried(stretch | {k: stretch[k] * factor})
                if count < best:
                    best, found, stretch = count, scaled, stretch | {k: stretch[k] * factor}
                    break
    return found


def _factors(scaled: ScaledCouplings, k: int) -> list[float]:
    """Factors for the scale of integrator `k` that bring a coefficient from or to it to 1 or 10."""
    own = [w for source, w in scaled.weights[k][0].items() if source != k + 1]
    driven = [form[k + 1] for i, ports in enumerate(scaled.weights) if i != k for form in ports if k + 1 in form]
    products = [w for ports in scaled.weights for form in ports for source, w in form.items() if source != k + 1]
    factors = {abs(w) / v for w in own for v in (1, 10)} | {v / abs(w) for w in (*driven, *products) for v in (1, 10)}
    return sorted(factor for factor in factors if factor > 0)


class _Panel:
    """Cables laid so far."""

    def __init__(self, scaled: ScaledCouplings, inverters: int) -> None:
        self.scaled, self.chosen = scaled, polarity(scaled)
        self.cables: list[tuple[str, str]] = []
        self.potentiometers: dict[str, float] = {}
        self.shared: dict[tuple[str, float], str] = {}
        held, products = scaled.couplings.of("integrator"), scaled.couplings.of("multiplier")
        self.names = {k + 1: f"INT{i}" for i, k in enumerate(held, 1)} | {
            k + 1: f"MUL{i}" for i, k in enumerate(products, 1)
        }
        self.decided = scaled.couplings.of(*DECISIONS)
        self.names |= {k + 1: f"CMP{i}" for i, k in enumerate(self.decided, 1)}
        summing = sum(k not in held for k, _ in self.chosen.sums)
        spare = (f"SUM{summing + i}:1a" for i in itertools.count(1))
        own = (f"INV{i}:1" for i in range(1, inverters + 1))
        self.inverters = dict(zip(sorted(self.chosen.inverted), itertools.chain(own, spare), strict=False))
        self.held = held

    def plan(self) -> Patch:
        """Lay every cable."""
        sums = 0
        widest = {"INT": 0, "SUM": 0}
        for (k, port), form in self.chosen.sums.items():
            if k in self.held:
                target = self.names[k + 1]
            else:
                sums += 1
                target = f"SUM{sums}"
                self._into(target, k, port)
            widest[target[:3]] = max(widest[target[:3]], len(form))
            self._sum(target, form)
        for (k, port), (source, weight) in self.chosen.wires.items():
            name = self.names.get(source, "function")
            origin = name if abs(weight - 1) < _SAME else self._potentiometer(name, weight)
            self._into(origin, k, port)
        for source, jack in self.inverters.items():
            self.cables.append((self.names.get(source, "function"), jack))
        for k in self.held:
            self._start(k)
        needs = {
            "integrators": len(self.held),
            "multipliers": len(self.scaled.couplings.of("multiplier")),
            "summers": sums,
            "inverters": len(self.inverters),
            "comparators": len(self.decided),
            "potentiometers": len(self.potentiometers),
            "inputs_of_integrator": widest["INT"],
            "inputs_of_summer": widest["SUM"],
        }
        signs = tuple(self.chosen.outputs[k + 1] for k in self.held)
        return Patch(tuple(self.cables), self.potentiometers, signs, needs)

    def _into(self, origin: str, k: int, port: int) -> None:
        """Wire a port of an element that is no integrator; of a negated signal a comparator passes the negative part."""
        name = self.names.get(k + 1, "function")
        if k not in self.decided:
            self.cables.append((origin, f"{name}:{'XY'[port]}"))
            return
        sign = self.chosen.outputs[k + 1]
        passed = origin if self.scaled.couplings.elements[k].kind == "positive_part" else ("+1" if sign > 0 else "-1")
        self.cables += [(origin, f"{name}:A"), (passed, f"{name}:{'>0' if sign > 0 else '<0'}")]

    def _sum(self, target: str, form: Form) -> None:
        ones, tens = (self._free(target[:3], weight) for weight in ("1", "10"))
        for source, weight in sorted(form.items(), key=lambda item: -abs(item[1])):
            origin, size = self._origin(source, weight), abs(weight)
            # Scaling leaves no more weights above 1 than there are jacks of weight 10; others may take one with a tenth.
            if size > 1 + _SAME or not (jack := next(ones, "")):
                jack, size = next(tens, "none left"), size / 10
            via = origin if abs(size - 1) < _SAME else self._potentiometer(origin, size)
            self.cables.append((via, f"{target}:{jack}"))

    def _free(self, kind: str, weight: str) -> Iterator[str]:
        return (jack for jack in _JACKS[kind] if jack[:-1] == weight)

    def _origin(self, source: int, weight: float) -> str:
        if source == ONE:
            return "+1" if weight > 0 else "-1"
        return self.names.get(source, "function") if weight > 0 else self.inverters[source].partition(":")[0]

    def _potentiometer(self, origin: str, value: float) -> str:
        key = origin, float(f"{value:.10g}")
        if key not in self.shared:
            name = f"COEFF{len(self.potentiometers) + 1}"
            self.shared[key] = name
            self.potentiometers[name] = float(value)
            self.cables.append((origin, name))
        return self.shared[key]

    def _start(self, k: int) -> None:
        start = -self.chosen.outputs[k + 1] * float(self.scaled.initial[k])
        if abs(start) < _SAME:
            return
        origin = "+1" if start > 0 else "-1"
        via = origin if abs(abs(start) - 1) < _SAME else self._potentiometer(origin, abs(start))
        self.cables.append((via, f"{self.names[k + 1]}:IC"))


def machine(plan: Mapping[str, Any], *, bits: int | None = None) -> Machine:
    """What a patch plan computes, with potentiometers set to so many bits; exactly if None.

    Raises
    ------
    BadInput
        Two cables end in one input, or a potentiometer has no setting.
    """
    feeding: dict[str, str] = {}
    for source, target in plan["cables"]:
        if target in feeding:
            raise BadInput(
                f"patch plan: two cables, from {feeding[target]} and {source}, end in {target}; an input takes one."
            )
        feeding[target] = source
    settings = {
        name: rounded(float(value), None if bits is None else bits + 1) for name, value in plan["potentiometers"].items()
    }
    unset = sorted({target for target in feeding if target.startswith("COEFF")} - settings.keys())
    if unset:
        raise BadInput(f"patch plan: {unset[0]} is wired but has no setting; give it one from 0 to 1.")
    count = max((int(target[3 : target.index(":")]) for target in feeding if target.startswith("INT")), default=0)
    inputs: dict[str, list[tuple[float, str]]] = {}
    for target, source in feeding.items():
        element, _, jack = target.partition(":")
        if jack[:1] == "1":
            inputs.setdefault(element, []).append((10.0 if jack.startswith("10") else 1.0, source))

    def output(name: str, values: dict[str, float]) -> float:
        if name not in values:
            if name.startswith("COEFF"):
                values[name] = settings[name] * output(feeding[name], values)
            elif name.startswith("MUL"):
                values[name] = output(feeding[f"{name}:X"], values) * output(feeding[f"{name}:Y"], values)
            elif name.startswith("CMP"):
                compared = sum(output(feeding[jack], values) for jack in (f"{name}:A", f"{name}:B") if jack in feeding)
                passed = f"{name}:>0" if compared > 0 else f"{name}:<0"
                values[name] = output(feeding[passed], values) if passed in feeding else 0.0
            else:
                values[name] = summed(name, values)
        return values[name]

    def summed(name: str, values: dict[str, float]) -> float:
        return -sum(weight * output(source, values) for weight, source in inputs.get(name, ()))

    rails = {"+1": 1.0, "-1": -1.0}
    names = [f"INT{k}" for k in range(1, count + 1)]

    def rates(outputs: Array) -> Array:
        values = {**rails, **dict(zip(names, outputs.tolist(), strict=True))}
        return np.array([summed(name, values) for name in names])

    elements = sorted({name.partition(":")[0] for name in feeding if not name.startswith(("INT", "COEFF"))})

    def signals(outputs: Array) -> dict[str, float]:
        values = dict(zip(names, outputs.tolist(), strict=True))
        for name in elements:
            output(name, known := {**rails, **values})
            values[name] = known[name]
        return values

    starts = [-output(feeding[f"{name}:IC"], dict(rails)) if f"{name}:IC" in feeding else 0.0 for name in names]
    return Machine(np.array(starts), rates, signals)
