"""Small-signal analysis of a circuit of parts: where it rests, and what each source of noise in it does to what is read.

It reads the elements of the circuit, those that play noise among them, as a netlist lists them, and shares no code with the
simulators. Junction capacitances and transit times are left out: what is computed is slow beside them.
"""

from __future__ import annotations

import ast
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import (
    Behavioural,
    BipolarTransistor,
    Capacitor,
    Circuit,
    CurrentSource,
    Diode,
    Element,
    Instance,
    NoiseVoltage,
    PlayedVoltage,
    Reading,
    Resistor,
    StepVoltage,
    Switch,
    TimedVoltage,
    Transconductance,
    VoltageSource,
)
from analogflow.circuit.build import thermal_voltage
from analogflow.circuit.elements import simulated
from analogflow.errors import BadInput, SimulationFailed
from analogflow.passes.device_noise import saturation_current

__all__ = ["Assembly", "Linear", "linearised"]

Array = NDArray[np.float64]

_STEP = 1e-6
"""Volts of the differences that formulas and junctions are differentiated by: their scale is kT/q and more."""

_LEAK = 1e-15
"""Siemens from each node to ground, as simulators have them."""

_ROUNDS, _REST = 60, 1e-10
"""Newton's steps at most; volts of the last one."""

_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "ln": math.log,
    "exp": lambda x: math.exp(min(x, 700.0)),
    "sqrt": lambda x: math.sqrt(max(x, 0.0)),
    "tanh": math.tanh,
    "sin": math.sin,
    "atan": math.atan,
    "min": min,
    "max": max,
}
_OPERATIONS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


@dataclasses.dataclass(frozen=True)
class _Piece:
    """Currents out of nodes `ends`, a function of the voltages of nodes `controls`; numbers of nodes, −1 for ground."""

    ends: tuple[int, ...]
    controls: tuple[int, ...]
    currents: Callable[[Sequence[float]], Sequence[float]]


@dataclasses.dataclass(frozen=True, eq=False)
class Linear:
    """Circuit at rest, linearised: C dx/dt + G x = what sources drive, with x its node voltages and currents of sources.

    Parameters
    ----------
    conductance, capacitance : array, shape (unknowns, unknowns)
        G and C, SI units.
    rest : array, shape (unknowns,)
        Where it rests, volts and amperes.
    rows : mapping of vector to int
        Which unknown a node or ``i(source)`` is.
    sources : mapping of name to int
        Row that each source of noise drives.
    """

    conductance: Array
    capacitance: Array
    rest: Array
    rows: Mapping[str, int]
    sources: Mapping[str, int]

    def gradient(self, reading: Reading) -> Array:
        """Derivative of what a reading shows with respect to the unknowns, shape (size, unknowns), flow units each."""
        rows = [self.rows[vector] for vector in reading.vectors]
        raw = self.rest[rows]
        derivative = np.zeros((reading.size, len(self.rest)))
        for k, row in enumerate(rows):
            step = np.zeros(len(rows))
            step[k] = 1e-6 * max(abs(raw).max(), 1e-12)
            derivative[:, row] += (reading.apply(raw + step) - reading.apply(raw - step)) / (2 * step[k])
        return derivative

    def transfer(self, gradient: Array, frequency: float) -> NDArray[np.complexfloating]:
        """What one volt at each source makes of a reading at a frequency in hertz, shape (size, sources)."""
        system = self.conductance + 2j * np.pi * frequency * self.capacitance
        adjoint = np.linalg.solve(system.T, gradient.T.astype(complex))
        return adjoint[list(self.sources.values())].T


class Assembly:
    """Numbers the unknowns of a circuit, and collects what its elements make."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.models = {model.name: model for model in circuit.models}
        self.macros = {macro.name: macro for macro in circuit.macros}
        self.rows: dict[str, int] = {}
        self.pieces: list[_Piece] = []
        self.stored: list[tuple[int, int, float]] = []
        self.branches: list[tuple[int, int, float, str]] = []
        self.like: dict[int, str] = {}
        self.noises: list[str] = []
        self.alike: list[tuple[int, ...]] = []
        for element in simulated(circuit.elements):
            self.add(element, {}, {}, "")

    def node(self, name: str, local: Mapping[str, str], prefix: str) -> int:
        """Number of a node; names inside a macro-model are those of one instance."""
        name = local.get(name, name if name == "0" else f"{prefix}{name}")
        return -1 if name == "0" else self.rows.setdefault(name, len(self.rows))

    def linear(self, ends: tuple[int, int], controls: tuple[int, int], gain: float) -> None:
        """A current `gain` times a voltage."""
        self.pieces.append(_Piece(ends, controls, lambda v: (gain * (v[0] - v[1]), -gain * (v[0] - v[1]))))

    def add(self, element: Element, local: Mapping[str, str], values: Mapping[str, float], prefix: str) -> None:
        """What one element makes."""
        nodes = tuple(self.node(name, local, prefix) for name in element.nodes)
        ends = (nodes[0], nodes[1] if len(nodes) > 1 else -1)
        match element:
            case Resistor():
                self.linear(ends, ends, 1 / element.resistance)
            case Capacitor():
                self.stored.append((*ends, element.capacitance))
            case Switch():
                self.linear(ends, ends, 1 / dict(self.models[element.model].parameters)["roff"])
            case Transconductance():
                self.linear(ends, (self.node(element.control, local, prefix), -1), element.gain)
            case VoltageSource():
                self.branches.append((*ends, element.voltage, f"v{element.name}"))
            case StepVoltage():
                self.branches.append((*ends, element.after, f"v{element.name}"))
            case NoiseVoltage():
                self.noises.append(element.name)
                self.alike += [nodes] if len(nodes) > 1 else []
                self.branches.append((*ends, 0.0, f"a{element.name}"))
            case CurrentSource(current=current):
                self.pieces.append(_Piece(ends, (), lambda v: (current, -current)))
            case Behavioural():
                self.formula(element.expression, ends, local, values, prefix)
            case BipolarTransistor():
                self.transistor(element, nodes)
            case Diode():
                self.diode(element, ends)
            case Instance():
                macro = self.macros[element.macro]
                inner = dict(zip(macro.ports, element.nodes, strict=True))
                given = {**dict(macro.parameters), **dict(element.parameters)}
                for part in macro.elements:
                    self.add(part, inner, given, f"{element.name}.")
            case TimedVoltage() | PlayedVoltage():
                raise BadInput(
                    "the noise of parts has a budget where a circuit rests, and this one is driven by a signal of time; "
                    "leave the budget out."
                )
            case _:
                raise BadInput(
                    f"element {element.name!r} is of a kind that has no small-signal model; leave the budget out."
                )

    def formula(
        self, text: str, ends: tuple[int, int], local: Mapping[str, str], values: Mapping[str, float], prefix: str
    ) -> None:
        """A current given by a formula of node voltages."""
        tree = ast.parse(text.strip(), mode="eval").body
        found: dict[str, int] = {}

        def names(node: ast.AST) -> None:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "v":
                said = ast.unparse(node.args[0])
                found.setdefault(said, self.node(said, local, prefix))
                return
            for child in ast.iter_child_nodes(node):
                names(child)

        names(tree)
        order = list(found)

        def currents(v: Sequence[float]) -> Sequence[float]:
            value = _value(tree, dict(zip(order, v, strict=True)), values)
            return value, -value

        self.pieces.append(_Piece(ends, tuple(found.values()), currents))

    def transistor(self, element: BipolarTransistor, nodes: tuple[int, ...]) -> None:
        """Gummel and Poon's static equations between inner nodes, with the resistances of the three terminals."""
        model, kelvin = self.models[element.model], self.circuit.temperature_kelvin
        given, v_t, sign = dict(model.parameters), thermal_voltage(kelvin), 1.0 if model.kind == "npn" else -1.0
        saturation = saturation_current(model, kelvin)
        warm = saturation / given["is"]
        inner = []
        for end, outer in zip("cbe", nodes, strict=True):
            ohms = given.get(f"r{end}", 0.0) / element.area
            if ohms:
                number = self.node(f"{element.name}.{end}", {}, "")
                self.linear((outer, number), (outer, number), 1 / ohms)
                self.like[number] = element.nodes["cbe".index(end)]
                inner.append(number)
            else:
                inner.append(outer)

        def leak(name: str, slope: str, usual: float, volts: float) -> float:
            n = given.get(slope, usual)
            return given.get(name, 0.0) * warm ** (1 / n) * (_exp(volts / (n * v_t)) - 1)

        def currents(v: Sequence[float]) -> Sequence[float]:
            v_be, v_bc = sign * (v[1] - v[2]), sign * (v[1] - v[0])
            forward = saturation * (_exp(v_be / (given.get("nf", 1.0) * v_t)) - 1)
            back = saturation * (_exp(v_bc / (given.get("nr", 1.0) * v_t)) - 1)
            early = 1 - (v_bc / given["vaf"] if given.get("vaf") else 0) - (v_be / given["var"] if given.get("var") else 0)
            knee = (forward / given["ikf"] if given.get("ikf") else 0) + (back / given["ikr"] if given.get("ikr") else 0)
            charge = (1 + math.sqrt(max(1 + 4 * knee, 0.0))) / (2 * early)
            base_back = back / given.get("br", 1.0) + leak("isc", "nc", 2.0, v_bc)
            base = forward / given.get("bf", 100.0) + leak("ise", "ne", 1.5, v_be) + base_back
            collector = (forward - back) / charge - base_back
            scale = sign * element.area
            return scale * collector, scale * base, -scale * (collector + base)

        ends = (inner[0], inner[1], inner[2])
        self.pieces.append(_Piece(ends, ends, currents))

    def diode(self, element: Diode, ends: tuple[int, int]) -> None:
        """Shockley's equation, with the resistance in series."""
        model, kelvin = self.models[element.model], self.circuit.temperature_kelvin
        given, saturation = dict(model.parameters), saturation_current(model, kelvin)
        scale = given.get("n", 1.0) * thermal_voltage(kelvin)
        anode = ends[0]
        if given.get("rs"):
            anode = self.node(f"{element.name}.a", {}, "")
            self.linear((ends[0], anode), (ends[0], anode), 1 / given["rs"])
            self.like[anode] = element.nodes[0]

        def currents(v: Sequence[float]) -> Sequence[float]:
            value = saturation * (_exp((v[0] - v[1]) / scale) - 1)
            return value, -value

        self.pieces.append(_Piece((anode, ends[1]), (anode, ends[1]), currents))

    def currents(self, x: Array) -> Array:
        """Sum of the currents out of each node, and what each source lacks."""
        nodes = len(self.rows)
        left = np.zeros(nodes + len(self.branches))
        left[:nodes] = _LEAK * x[:nodes]
        for piece in self.pieces:
            volts = [float(x[k]) if k >= 0 else 0.0 for k in piece.controls]
            for end, current in zip(piece.ends, piece.currents(volts), strict=True):
                if end >= 0:
                    left[end] += current
        for k, (plus, minus, volts, _) in enumerate(self.branches, start=nodes):
            left[k] = -volts
            for end, way in ((plus, 1.0), (minus, -1.0)):
                if end >= 0:
                    left[end] += way * x[k]
                    left[k] += way * x[end]
        return left

    def system(self, x: Array) -> tuple[Array, Array]:
        """The same, and its derivative."""
        nodes, size = len(self.rows), len(self.rows) + len(self.branches)
        slope = np.zeros((size, size))
        slope[range(nodes), range(nodes)] = _LEAK
        for piece in self.pieces:
            volts = [float(x[k]) if k >= 0 else 0.0 for k in piece.controls]
            for j, control in enumerate(piece.controls):
                if control < 0:
                    continue
                up, down = ([*volts[:j], volts[j] + step, *volts[j + 1 :]] for step in (_STEP, -_STEP))
                for end, high, low in zip(piece.ends, piece.currents(up), piece.currents(down), strict=True):
                    if end >= 0:
                        slope[end, control] += (high - low) / (2 * _STEP)
        for k, (plus, minus, _, _) in enumerate(self.branches, start=nodes):
            for end, way in ((plus, 1.0), (minus, -1.0)):
                if end >= 0:
                    slope[end, k] += way
                    slope[k, end] += way
        return self.currents(x), slope


def _exp(x: float) -> float:
    return math.exp(min(x, 80.0))


def _value(node: ast.AST, volts: Mapping[str, float], values: Mapping[str, float]) -> float:
    """Value of a formula as netlists hold it."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _OPERATIONS[type(op)](_value(left, volts, values), _value(right, volts, values))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, volts, values)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, volts, values)
        case ast.Call(func=ast.Name(id="v"), args=[inner]):
            return volts[ast.unparse(inner)]
        case ast.Call(func=ast.Name(id=name), args=args) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(each, volts, values) for each in args))
        case ast.Set(elts=[ast.Name(id=name)]):  # ({name}) is a parameter of a macro-model
            return values[name]
    raise BadInput(f"the formula {ast.unparse(node)!r} has no small-signal model here; leave the budget out.")


def linearised(circuit: Circuit, volts: Mapping[str, float]) -> Linear:
    """The circuit where it rests, its integrators no longer held.

    Parameters
    ----------
    circuit : Circuit
        Of parts; its sources of noise are those of `with_device_noise`.
    volts : mapping of node to float
        Near where it rests, of every node that elements are joined to, such as the end of a run.

    Raises
    ------
    BadInput
        It has an element without a small-signal model.
    SimulationFailed
        It rests nowhere near.
    """
    assembly = Assembly(circuit)
    nodes = len(assembly.rows)
    x = np.zeros(nodes + len(assembly.branches))
    for name, row in assembly.rows.items():
        x[row] = volts.get(assembly.like.get(row, name), 0.0)
    known = [name in volts for name in assembly.rows]
    for (
        plus,
        minus,
    ) in assembly.alike:  # the nodes of a source of noise have one voltage, and a run without it has one of them
        for one, other in ((plus, minus), (minus, plus)):
            if one >= 0 and not known[one]:
                x[one] = x[other] if other >= 0 else 0.0
    for _ in range(_ROUNDS):
        left, slope = assembly.system(x)
        step = np.linalg.solve(slope, -left)
        largest = float(abs(step[:nodes]).max(initial=0.0))
        x = x + step
        if largest < _REST:
            break
    else:
        raise SimulationFailed("the circuit comes to rest nowhere near the end of its run: its noise has no budget.")
    _, slope = assembly.system(x)
    stored = np.zeros_like(slope)
    for plus, minus, farads in assembly.stored:
        for end, way in ((plus, 1.0), (minus, -1.0)):
            for other, sign in ((plus, 1.0), (minus, -1.0)):
                if end >= 0 and other >= 0:
                    stored[end, other] += way * sign * farads
    rows = dict(assembly.rows)
    rows |= {f"i({name})": nodes + k for k, (_, _, _, name) in enumerate(assembly.branches)}
    sources = {name: rows[f"i(a{name})"] for name in assembly.noises}
    return Linear(slope, stored, x, rows, sources)
