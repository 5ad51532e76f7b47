"""What equations remember: comparators with hysteresis, delays, and events that set states anew; all read from text."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_number, proposal
from analogflow.errors import BadInput
from analogflow.problems.expression import Expression, Kept, part_of, read_expression
from analogflow.problems.orders import dotted

__all__ = ["DELAY", "DIRECTIONS", "HYSTERESIS", "Delayed", "Event", "Hysteresis", "Memories", "read_events"]

Array = NDArray[np.float64]

HYSTERESIS, DELAY = "hysteresis", "delay"
"""Names of the functions."""

DIRECTIONS: Mapping[str, tuple[int, ...]] = {"rising": (1,), "falling": (-1,), "both": (1, -1)}
"""How what is watched may cross 0, and the signs of the rate at which it then does."""

_USED = {HYSTERESIS: f"{HYSTERESIS}(u, low, high)", DELAY: f"{DELAY}(u, T)"}

_EVENT_KEYS = ("when", "direction", "then", "name")
_MOST_EVENTS = 32


@dataclasses.dataclass(frozen=True, eq=False)
class Hysteresis:
    """A comparator with hysteresis (Schmitt trigger): 1 once its signal is above `high`, 0 once it is below `low`.

    Parameters
    ----------
    name : str
        Of the hidden state that is its output.
    signal : Expression
        What is compared.
    low, high : float
        The thresholds.
    start : float
        Output at the start where the signal is between the two then: 0 or 1.
    """

    name: str
    signal: Expression
    low: float
    high: float
    start: float

    def begins(self, signal: Any, faults: list[str]) -> Array:
        """Output at the start, 0 or 1, shape (1,), where its signal is `signal` then."""
        signal = np.asarray(signal, dtype=float)
        if signal.size != 1:
            faults.append(
                f"{self.signal.where}, {self.signal.text!r} has shape {signal.shape}; a comparator with hysteresis compares "
                "one number, so write one for each element, such as x[0]"
            )
            return np.full(1, self.start)
        return np.where(signal > self.high, 1.0, np.where(signal < self.low, 0.0, self.start)).reshape(1)


@dataclasses.dataclass(frozen=True, eq=False)
class Delayed:
    """What a signal was a while ago.

    Parameters
    ----------
    name : str
        Of the hidden state that it is.
    signal : Expression
    delay : float
        How long ago, in τ.
    start : array, optional
        What the signal was before t = 0; what it is at t = 0 if not given.
    """

    name: str
    signal: Expression
    delay: float
    start: Array | None

    def begins(self, signal: Any, faults: list[str]) -> Array:
        """Value until the delay has passed, in the shape of `signal`, its signal at the start, but of one axis at least."""
        signal = np.atleast_1d(np.asarray(signal, dtype=float))
        if self.start is None:
            if not np.isfinite(signal).all():
                faults.append(f"{self.signal.where}, {self.signal.text!r} is not finite at the initial state")
            return signal
        if self.start.size != 1 and self.start.shape != signal.shape:
            faults.append(
                f"{self.signal.where}: what it was before t = 0 has shape {self.start.shape}, and {self.signal.text!r} has "
                f"{signal.shape}; give one number, or as many"
            )
            return signal
        return np.array(np.broadcast_to(self.start, signal.shape))


@dataclasses.dataclass(frozen=True, eq=False)
class Event:
    """States that are set anew where something crosses 0.

    Parameters
    ----------
    name : str
    when : Expression
        What crosses 0, a single number.
    direction : {"rising", "falling", "both"}
    then : mapping of state to Expression
        What each is afterwards, of what was before; the others stay.
    """

    name: str
    when: Expression
    direction: str
    then: Mapping[str, Expression]

    @property
    def keys(self) -> dict[str, Any]:
        """What a file holds of it."""
        then = {key: expression.text for key, expression in self.then.items()}
        return {"when": self.when.text, "direction": self.direction, "then": then, "name": self.name}


class Memories:
    """Comparators with hysteresis and delays, as they are found in one text after another.

    Parameters
    ----------
    constants : mapping of name to number or array
        Which thresholds and delays may be made of.
    taken : collection of str
        Names that no hidden state may have.
    """

    def __init__(self, constants: Mapping[str, Any], taken: Collection[str]) -> None:
        self.constants = constants
        self.taken = {name.lower() for name in taken}
        self.found: dict[str, Hysteresis | Delayed] = {}

    def read(self, text: Any, known: Collection[str], *, where: str) -> Expression:
        """Expression in `text` over the names in `known`, in which each comparator and each delay is a hidden state.

        Raises
        ------
        BadInput
            As of `read_expression`, or the arguments of one are none.
        """

        def keeping(made: Callable[..., Hysteresis | Delayed], function: str) -> Kept:
            def kept(call: ast.Call, inner: Callable[[ast.expr], ast.expr]) -> ast.expr:
                label, place = ast.unparse(call), f"{where}: {function} at column {call.col_offset + 1}"
                if label not in self.found:
                    if call.keywords or not call.args:
                        raise BadInput(f"{place} takes its arguments by their places alone, such as {_USED[function]}.")
                    given = inner(call.args[0])
                    hidden = [each.name for each in self.found.values()]
                    signal = part_of(given, {*known, *hidden}, where=f"{where}, {function}")
                    each = made(call.args[1:], signal, place)
                    self.found[label] = dataclasses.replace(each, name=self._name(function))
                return ast.copy_location(ast.Name(self.found[label].name, ast.Load()), call)

            return kept

        kept = {HYSTERESIS: keeping(self._hysteresis, HYSTERESIS), DELAY: keeping(self._delay, DELAY)}
        return read_expression(text, known, where=where, kept=kept)

    def _hysteresis(self, arguments: Sequence[ast.expr], signal: Expression, place: str) -> Hysteresis:
        if len(arguments) not in (2, 3):
            raise BadInput(
                f"{place} takes 3 or 4 arguments, not {len(arguments) + 1}: {_USED[HYSTERESIS]}, "
                "and after them 0 or 1, its output where u starts between the two."
            )
        low, high, start = (
            self._number(argument, f"{place}: its {what}")
            for argument, what in zip(
                [*arguments, ast.Constant(0)][:3], ("low threshold", "high threshold", "start"), strict=True
            )
        )
        if not low < high:
            raise BadInput(
                f"{place}: its low threshold {low:g} is not below its high one, {high:g}; write {_USED[HYSTERESIS]}, or "
                "comparator(u, threshold) where there is one."
            )
        if start not in (0.0, 1.0):
            raise BadInput(f"{place}: its start is {start:g}; its output is 0 or 1.")
        return Hysteresis("", signal, low, high, start)

    def _delay(self, arguments: Sequence[ast.expr], signal: Expression, place: str) -> Delayed:
        if len(arguments) not in (1, 2):
            raise BadInput(
                f"{place} takes 2 or 3 arguments, not {len(arguments) + 1}: {_USED[DELAY]} with T in τ, and after them what "
                "u was before t = 0, where that is not what it is at t = 0."
            )
        delay = self._number(arguments[0], f"{place}: its T")
        if not delay > 0:
            ahead = "is u itself, so write that" if delay == 0 else "would be of the future"
            raise BadInput(f"{place}: its T is {delay:g}, and must be positive; a delay of {delay:g} {ahead}.")
        start = None if len(arguments) == 1 else self._array(arguments[1], f"{place}: what it was before t = 0")
        return Delayed("", signal, delay, start)

    def _array(self, node: ast.expr, what: str) -> Array:
        try:
            found = np.asarray(part_of(node, self.constants, where=what).evaluate(self.constants), dtype=float)
        except BadInput as fault:
            raise BadInput(f"{str(fault).rstrip('.')}; it is made of numbers and constants.") from None
        if not np.isfinite(found).all():
            raise BadInput(f"{what} must be finite.")
        return found

    def _number(self, node: ast.expr, what: str) -> float:
        found = self._array(node, what)
        if found.size != 1:
            raise BadInput(f"{what} must be one finite number, or a constant that is.")
        return float(found.reshape(()))

    def _name(self, function: str) -> str:
        k = len(self.found) + 1
        while (name := f"{function}_{k}") in self.taken:
            k += 1
        self.taken.add(name)
        return name


def read_events(
    given: Any, states: Collection[str], read: Callable[..., Expression], faults: list[str]
) -> tuple[Event, ...]:
    """Events from a list of tables; what is none leaves a fault.

    Parameters
    ----------
    given : sequence of mapping
        Each with ``when``, ``then``, and perhaps ``direction`` and ``name``.
    states : collection of str
    read : callable
        ``read(text, where=...)``: the expression in a text.
    faults : list of str
    """
    if given is None:
        return ()
    if isinstance(given, Mapping | str) or not isinstance(given, Sequence):
        faults.append(f"events: a list of tables is needed, [[events]] in a file, not {type(given).__name__}")
        return ()
    if len(given) > _MOST_EVENTS:
        faults.append(f"events: there are {len(given)}, and may be {_MOST_EVENTS}")
        return ()
    found = []
    for k, each in enumerate(given, 1):
        before, where = len(faults), f"events[{k}]"
        if not isinstance(each, Mapping):
            faults.append(f'{where}: {each!r} is no table; write when = "y", direction = "falling", then = {{v = "-v"}}')
            continue
        unknown = [key for key in each if key not in _EVENT_KEYS]
        faults += [f"{where}: unknown key {str(key)[:31]!r}; an event has {', '.join(_EVENT_KEYS)}" for key in unknown]
        missing = [key for key in ("when", "then") if key not in each]
        faults += [f"{where}: the key {key!r} is missing" for key in missing]
        direction, then = each.get("direction", "both"), each.get("then", {})
        if not isinstance(direction, str) or direction not in DIRECTIONS:
            told = proposal(direction, list(DIRECTIONS)).rstrip(".") if isinstance(direction, str) else "it is a word"
            faults.append(f"{where}: direction {direction!r} is not known; {told}; there are {', '.join(DIRECTIONS)}")
        if not isinstance(then, Mapping) or ("then" in each and not then):
            faults.append(f'{where}: then must name states and what they become, such as then = {{v = "-0.8 * v"}}')
            then = {}
        then = {dotted(str(key)): text for key, text in then.items()}
        foreign = [key for key in then if key not in states]
        faults += [f"{where}: then sets {key[:31]!r}, which is no state; there are {', '.join(states)}" for key in foreign]
        if len(faults) > before:
            continue
        try:
            when = read(_text(each["when"]), where=f"{where}.when")
            set_anew = {key: read(_text(text), where=f"{where}.then.{key}") for key, text in then.items()}
        except BadInput as fault:
            faults.append(str(fault).rstrip("."))
            continue
        found.append(Event(str(each.get("name", f"event {k}"))[:40], when, direction, set_anew))
    return tuple(found)


def _text(value: Any) -> Any:
    return dotted(value) if isinstance(value, str) and not is_number(value) else value
