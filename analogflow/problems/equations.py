"""Systems of equations of the user's own, from tables of expressions: what can be wrong with them is said all together."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import keyword
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_number, is_positive, real_array, refuse_faults
from analogflow.errors import BadInput, printable
from analogflow.problems.expression import FUNCTIONS, NAME, Expression, read_expression
from analogflow.problems.inputs import PiecewiseLinear, read_points
from analogflow.problems.memory import DELAY, HYSTERESIS, Delayed, Event, Hysteresis, Memories, read_events
from analogflow.problems.orders import dotted, of_first_order, primed

__all__ = ["MANIFOLDS", "TIME", "Equations", "Quantities", "name_faults"]

MANIFOLDS = ("simplex", "sphere", "mean")
"""Manifolds a state may be said to stay on: Σx = 1; every row of length 1; a mean that nothing depends on."""

_NAMING = ("states", "constants", "inputs", "definitions", "observables", "conserved")
"""Tables that give names; the others speak of states."""

TIME = "t"
"""Name of time in expressions, where nothing of the user's own is called so."""

_MOST_NUMBERS = 4096
_INVARIANCE = 1e-7
"""Largest rate of a conserved quantity, relative to itself and to the rates: what differences can tell."""

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Equations:
    """States y with rates ẏ = f(y, t), time t in units of τ, written as expressions.

    A rate of higher order is a key with primes: ``"x''"`` is the rate of ``x'``, a state that expressions write so too and
    whose name is ``x_dot``; that of ``x''`` is ``x_ddot``.

    Parameters
    ----------
    states : mapping of name to number or array
        Where every state starts; a number is an array of one.
    equations : mapping of name to text
        Rate of every state.
    constants : mapping of name to number or array, optional
    inputs : mapping of name to text, `PiecewiseLinear` or mapping, optional
        Quantities that are functions of time: an expression of t and constants, or points as `read_points` takes them.
    definitions : mapping of name to text, optional
        Quantities that equations and later definitions may use.
    observables : mapping of name to text, optional
        Quantities to be read.
    conserved : mapping of name to text, optional
        Scalars that the exact flow does not change; held against the equations here, and against every run.
    manifolds : mapping of state to {"simplex", "sphere", "mean"}, optional
        What a state stays on, so that a circuit can be made to return to it.
    noise : mapping of state to number or array, optional
        White noise added to the rate, flow units per √τ.
    answer : str, optional
        State or observable that is the answer; the first state if not given.
    time : float, optional
        When the answer is read, in τ; where it settles, if not given. Equations of time need one.
    name : str, optional
    events : sequence of mapping, optional
        Each with ``when``, an expression; ``direction``, in which it crosses 0: rising, falling or both, if not given;
        ``then``, what states become there, expressions of what they were before; and perhaps a ``name``. They need a time.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message: a name that is unknown or used twice, a state without equation, an
        equation whose shape is not that of its state, a conserved quantity that changes.
    """

    name: str
    states: Mapping[str, Array]
    equations: Mapping[str, Expression]
    constants: Mapping[str, Any]
    inputs: Mapping[str, Expression | PiecewiseLinear]
    definitions: Mapping[str, Expression]
    observables: Mapping[str, Expression]
    conserved: Mapping[str, Expression]
    manifolds: Mapping[str, str]
    noise: Mapping[str, Array]
    answer: str
    time: float | None
    timed: bool
    memory: Mapping[str, Hysteresis | Delayed]
    """Comparators with hysteresis and delays by the name of the hidden state that each is; none needs a later one."""
    outputs: Mapping[str, Array]
    """Where these start."""
    events: tuple[Event, ...]

    def __init__(
        self,
        states: Mapping[str, Any],
        equations: Mapping[str, Any],
        constants: Mapping[str, Any] | None = None,
        definitions: Mapping[str, Any] | None = None,
        observables: Mapping[str, Any] | None = None,
        conserved: Mapping[str, Any] | None = None,
        manifolds: Mapping[str, str] | None = None,
        noise: Mapping[str, Any] | None = None,
        answer: str | None = None,
        time: float | None = None,
        name: str = "custom",
        inputs: Mapping[str, Any] | None = None,
        events: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        given = {
            "states": states, "equations": equations, "constants": constants, "inputs": inputs, "definitions": definitions,
            "observables": observables, "conserved": conserved, "manifolds": manifolds, "noise": noise,
        }  # fmt: skip
        tables = of_first_order({key: _read_table(key, value) for key, value in given.items()})
        answer = dotted(answer) if isinstance(answer, str) else answer
        faults = name_faults({kind: tables[kind] for kind in _NAMING})
        starts = {
            key: np.atleast_1d(_read_numbers(value, f"states.{key}", faults)) for key, value in tables["states"].items()
        }
        fixed = {key: _read_numbers(value, f"constants.{key}", faults) for key, value in tables["constants"].items()}
        if not starts:
            faults.append("there is no state; write one with its initial value under states")
        if sum(value.size for value in starts.values()) > _MOST_NUMBERS:
            faults.append(f"there are more than {_MOST_NUMBERS} scalar states")
        faults += [f"not closed: the state {key!r} has no equation" for key in starts if key not in tables["equations"]]
        faults += [
            f"not closed: there is an equation for {key!r}, which is no state; write where it starts, as in "
            f'"{primed(key)}" = 0.0, under states'
            for key in tables["equations"]
            if key not in starts
        ]
        played = _read_inputs(tables["inputs"], fixed, faults)
        own = {key for kind in _NAMING for key in tables[kind]}
        if tables["inputs"] and TIME in own:
            faults.append(f"{TIME!r} is time where there are inputs; take another name for a quantity of your own")
        known = [*starts, *fixed, *played, *([] if TIME in own else [TIME])]
        memories = Memories(fixed, own)
        parsed: dict[str, dict[str, Expression]] = {}
        for kind in ("definitions", "equations", "observables", "conserved"):
            parsed[kind] = {}
            for key, text in tables[kind].items():
                if kind == "equations" and key not in starts:
                    continue  # which has been said, and makes names unknown that are none of the text's faults
                try:
                    parsed[kind][key] = memories.read(text, known, where=f"{kind}.{key}")
                except BadInput as fault:
                    faults.append(str(fault).rstrip("."))
                if kind == "definitions":
                    known.append(key)
        happening = read_events(events, list(starts), functools.partial(memories.read, known=known), faults)
        memory = {each.name: each for each in memories.found.values()}
        every = [
            *(each for table in parsed.values() for each in table.values()),
            *(each.signal for each in memory.values()),
            *(part for each in happening for part in (each.when, *each.then.values())),
        ]
        timed = bool(tables["inputs"]) or (TIME not in own and any(TIME in each.names for each in every))
        if (memory or happening) and time is None:
            what = "events" if happening else f"{HYSTERESIS if _kind(memory, Hysteresis) else DELAY}(...)"
            faults.append(f"a flow with {what} needs an end: write time = 20.0, when the answer is read, in τ")
        elif timed and time is None:
            faults.append("equations of time t need an end: write time = 20.0, when the answer is read, in τ")
        faults += _misfits(tables, starts, answer, time)
        densities = {
            key: np.broadcast_to(_read_numbers(value, f"noise.{key}", faults), starts[key].shape)
            for key, value in tables["noise"].items()
            if key in starts and _fits(value, starts[key].shape, f"noise.{key}", faults)
        }
        if _kind(memory, Delayed) and any(density.any() for density in densities.values()):
            faults.append(f"noise: no engine here plays it to a flow with {DELAY}(...); leave one of the two out")
        faults += [f"noise.{key} must not be negative" for key, value in densities.items() if (value < 0).any()]
        refuse_faults(_titled(name), faults)
        values = {
            "name": printable(str(name)[:60]), "states": starts, "constants": fixed, **parsed,
            "inputs": {
                key: value.until(float(time)) if isinstance(value, PiecewiseLinear) and time is not None else value
                for key, value in played.items()
            },
            "manifolds": tables["manifolds"], "noise": densities, "answer": answer or next(iter(starts)),
            "time": None if time is None else float(time), "timed": timed, "memory": memory, "outputs": {},
            "events": happening,
        }  # fmt: skip
        for key, value in values.items():
            object.__setattr__(self, key, MappingProxyType(dict(value)) if isinstance(value, Mapping) else value)
        for array in (*starts.values(), *fixed.values(), *densities.values()):
            array.setflags(write=False)
        self._check_values()

    @property
    def knots(self) -> tuple[float, ...] | None:
        """Times at which inputs have corners, in τ; None where the equations do not depend on time."""
        points = [value.times for value in self.inputs.values() if isinstance(value, PiecewiseLinear)]
        return tuple(np.unique(np.concatenate([np.zeros(0), *points])).tolist()) if self.timed else None

    def quantities(self, states: Mapping[str, Any], t: Any = 0.0) -> dict[str, Any]:
        """States, constants, inputs at time `t` in τ, and definitions by name, for arrays.

        Outputs of comparators with hysteresis and delays are those at the start where `states` does not give them.
        """
        values: dict[str, Any] = {**self.constants, **self.outputs, **states}
        if self.timed:
            values[TIME] = t
        for key, given in self.inputs.items():
            values[key] = given.at(t) if isinstance(given, PiecewiseLinear) else given.evaluate({**self.constants, TIME: t})
        for key, expression in self.definitions.items():
            values[key] = expression.evaluate(values)
        return values

    @property
    def comparators(self) -> dict[str, Hysteresis]:
        """Comparators with hysteresis by the name of the hidden state that is their output."""
        return _kind(self.memory, Hysteresis)

    @property
    def delays(self) -> dict[str, Delayed]:
        """Delays by the name of the hidden state that is their output."""
        return _kind(self.memory, Delayed)

    def rates(self, states: Mapping[str, Array], t: float = 0.0) -> dict[str, Array]:
        """Rate of every state at `states` and time `t`, without noise."""
        values = self.quantities(states, t)
        return {
            key: np.broadcast_to(np.asarray(expression.evaluate(values), dtype=float), self.states[key].shape)
            for key, expression in self.equations.items()
        }

    def replaced(self, **values: Any) -> Equations:
        """Same equations with other constants or starts, by their names.

        Raises
        ------
        BadInput
            A name is neither a constant nor a state.
        """
        for key in values:
            if key not in self.constants and key not in self.states:
                allowed = ", ".join([*self.constants, *self.states])
                raise BadInput(f"{_titled(self.name)}: {key!r} is neither a constant nor a state; there are {allowed}.")
        own = {key: getattr(self, key) for key in ("constants", "states")}
        changed = {kind: {key: values.get(key, value) for key, value in table.items()} for kind, table in own.items()}
        texts = {
            kind: {key: expression.text for key, expression in getattr(self, kind).items()}
            for kind in ("equations", "definitions", "observables", "conserved")
        }
        events = [each.keys for each in self.events]
        inputs = {key: value.text if isinstance(value, Expression) else value for key, value in self.inputs.items()}
        return Equations(
            **changed,
            **texts,
            inputs=inputs,
            manifolds=self.manifolds,
            noise=self.noise,
            answer=self.answer,
            time=self.time,
            name=self.name,
            events=events,
        )

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest: equal equations, constants and starts have equal fingerprints on every machine."""
        digest = hashlib.sha256(repr((self.name, self.answer, self.time, sorted(self.manifolds.items()))).encode())
        for table in (self.equations, self.definitions, self.observables, self.conserved):
            digest.update(repr([(key, expression.text) for key, expression in table.items()]).encode())
        digest.update(repr([each.keys for each in self.events]).encode() if self.events else b"")
        points = {f"{key}.{what}": array for key, value in self.inputs.items() for what, array in _pair(value)}
        digest.update(repr(spoken).encode() if (spoken := _spoken(self.inputs)) else b"")
        for arrays in (self.states, self.constants, self.noise, points):
            for key, array in arrays.items():
                digest.update(repr((key, array.shape)).encode() + np.ascontiguousarray(array, dtype="<f8").tobytes())
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Equations({self.name}; states {', '.join(self.states)}; fingerprint {self.fingerprint})"

    def _check_values(self) -> None:
        """Evaluate everything once: shapes must fit, and what is called conserved must be."""
        faults: list[str] = []
        with np.errstate(all="ignore"):
            if self.memory:
                asked = Quantities(self, self.states, 0.0, lambda each: each.begins(each.signal.evaluate(asked), faults))
                object.__setattr__(self, "outputs", MappingProxyType({name: asked[name] for name in self.memory}))
                refuse_faults(_titled(self.name), faults)
            values = self.quantities(self.states)
            for event in self.events:
                for shape, expression in [((1,), event.when), *((self.states[k].shape, e) for k, e in event.then.items())]:
                    value = np.asarray(expression.evaluate(values), dtype=float)
                    if value.size != 1 and value.shape != shape:
                        faults.append(f"{expression.where} has shape {value.shape}, not {shape}")
            for key, expression in self.equations.items():
                rate = np.asarray(expression.evaluate(values), dtype=float)
                shape = self.states[key].shape
                if rate.size != 1 and rate.shape != shape:
                    faults.append(f"equations.{key} has shape {rate.shape} and its state {shape}; they must be alike")
                elif not np.isfinite(rate).all():
                    faults.append(f"equations.{key} is not finite at the initial state")
            for key, expression in [*self.observables.items(), *self.conserved.items()]:
                value = np.asarray(expression.evaluate(values), dtype=float)
                if not np.isfinite(value).all():
                    faults.append(f"{expression.where} is not finite at the initial state")
                if key in self.conserved and value.size != 1:
                    faults.append(f"{expression.where} has shape {value.shape}; what is conserved is a single number")
            if not faults:
                faults += self._moved()
        refuse_faults(_titled(self.name), faults)

    def _moved(self) -> list[str]:
        """Conserved quantities that change along the flow, by central differences at its start and at points after it."""
        faults: dict[str, str] = {}
        at, step, t = dict(self.states), 1e-5, 0.0
        for _ in range(4):
            rates = self.rates(at, t)
            for key, expression in self.conserved.items():
                ahead, behind = (
                    float(np.sum(expression.evaluate(self.quantities({n: at[n] + h * rates[n] for n in at}, t + h))))
                    for h in (step, -step)
                )
                slope = (ahead - behind) / (2 * step)
                if not abs(slope) <= _INVARIANCE * max(
                    abs(ahead), *(float(abs(rate).max()) for rate in rates.values()), 1.0
                ):
                    faults.setdefault(key, f"conserved.{key} is not conserved: its rate is {slope:.3g} near the start")
            at = {name: at[name] + 0.02 * rate for name, rate in self._midpoint(at, t, 0.02).items()}
            t += 0.02
        return list(faults.values())

    def _midpoint(self, at: Mapping[str, Array], t: float, step: float) -> dict[str, Array]:
        rates = self.rates(at, t)
        return self.rates({name: at[name] + 0.5 * step * rates[name] for name in at}, t + 0.5 * step)


class Quantities(dict[str, Any]):
    """Quantities by name at one time, as `Equations.quantities` has them, of which each is computed when it is asked for.

    Parameters
    ----------
    problem : Equations
    given : mapping of name to array
        States, and outputs of what remembers that are known.
    t : float
        In τ.
    remembered : callable
        ``remembered(each)``: output of a comparator with hysteresis or a delay that is not given.
    """

    def __init__(
        self,
        problem: Equations,
        given: Mapping[str, Any],
        t: float,
        remembered: Callable[[Any], Any],
    ) -> None:
        super().__init__({**problem.constants, **given})
        self._problem, self._t, self._remembered = problem, t, remembered
        if problem.timed:
            self[TIME] = t

    def __missing__(self, name: str) -> Any:
        problem = self._problem
        if name in problem.memory:
            value = self._remembered(problem.memory[name])
        elif name in problem.inputs:
            given = problem.inputs[name]
            value = given.at(self._t) if isinstance(given, PiecewiseLinear) else given.evaluate(self)
        else:
            value = problem.definitions[name].evaluate(self)
        self[name] = value
        return value


_Kind = TypeVar("_Kind")


def _kind(memory: Mapping[str, Any], kind: type[_Kind]) -> dict[str, _Kind]:
    return {name: each for name, each in memory.items() if isinstance(each, kind)}


def _read_inputs(given: Mapping[str, Any], fixed: Mapping[str, Any], faults: list[str]) -> dict[str, Any]:
    """Expressions of time and constants, and points; what is none leaves a fault."""
    found: dict[str, Any] = {}
    for key, value in given.items():
        try:
            if isinstance(value, str) or is_number(value):
                found[key] = read_expression(value, [*fixed, TIME], where=f"inputs.{key}")
            else:
                found[key] = read_points(value, f"inputs.{key}")
        except BadInput as fault:
            faults.append(str(fault).rstrip("."))
            found[key] = read_expression("0", [], where=f"inputs.{key}")
    return found


def _spoken(inputs: Mapping[str, Expression | PiecewiseLinear]) -> list[tuple[str, str]]:
    """Inputs that are expressions, by name."""
    return [(key, value.text) for key, value in inputs.items() if isinstance(value, Expression)]


def _pair(given: Expression | PiecewiseLinear) -> list[tuple[str, Array]]:
    return [("times", given.times), ("values", given.values)] if isinstance(given, PiecewiseLinear) else []


def _read_table(key: str, value: Any) -> dict[str, Any]:
    """The table, empty if there is none."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadInput(f"{key}: a table of names and values is needed, not {type(value).__name__}.")
    return {str(name): item for name, item in value.items()}


def name_faults(tables: Mapping[str, Iterable[str]]) -> list[str]:
    """Names that can not be used, and names used twice, in the tables or lists of names."""
    faults: list[str] = []
    seen: dict[str, str] = {}
    for kind, names in tables.items():
        for name in names:
            if not NAME.fullmatch(name):
                faults.append(
                    f"{kind}: {name[:40]!r} is no name; take a letter, then at most 30 letters, digits or underscores"
                )
            elif name in FUNCTIONS or name in (HYSTERESIS, DELAY) or keyword.iskeyword(name):
                faults.append(f"{kind}: {name!r} is the name of a function or a word of Python; take another")
            elif name.lower() in seen:
                faults.append(f"{name!r} is named under {seen[name.lower()]} and under {kind} (circuits do not tell case)")
            seen[name.lower()] = kind
    return faults


def _read_numbers(value: Any, where: str, faults: list[str]) -> Array:
    """Array of finite numbers; a scalar 0 and a fault if it is none."""
    if isinstance(value, bool | str):
        faults.append(f"{where}: {value!r} is neither a number nor an array of numbers")
        return np.zeros(())
    try:
        array = real_array(value, where, "a number or an array of numbers")
    except BadInput as fault:
        faults.append(str(fault).rstrip("."))
        return np.zeros(())
    if array.ndim > 2 or array.size == 0 or not np.isfinite(array).all():
        faults.append(f"{where} must hold finite numbers: one, a row of them, or a matrix")
        return np.zeros(())
    return array


def _fits(value: Any, shape: tuple[int, ...], where: str, faults: list[str]) -> bool:
    """Whether a value is one number or has the shape of its state."""
    given = np.shape(_read_numbers(value, where, unread := []))
    if unread:
        faults += unread
        return False
    if given in ((), shape):
        return True
    faults.append(f"{where} has shape {given}; give one number, or as many as the state has, {shape}")
    return False


def _misfits(
    tables: Mapping[str, Mapping[str, Any]], starts: Mapping[str, Array], answer: str | None, time: Any
) -> list[str]:
    """What is said of states that do not exist, or does not hold of them."""
    faults = [
        f"{kind}.{key} is about no state; there are {', '.join(starts)}"
        for kind in ("manifolds", "noise")
        for key in tables[kind]
        if key not in starts
    ]
    for key, manifold in tables["manifolds"].items():
        if manifold not in MANIFOLDS:
            faults.append(f"manifolds.{key}: {manifold!r} is not known; known are {', '.join(MANIFOLDS)}")
        elif key in starts and manifold == "simplex" and (abs(starts[key].sum() - 1) > 1e-9 or starts[key].ndim != 1):
            faults.append(f"manifolds.{key}: the initial values do not sum to 1")
        elif key in starts and manifold == "sphere" and (abs((starts[key] ** 2).sum(axis=-1) - 1) > 1e-9).any():
            faults.append(f"manifolds.{key}: the initial rows do not have length 1")
    if answer is not None and (not isinstance(answer, str) or answer not in {**starts, **tables["observables"]}):
        faults.append(f"answer: {answer!r} is neither a state nor an observable")
    if time is not None and not is_positive(time):
        faults.append(f"time is {time!r}; give a positive number of time constants")
    return faults


def _titled(name: Any) -> str:
    return f"the flow {str(name)[:60]!r}"
