"""What equations remember: comparators with hysteresis, and events that set states anew; read from text as equations are."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_number, proposal
from analogflow.errors import BadInput
from analogflow.problems.expression import Expression, part_of, read_expression
from analogflow.problems.orders import dotted

__all__ = ["DIRECTIONS", "HYSTERESIS", "Event", "Hysteresis", "Memories", "read_events", "started"]

Array = NDArray[np.float64]

HYSTERESIS = "hysteresis"
"""Name of the function."""

DIRECTIONS: Mapping[str, tuple[int, ...]] = {"rising": (1,), "falling": (-1,), "both": (1, -1)}
"""How what is watched may cross 0, and the signs of the rate at which it then does."""

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

    def outputs(self, signal: Any, before: Any) -> Array:
        """Output, 0 or 1, where it was `before`."""
        signal = np.asarray(signal, dtype=float)
        return np.where(signal > self.high, 1.0, np.where(signal < self.low, 0.0, before))


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
    """Comparators with hysteresis, as they are found in one text after another.

    Parameters
    ----------
    constants : mapping of name to number or array
        Which thresholds may be made of.
    taken : collection of str
        Names that no hidden state may have.
    """

    def __init__(self, constants: Mapping[str, Any], taken: Collection[str]) -> None:
        self.constants = constants
        self.taken = {name.lower() for name in taken}
        self.found: dict[str, Hysteresis] = {}

    def read(self, text: Any, known: Collection[str], *, where: str) -> Expression:
        """Expression in `text` over the names in `known`, in which each comparator with hysteresis is a hidden state.

        Raises
        ------
        BadInput
            As of `read_expression`, or the arguments of a comparator are none.
        """

        def kept(call: ast.Call, inner: Callable[[ast.expr], ast.expr]) -> ast.expr:
            return self._kept(call, inner, known, where)

        return read_expression(text, known, where=where, kept={HYSTERESIS: kept})

    def _kept(self, call: ast.Call, inner: Callable[[ast.expr], ast.expr], known: Collection[str], where: str) -> ast.expr:
        place = f"{where}: {HYSTERESIS} at column {call.col_offset + 1}"
        if len(call.args) not in (3, 4) or call.keywords:
            raise BadInput(
                f"{place} takes 3 or 4 arguments, not {len(call.args) + len(call.keywords)}: {HYSTERESIS}(u, low, high), "
                "and after them 0 or 1, its output where u starts between the two."
            )
        label = ast.unparse(call)
        if label not in self.found:
            compared = inner(call.args[0])
            hidden = [each.name for each in self.found.values()]
            signal = part_of(compared, {*known, *hidden}, where=f"{where}, {HYSTERESIS}")
            low, high, start = (
                self._number(argument, f"{place}: its {what}")
                for argument, what in zip(
                    [*call.args[1:], ast.Constant(0)][:3], ("low threshold", "high threshold", "start"), strict=True
                )
            )
            if not low < high:
                raise BadInput(
                    f"{place}: its low threshold {low:g} is not below its high one, {high:g}; write "
                    f"{HYSTERESIS}(u, low, high), or comparator(u, threshold) where there is one."
                )
            if start not in (0.0, 1.0):
                raise BadInput(f"{place}: its start is {start:g}; its output is 0 or 1.")
            self.found[label] = Hysteresis(self._name(), signal, low, high, start)
        return ast.copy_location(ast.Name(self.found[label].name, ast.Load()), call)

    def _number(self, node: ast.expr, what: str) -> float:
        try:
            found = np.asarray(part_of(node, self.constants, where=what).evaluate(self.constants), dtype=float)
        except BadInput as fault:
            raise BadInput(f"{str(fault).rstrip('.')}; it is made of numbers and constants.") from None
        if found.size != 1 or not np.isfinite(found).all():
            raise BadInput(f"{what} must be one finite number, or a constant that is.")
        return float(found.reshape(()))

    def _name(self) -> str:
        k = len(self.found) + 1
        while (name := f"{HYSTERESIS}_{k}") in self.taken:
            k += 1
        self.taken.add(name)
        return name


def started(
    found: Sequence[Hysteresis], read: Callable[[Mapping[str, Array]], Mapping[str, Any]], faults: list[str]
) -> dict[str, Array]:
    """Output of each comparator at the start, where ``read(outputs)`` gives what its signal is made of."""
    outputs = {each.name: np.full(1, each.start) for each in found}
    # Each sees those before it alone, so that they settle one after another.
    for _ in range(len(found) + 1):
        values = read(outputs)
        signals = {each.name: np.asarray(each.signal.evaluate(values), dtype=float) for each in found}
        if wrong := [each for each in found if signals[each.name].size != 1]:
            faults.append(
                f"{wrong[0].signal.where}, {wrong[0].signal.text!r} has shape {signals[wrong[0].name].shape}; a comparator "
                "with hysteresis compares one number, so write one for each element, such as x[0]"
            )
            break
        outputs = {each.name: each.outputs(signals[each.name], outputs[each.name]).reshape(1) for each in found}
    return outputs


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
