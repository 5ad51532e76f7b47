"""A flow: a NumPy function that is the right-hand side of an ODE, with its start, its invariants and its observables."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from analogflow.blocks import NoiseSource
from analogflow.checks import is_positive, real_array
from analogflow.errors import BadInput
from analogflow.flows.invariants import Invariant, comparable
from analogflow.graph import BlockGraph, trace
from analogflow.noise import Noise
from analogflow.notebook import shown
from analogflow.rest import rest_size, usual

__all__ = ["USUAL_LENGTH", "Averaging", "Flow", "Jump"]


USUAL_LENGTH = 480.0
"""Slowest relaxations that one run is long from which a law is read."""


@dataclasses.dataclass(frozen=True)
class Averaging:
    """How the stationary law of a noisy state is read off long runs, in τ.

    Parameters
    ----------
    time : float
        Length over which is averaged.
    skipped : float
        Length before that, in which the start is forgotten; not negative.
    noise_step : float
        Distance of the noise's knots. Where the drift is linear and the noise enters as a constant B times white noise,
        covariances come out too small by (7/30) of it times B Bᵀ, to first order; elsewhere they change by as much.
    starts : tuple of tuple of float
        Where chains begin that are to see all of the law, all states one after another: dispersed over its wells, and about
        them. The first chain begins where the flow does; all do, if none are given.
    relaxation : float
        Time in which the slowest of the motion relaxes, crossings from well to well included; 0 where it is not known.
    share : float
        Of a short run, what is left out at most.
    """

    time: float
    skipped: float
    noise_step: float = Noise.step
    starts: tuple[tuple[float, ...], ...] = ()
    relaxation: float = 0.0
    share: float = 0.2

    def __post_init__(self) -> None:
        if not (is_positive(self.time) and 0 <= self.skipped < np.inf and is_positive(self.noise_step)):
            raise BadInput(f"Averaging: {self} must have a positive time and noise_step, and skip no less than 0.")

    @property
    def end(self) -> float:
        """End of the run in τ."""
        return self.skipped + self.time

    def start_of(self, chain: int) -> tuple[float, ...] | None:
        """Where a chain begins; None where the flow does."""
        return self.starts[(chain - 1) % len(self.starts)] if chain and self.starts else None

    def skipped_of(self, end: float) -> float:
        """What is left out at the start of a run to `end`, whoever averages it: no more than its share of a short one."""
        return min(self.skipped, self.share * end)

    @property
    def slowest(self) -> float:
        """Time in which the slowest of the motion relaxes; where it is not known, what `time` was chosen for."""
        return self.relaxation or self.time / USUAL_LENGTH


@dataclasses.dataclass(frozen=True, eq=False)
class Jump:
    """An event: states that are set anew where something crosses 0.

    Parameters
    ----------
    name : str
    when : callable
        ``when(*states)``, one number.
    signs : tuple of int
        Of its rate at crossings that count: 1, -1 or both.
    then : mapping of state to callable
        ``then[state](*states)``: what it is afterwards, of what was before. States that it does not name stay.
    """

    name: str
    when: Callable[..., Any]
    signs: tuple[int, ...]
    then: Mapping[str, Callable[..., Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class Flow:
    """Continuous-time flow ẏ = f(y), with time in units of the time constant τ.

    Parameters
    ----------
    function : callable
        ``function(*states, **constants)`` in NumPy; returns the rate of each state. It is called with arrays to evaluate
        the flow and with signals to grow its block graph.
    states : mapping of name to array
        Initial value of each state, in the order of the function's arguments.
    keeps : sequence of Invariant
        Manifolds the exact flow stays on.
    constants : mapping
        Arrays and numbers the function needs.
    observables : mapping of name to callable
        Called as `function` is.
    answer : str
        State or observable that is the answer. The first state if not given.
    shows : str
        State or observable that people take for the answer, and studies keep. The answer if not given.
    rests : sequence of str
        States and observables that no longer move once a run has settled. The answer if not given.
    gauge : str
        Name of a constant that changes the flow off its invariant manifold only, so that a pass may set it; empty if none.
    mend : bool
        Whether `compile` may set the gauge or add restoring terms. A flow kept as printed says no.
    family, form, equations : str
        What people call it, and its equations as text for a netlist's header.
    problem : object
        The problem it solves, if any.
    end_time : float, optional
        Time, in τ, at which the answer is read; if not given, the answer is where the flow settles.
    path_matters : bool
        Whether where it settles depends on the path, so that engines must follow it closely; so it does with an `end_time`.
    size : float, optional
        Size, in flow units, of what has to rest: it rests where it moves by a small share of this. If not given, the largest
        value on the path, where that is far from 1.
    scale : float, optional
        Size of the states, from which absolute errors and a runaway are measured; that of their start, or of what they move
        in the first τ, where that is far from 1, if not given.
    sensitivity : float
        By how much an error of the rates, in flow units per τ, is larger in where the flow rests, at most: not less than 1.
    conserved : sequence of str
        Observables that stay what they are at the start, to whose value nothing leads back what has once moved them.
    clock : str
        State that is time, in τ, so that the equations may depend on it: its rate is 1 and its start 0. Empty if none is.
    averaging : Averaging, optional
        Given where the answer is no point, but the stationary law of a state that the flow's own noise moves.
    latches : mapping of state to (float, float)
        States that are outputs of comparators with hysteresis, and their low and high thresholds: in place of their rates
        the function returns what they compare. Their starts are 0 or 1, and the flow needs an `end_time`.
    jumps : sequence of Jump
        Events; the flow needs an `end_time`.
    delays : mapping of state to float
        States that are what a signal was a while ago, and how long ago, in τ: in place of their rates the function returns
        the signal. Each starts at what it is until the delay has passed, and the flow needs an `end_time`.

    Raises
    ------
    BadInput
        There is no state, its start is no array of finite numbers, a name is none of the flow's, or the end is not positive.
    """

    function: Callable[..., Any]
    states: Mapping[str, np.ndarray]
    keeps: tuple[Invariant, ...] = ()
    constants: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    observables: Mapping[str, Callable[..., Any]] = dataclasses.field(default_factory=dict)
    answer: str = ""
    shows: str = ""
    rests: tuple[str, ...] = ()
    gauge: str = ""
    mend: bool = True
    family: str = "custom"
    form: str = ""
    equations: str = ""
    problem: Any = None
    end_time: float | None = None
    path_matters: bool = False
    averaging: Averaging | None = None
    size: float | None = None
    scale: float | None = None
    sensitivity: float = 1.0
    conserved: tuple[str, ...] = ()
    clock: str = ""
    latches: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    jumps: tuple[Jump, ...] = ()
    delays: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        states = {name: real_array(value, f"Flow.states: {name!r}") for name, value in self.states.items()}
        if not states:
            raise BadInput("Flow.states: a flow needs at least one state with its initial value.")
        for name, value in states.items():
            if not name.isidentifier():
                raise BadInput(f"Flow.states: {name!r} is not a Python name.")
            if value.ndim == 0 or not np.isfinite(value).all():
                raise BadInput(f"Flow.states: the initial value of {name!r} must be an array of finite numbers.")
            value.setflags(write=False)
        for name, value in self.constants.items():
            if isinstance(value, np.ndarray | complex | np.complexfloating):
                real_array(value, f"Flow.constants: {name!r}")
        object.__setattr__(self, "states", states)
        object.__setattr__(self, "keeps", tuple(self.keeps))
        object.__setattr__(self, "answer", self.answer or next(iter(states)))
        if self.answer not in states and self.answer not in self.observables:
            raise BadInput(f"Flow.answer: {self.answer!r} is neither a state nor an observable of this flow.")
        object.__setattr__(self, "shows", self.shows or self.answer)
        object.__setattr__(self, "rests", tuple(self.rests) or (self.answer,))
        for field, names in (("shows", (self.shows,)), ("rests", self.rests)):
            for name in names:
                if name not in states and name not in self.observables:
                    raise BadInput(f"Flow.{field}: {name!r} is neither a state nor an observable of this flow.")
        object.__setattr__(self, "conserved", tuple(self.conserved))
        for name in self.conserved:
            if name not in self.observables:
                raise BadInput(f"Flow.conserved: {name!r} is no observable of this flow.")
        if not (is_positive(self.sensitivity) and self.sensitivity >= 1):
            raise BadInput(f"Flow.sensitivity: {self.sensitivity!r} is not a number from 1 on.")
        if self.end_time is not None and not is_positive(self.end_time):
            raise BadInput(f"Flow.end_time: {self.end_time!r} is not a positive number of time constants.")
        if self.clock and (self.clock not in states or states[self.clock].tolist() != [0.0] or self.end_time is None):
            raise BadInput(
                f"Flow.clock: {self.clock!r} must be a state of one element that starts at 0, and the flow needs an "
                "end_time: one that depends on time is read at a time."
            )
        if (self.latches or self.jumps or self.delays) and self.end_time is None:
            raise BadInput("Flow.end_time: a flow with latches, jumps or delays is read at a time; give its end.")
        for name, delay in self.delays.items():
            if name not in states or name in self.latches or name == self.clock or not is_positive(delay):
                raise BadInput(
                    f"Flow.delays: {name!r} must be a state that is no latch and no clock, and its delay a positive number "
                    f"of τ, not {delay!r}."
                )
        for name, (low, high) in self.latches.items():
            if name not in states or states[name].shape != (1,) or states[name][0] not in (0.0, 1.0) or not low < high:
                raise BadInput(
                    f"Flow.latches: {name!r} must be a state of one element that starts at 0 or 1, and its low threshold "
                    f"must be below its high one, not {low!r} and {high!r}."
                )
        for jump in self.jumps:
            for name in jump.then:
                if name not in states or name in self.latches or name in self.delays or name == self.clock:
                    raise BadInput(f"Flow.jumps: {jump.name!r} sets {name!r}, which is no state that can be set.")
        for kept in self.keeps:
            if kept.state not in states:
                raise BadInput(f"Flow.keeps: {kept!r} names no state of this flow; there are {', '.join(states)}.")

    def graph(self) -> BlockGraph:
        """Graph of blocks, grown by calling the function on signals.

        Raises
        ------
        Untraceable
            Something in the function has no block; the message names file and line.
        """
        constants = dict(self.constants)
        adjustable = {self.gauge: constants.pop(self.gauge)} if self.gauge else {}
        return trace(
            self.function, self.states, constants=constants, adjustable=adjustable, observables=self.observables,
            clock=self.clock, latches=self.latches, delays=self.delays,
        )  # fmt: skip

    def rates(self, **states: np.ndarray) -> dict[str, np.ndarray]:
        """Direct evaluation of the function at `states` (by name; the initial ones where not given); 0 of what remembers."""
        arguments = [np.asarray(states.get(name, value), dtype=float) for name, value in self.states.items()]
        rates = self.function(*arguments, **self.constants)
        rates = rates if isinstance(rates, tuple | list) else (rates,)
        return {
            name: np.zeros_like(self.states[name]) if name in self.latches or name in self.delays else np.asarray(rate)
            for name, rate in zip(self.states, rates, strict=True)
        }

    def observe(self, name: str, **states: np.ndarray) -> np.ndarray:
        """Direct evaluation of observable `name` at `states` (by name; the initial ones where not given)."""
        arguments = [np.asarray(states.get(state, value), dtype=float) for state, value in self.states.items()]
        return np.asarray(self.observables[name](*arguments, **self.constants))

    def apart(self, answers: np.ndarray, others: np.ndarray) -> np.ndarray:
        """How far answers, shape (..., size), are from others, in all that counts, flow units; shape (...)."""
        shown = comparable(self.keeps, self.answer)
        return abs(shown(answers) - shown(others)).max(axis=-1)

    def resting_size(self, largest: float) -> float:
        """Size of what has to rest, in flow units, where `largest` is its largest value on a path."""
        return rest_size(largest, self.size)

    @property
    def state_scale(self) -> float:
        """Size of the states at their start, flow units; where that is 0, of what they move in the first τ, or 1 at most.

        It is 1 where it is within two decades of 1. A stiff flow moves by far less than its first rate times τ, so that no
        error larger than usual is allowed for that.
        """
        if self.scale is not None:
            return self.scale
        start, moved = self._start_and_move
        return usual(start or min(moved, 1.0))

    @property
    def reach(self) -> float:
        """How far states may go, in flow units, before they count as running far: not less than 1."""
        return max(1.0, usual(max(self._start_and_move)) if self.scale is None else self.scale)

    @property
    def _start_and_move(self) -> tuple[float, float]:
        """Largest magnitude of the states at their start, and of what they would move in one τ from there."""
        with np.errstate(all="ignore"):
            start, rates = (
                max((float(abs(value).max(initial=0.0)) for name, value in each.items() if name != self.clock), default=0.0)
                for each in (self.states, self.rates())
            )
        return start, rates if np.isfinite(rates) else 0.0

    @property
    def noisy(self) -> bool:
        """Whether noise is a part of the equations."""
        graph = self.graph()
        return any(isinstance(graph.block(node), NoiseSource) for node in graph)

    @property
    def noise_step(self) -> float:
        """Distance in τ of the knots of noise that is given none of its own."""
        return self.averaging.noise_step if self.averaging else Noise.step

    @property
    def fingerprint(self) -> str:
        """Digest of form, constants and start; equal on every machine for equal flows."""
        return hashlib.sha256((self.form + self.graph().fingerprint()).encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}{value.shape}" for name, value in self.states.items())
        return f"Flow({self.family}{f', form {self.form}' if self.form else ''}; states {shapes})"

    _repr_html_ = shown("html")
