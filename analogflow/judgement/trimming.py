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
from analogflow.circuit import Circuit, Trimmers
from analogflow.circuit.build import celsius_of, kelvin_of
from analogflow.circuit.trimmers import ALL, LARGEST, STEP, summing_nodes, with_trimmers
from analogflow.compiler import charged, compile, warmed
from analogflow.errors import BadInput
from analogflow.netlister import netlist
from analogflow.passes import sample_parts
from analogflow.simulators import deck_for, simulate

__all__ = [
    "Aim",
    "Trimmed",
    "aim_of",
    "best_trimmers",
    "bits_of",
    "board_of",
    "check_trimmed",
    "exact_answer",
    "trim",
    "trim_slopes",
]

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
    _refuse_restless(circuit)
    return simulate(netlist(compile(flow), time_constants=1e4), engine="block", resting_speed=1e-9).final[flow.answer]


def trim_slopes(circuit: Circuit, *, time_constants: float = _TIME, engine: str | None = None) -> Array:
    """Change of the answer with each trimmer, per volt of its wiper, shape (elements, trimmers): one run for each.

    This is S where the circuit rests, found as a person with a screwdriver would: each wiper is turned a little.

    Raises
    ------
    BadInput
        The circuit has no parts, or integrators that are no amplifier with a capacitor.
    """
    nodes = list(summing_nodes(circuit))

    def answer(turned: str = "") -> Array:
        volts = tuple((node, _TURNED if node == turned else 0.0) for node in nodes)
        return _run(with_trimmers(circuit, Trimmers(volts, circuit.temperature_kelvin)), time_constants, engine)

    middle = answer()
    return np.array([answer(node) - middle for node in nodes]).T / _TURNED


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
    engine : str, optional
        Which makes it; as `simulate` chooses it if not given.
    """

    target: Array
    slopes: Array
    time_constants: float = _TIME
    engine: str | None = None


def aim_of(circuit: Circuit, *, time_constants: float | None = None, engine: str | None = None) -> Aim:
    """What every board of a circuit is trimmed to; raises as `exact_answer` and `trim_slopes` do."""
    length = time_constants or _TIME
    target = exact_answer(circuit)
    return Aim(target, trim_slopes(circuit, time_constants=length, engine=engine), length, engine)


def check_trimmed(circuit: Circuit, count: int | str | None) -> None:
    """Refuse what no trimmers bring back, before anything is run.

    Parameters
    ----------
    circuit : Circuit
    count : int or "all"
        Trimmers that are there, from 0; all if None.

    Raises
    ------
    BadInput
        The circuit has no parts or deviates already, it does not rest at its answer, or there are not so many trimmers.
    """
    nodes = summing_nodes(circuit)
    _refuse_restless(circuit)
    if not circuit.nominal:
        raise BadInput("trimmers are set on a board that is drawn from a circuit as it is meant: give one without flaws.")
    if count not in (None, ALL) and not is_whole(count, 0, len(nodes)):
        raise BadInput(f"trim: {count!r} trimmers can not be set; the circuit has {len(nodes)} integrators to trim.")


def trim(
    circuit: Circuit,
    *,
    count: int | str | None = None,
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
    count : int or "all", optional
        Trimmers that are there, from 0; all if not given. Those are taken that leave least where all integrators are off
        alike.
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
    check_trimmed(circuit, count)
    nodes = list(summing_nodes(circuit))
    tell = on_progress or (lambda _: None)
    aim = aim or aim_of(circuit)
    number = len(nodes) if count is None or isinstance(count, str) else count
    used = best_trimmers(aim.slopes, aim.slopes @ aim.slopes.T, number)
    home = circuit.temperature_kelvin
    kelvins = {celsius: kelvin_of(celsius) for celsius in temperatures_celsius}
    runs = 2 * (1 + len(kelvins)) + _ROUNDS - 1
    done = itertools.count(1)

    def board(volts: Array) -> Circuit:
        named = tuple((nodes[k], float(value)) for k, value in zip(used, volts, strict=True))
        return board_of(circuit, Trimmers(named, home), seed=seed, sample=sample)

    def error(kelvin: float, volts: Array) -> Array:
        found = _run(warmed(board(volts), kelvin), aim.time_constants, aim.engine) - aim.target
        tell(next(done) / runs)
        return found

    best = idle = np.zeros(len(used))
    least = first = last = error(home, idle)
    inverse = np.linalg.pinv(aim.slopes[:, used], rcond=_SMALLEST) if used else np.zeros((0, len(first)))
    turned = idle
    for _ in range(_ROUNDS):
        turned = np.clip(np.round((turned - inverse @ last) / STEP) * STEP, -LARGEST, LARGEST)
        if np.array_equal(turned, best):
            break
        last = error(home, turned)
        if abs(last).max() < abs(least).max():
            best, least = turned, last
    celsius = celsius_of(home)
    before = {celsius: first, **{c: error(kelvin, idle) for c, kelvin in kelvins.items()}}
    after = {celsius: least, **{c: error(kelvin, best) for c, kelvin in kelvins.items()}}
    volts = {nodes[k]: float(value) for k, value in zip(used, best, strict=True)}
    return Trimmed(board(best), volts, before, after)


def board_of(circuit: Circuit, trimmers: Trimmers, *, seed: int, sample: int) -> Circuit:
    """The board that seed and sample decide, with its trimmers as they are set."""
    return with_trimmers(sample_parts(circuit, seed=seed, sample=sample), trimmers)


def best_trimmers(slopes: Array, covariance: Array, count: int) -> tuple[int, ...]:
    """Of all choices of `count` trimmers that which leaves the least variance of the answer, to first order."""

    def left(used: tuple[int, ...]) -> float:
        reached = slopes[:, used] @ np.linalg.pinv(slopes[:, used], rcond=_SMALLEST)
        rest = np.eye(len(slopes)) - reached
        return float(np.trace(rest @ covariance @ rest.T))

    return min(itertools.combinations(range(slopes.shape[1]), count), key=left)


def _refuse_restless(circuit: Circuit) -> None:
    flow = circuit.flow
    if flow.end_time is not None or flow.averaging is not None:
        raise BadInput("trimmers bring an answer back at which a circuit rests; this one is a path's, or a law's.")


def _run(circuit: Circuit, time_constants: float, engine: str | None) -> Array:
    deck = deck_for(circuit, engine, time_constants=time_constants)
    return simulate(deck, engine=engine).final[circuit.flow.answer]
