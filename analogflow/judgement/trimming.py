"""Trimmers at the integrators of a drawn board: set at one temperature, and what is left there and at others.

A trimmer's wiper drives each integrator's summing node through one large resistor. Its volts bias the rate of that
integrator, which moves the answer by S b; n of them, of which one is idle where what is common to all cancels, bring the
answer back.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_whole
from analogflow.circuit import Circuit, Group, VoltageSource
from analogflow.circuit.build import NOMINAL_CELSIUS, kelvin_of
from analogflow.circuit.trimmers import FOLLOWED, LARGEST, STEP, summing_nodes, with_trimmers
from analogflow.compiler import charged, compile, rebuilt
from analogflow.errors import BadInput
from analogflow.netlister import netlist
from analogflow.passes import sample_parts
from analogflow.simulators import simulate

__all__ = ["Aim", "Trimmed", "aim_of", "best_trimmers", "bits_of", "exact_answer", "trim", "trim_slopes"]

Array = NDArray[np.float64]

_TURNED = 0.2
"""Volts of a wiper whose effect tells a slope."""

_ROUNDS = 4
_SMALLEST = 1e-3
"""Singular value, over the largest, below which trimmers together do nothing: what all integrators share cancels."""

_TIME = 100.0


@dataclasses.dataclass(frozen=True, eq=False)
class Trimmed:
    """A drawn board before and after its trimmers were set.

    Parameters
    ----------
    circuit : Circuit
        With its deviations and its trimmers, at the temperature where they were set.
    volts : mapping of str to float
        At the wiper of each trimmer, by the node of its integrator.
    before, after : mapping of float to array
        Error of each element of the answer, in flow units, by °C; the temperature at which it was trimmed comes first.
    """

    circuit: Circuit
    volts: Mapping[str, float]
    before: Mapping[float, Array]
    after: Mapping[float, Array]

    @property
    def left(self) -> float:
        """Largest error of an element of the answer where it was trimmed."""
        return float(abs(next(iter(self.after.values()))).max())

    @property
    def limited(self) -> bool:
        """Whether a trimmer is at its end."""
        return any(abs(value) >= LARGEST for value in self.volts.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers under plain names."""

        def told(errors: Mapping[float, Array]) -> list[dict[str, float]]:
            return [
                {"celsius": celsius, "largest_error": float(abs(error).max()), "bits": bits_of(error)}
                for celsius, error in errors.items()
            ]

        return {
            "volts": dict(self.volts), "limited": self.limited, "before": told(self.before), "after": told(self.after),
        }  # fmt: skip


def bits_of(error: Array) -> float:
    """Effective bits: those of a converter over 1 flow unit whose error has the same root mean square."""
    size = float(np.sqrt(np.mean(np.square(error))))
    return math.log2(1 / (math.sqrt(12) * size)) if size else math.inf


def exact_answer(circuit: Circuit) -> Array:
    """Where the flow of a circuit settles, by the block engine, from its equations alone.

    Raises
    ------
    BadInput
        Its answer is a path's or a law's, so that no trimmer brings it back.
    """
    flow = circuit.flow
    if flow.end_time is not None or flow.averaging is not None:
        raise BadInput("trimmers bring an answer back at which a circuit rests; this one is a path's, or a law's.")
    return simulate(netlist(compile(flow), time_constants=1e4), engine="block", resting_speed=1e-9).final[flow.answer]


def trim_slopes(circuit: Circuit, *, time_constants: float = _TIME) -> Array:
    """Change of the answer with each trimmer, per volt of its wiper, shape (elements, trimmers): one run for each.

    Raises
    ------
    BadInput
        The circuit has no parts, or integrators that are no amplifier with a capacitor.
    """
    nodes = list(summing_nodes(circuit))
    idle = dict.fromkeys(nodes, 0.0)
    middle = _run(with_trimmers(circuit, idle), time_constants)
    moved = [_run(with_trimmers(circuit, {**idle, node: _TURNED}), time_constants) - middle for node in nodes]
    return np.array(moved).T / _TURNED


@dataclasses.dataclass(frozen=True, eq=False)
class Aim:
    """What a board is trimmed to, and how its trimmers move the answer.

    Parameters
    ----------
    target : array, shape (elements,)
    slopes : array, shape (elements, trimmers)
        Per volt of a wiper.
    time_constants : float
        Length of each run.
    """

    target: Array
    slopes: Array
    time_constants: float = _TIME


def aim_of(circuit: Circuit, *, time_constants: float = _TIME) -> Aim:
    """What every board of a circuit is trimmed to; raises as `exact_answer` and `trim_slopes` do."""
    return Aim(exact_answer(circuit), trim_slopes(circuit, time_constants=time_constants), time_constants)


def trim(
    circuit: Circuit,
    *,
    count: int | None = None,
    seed: int = 0,
    sample: int = 0,
    temperatures_celsius: tuple[float, ...] = (0.0, 70.0),
    aim: Aim | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Trimmed:
    """Draw a board, set its trimmers where it is built for, and leave them at other temperatures.

    They are set as by hand: the answer is read, each wiper is turned by what the slopes say, and the answer is read again.
    To be trimmed so, a board must know its answer: on a board of one problem this is calibration to what is known already,
    and what it is worth shows at other temperatures.

    Parameters
    ----------
    circuit : Circuit
        Nominal, of a technology that has parts.
    count : int, optional
        Trimmers that are there; all if not given. Those are taken that leave least where all integrators are off alike.
    seed, sample : int
        As for `sample_parts`.
    temperatures_celsius : tuple of float
        Of the same board, beside that it is built for, from -100 to 200 °C.
    aim : Aim, optional
        As `aim_of` finds it; found if not given.
    on_progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    Trimmed

    Raises
    ------
    BadInput
        The circuit has no parts or deviates already, it does not rest at its answer, or there are not so many trimmers.
    SimulationFailed
        A run found no solution.
    """
    circuit = charged(circuit)
    nodes = list(summing_nodes(circuit))
    if not circuit.nominal:
        raise BadInput("trimmers are set on a board that is drawn from a circuit as it is meant: give one without flaws.")
    if count is not None and not is_whole(count, 1, len(nodes)):
        raise BadInput(f"trim: {count!r} trimmers can not be set; the circuit has {len(nodes)} integrators to trim.")
    tell = on_progress or (lambda _: None)
    aim = aim or aim_of(circuit)
    target, slopes = aim.target, aim.slopes
    used = best_trimmers(slopes, slopes @ slopes.T, count or len(nodes))
    home = circuit.temperature_kelvin
    kelvins = {celsius: kelvin_of(celsius) for celsius in temperatures_celsius}
    runs = 2 * (1 + len(kelvins)) + _ROUNDS - 1
    done = itertools.count(1)

    def error(kelvin: float, volts: Array) -> Array:
        board = _drawn(circuit, kelvin, seed, sample, dict(zip(nodes, volts.tolist(), strict=True)))
        found = _run(board, aim.time_constants) - target
        tell(next(done) / runs)
        return found

    volts, inverse = np.zeros(len(nodes)), np.linalg.pinv(slopes[:, used], rcond=_SMALLEST)
    first = last = error(home, volts)
    best, least = volts, first
    for _ in range(_ROUNDS):
        turned = volts.copy()
        turned[list(used)] -= inverse @ last
        volts = np.clip(np.round(turned / STEP) * STEP, -LARGEST, LARGEST)
        if np.array_equal(volts, best):
            break
        last = error(home, volts)
        if abs(last).max() < abs(least).max():
            best, least = volts, last
    celsius = NOMINAL_CELSIUS + home - kelvin_of(NOMINAL_CELSIUS)
    before = {celsius: first, **{c: error(kelvin, np.zeros(len(nodes))) for c, kelvin in kelvins.items()}}
    after = {celsius: least, **{c: error(kelvin, best) for c, kelvin in kelvins.items()}}
    named = {node: float(best[k]) for k, node in enumerate(nodes) if k in used}
    return Trimmed(_drawn(circuit, home, seed, sample, named), named, before, after)


def best_trimmers(slopes: Array, covariance: Array, count: int) -> tuple[int, ...]:
    """Of all choices of `count` trimmers that which leaves the least variance of the answer, to first order."""

    def left(used: tuple[int, ...]) -> float:
        reached = slopes[:, used] @ np.linalg.pinv(slopes[:, used], rcond=_SMALLEST)
        rest = np.eye(len(slopes)) - reached
        return float(np.trace(rest @ covariance @ rest.T))

    return min(itertools.combinations(range(slopes.shape[1]), count), key=left)


def _drawn(circuit: Circuit, kelvin: float, seed: int, sample: int, volts: Mapping[str, float]) -> Circuit:
    """One board at a temperature: the same parts, in which only what heats changes, and the same trimmers."""
    warmer = 1 + FOLLOWED * (kelvin / circuit.temperature_kelvin - 1)
    if kelvin != circuit.temperature_kelvin:
        other = rebuilt(circuit, temperature_kelvin=kelvin, values=None)
        kernel = {g.block: g for g in other.groups if g.block == "kernel"}  # its reference follows the temperature
        groups = tuple(_following(group, kernel.get(group.block)) for group in circuit.groups)
        build = dataclasses.replace(circuit.build, temperature_kelvin=kelvin)
        circuit = dataclasses.replace(circuit, groups=groups, build=build, readings=other.readings, units=other.units)
    return with_trimmers(
        sample_parts(circuit, seed=seed, sample=sample), {node: warmer * value for node, value in volts.items()}
    )


def _following(group: Group, other: Group | None) -> Group:
    """A group whose sources have the voltages of another."""
    if other is None:
        return group
    sources = {e.name: e for e in other.elements if isinstance(e, VoltageSource)}
    return dataclasses.replace(group, elements=tuple(
        sources.get(e.name, e) if isinstance(e, VoltageSource) else e for e in group.elements
    ))  # fmt: skip


def _run(circuit: Circuit, time_constants: float) -> Array:
    return simulate(netlist(circuit, time_constants=time_constants)).final[circuit.flow.answer]
