"""Runs a circuit whose answer is a law for as long as its accuracy takes, in chains: planned first, then as the run shows.

What is planned is counted in knots of the noise, not in seconds, so that all machines with the same march play the same.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable

from analogflow.block_engine import VectorField, compiled_program
from analogflow.checks import is_positive, is_whole
from analogflow.circuit import Circuit
from analogflow.compiler import rebuilt
from analogflow.errors import BadInput
from analogflow.families.stationary import law_of, skipped_in
from analogflow.run import Run
from analogflow.simulators import ENGINES, TIME_LIMIT, named_engine
from analogflow.simulators.chains import simulate_chains

__all__ = ["LawPlan", "law_plan", "law_run"]

_USUAL = 5.0
"""How much longer than at first a run usually is in the end."""

_LEAST = 30.0
"""Slowest relaxations that a chain must be long."""

_ALIKE = 1.03
"""Split R-hat at which chains are long enough to tell that they mix, clear of where the check says that they are not."""

_COARSEST, _MOST_ABREAST = 5.0, 10_000
"""Largest distance of knots in that of one run, and chains at most."""

_MOST_KNOTS = 2**27
_MORE, _GROWTH = 1.15, 16.0
"""How much longer a run is made than it seems to need, and at most in one go."""


@dataclasses.dataclass(frozen=True)
class _Means:
    """What can be afforded on what carries the chains.

    Parameters
    ----------
    ways : tuple of (int, float)
        Numbers of chains, and distances of knots in those of one run, from the best to what can just be afforded.
    first : float
        Slowest relaxations that a chain is long at first.
    aim : float
        Error that a run aims to find where no accuracy is asked for, as `ACCURACY` counts it.
    work : float
        Knots times signals of all chains that a run may take.
    seconds : float
        About how long one takes.
    """

    ways: tuple[tuple[int, float], ...]
    first: float
    aim: float
    work: float
    seconds: float


_COMPILED = _Means(((64, 0.2), (64, 0.5), (64, 1.0), (16, 1.0)), 300.0, 0.015, 1.2e9, 7e-9)
_INTERPRETED = _Means(((32, 1.0),), 80.0, 0.1, 1.5e7, 9e-7)
_APART = _Means(((4, 1.0),), 250.0, 0.1, 8e6, 4e-6)
_OF_PARTS = _Means(((4, 1.0),), 80.0, 0.2, 6e5, 1.4e-4)
"""Chains together through the compiled march, some seconds, and through the other; and each in a simulator by itself, of
blocks and of parts."""


@dataclasses.dataclass(frozen=True)
class LawPlan:
    """How a law is averaged.

    Parameters
    ----------
    chains : int
    end, step : float
        Length of each chain and distance of the noise's knots, in τ.
    longest : float
        Length in τ up to which a run may go on; `end` where that was asked for.
    skip : float, optional
        What is left out at the start of each chain, in τ, if that was asked for.
    aim : float
        Error that the run should be able to find, in standard deviations and their products.
    seconds : float
        About how long the chains take, in seconds, to `end`.
    doubt : str
        Why they may not mix, as a sentence; may be empty.
    """

    chains: int
    end: float
    step: float
    longest: float
    skip: float | None
    aim: float
    seconds: float
    doubt: str = ""

    def __str__(self) -> str:
        doubt = f"; {self.doubt}" if self.doubt else ""
        return f"{self.chains} chains of {self.end:.4g} τ, about {self.seconds:.2g} s{doubt}"


def law_plan(
    circuit: Circuit,
    engine: str,
    *,
    chains: int | None = None,
    time_constants: float | None = None,
    skip: float | None = None,
    step: float | None = None,
    accuracy: float | None = None,
) -> LawPlan:
    """Plan for a circuit whose answer is a law; options as `solve` takes them.

    Raises
    ------
    BadInput
        A number is none that can be, or no length of a run will do.
    """
    averaging = circuit.flow.averaging
    assert averaging is not None, "a law is averaged"
    _check(chains, skip, step)
    field = VectorField(circuit.graph)
    means, width = _means_of(engine, circuit, field), field.width
    budget = means.work / width
    slowest, knots = averaging.slowest, circuit.noise.step
    if step is not None and step > _COARSEST * averaging.noise_step:
        raise BadInput(
            f"step: noise with knots {step:g} τ apart would change the law; {averaging.noise_step:.2g} τ suits the fastest "
            f"motion, and {_COARSEST * averaging.noise_step:.2g} τ are the most that is let pass."
        )
    skipped = averaging.skipped if skip is None else skip
    enough = skipped + means.first * slowest
    wanted = enough if time_constants is None else time_constants
    room = budget if time_constants else budget / _USUAL
    plans = [(chains or usual, step or sharp * knots) for usual, sharp in means.ways]
    fits = [plan for plan in plans if plan[0] * wanted / plan[1] <= room]
    count, distance = fits[0] if fits else plans[-1]
    longest = min(budget / count, _MOST_KNOTS) * distance
    doubt = ""
    if time_constants is not None:
        end = longest = time_constants
    else:
        end = enough if enough < longest / 2 else longest  # what takes most of what can be afforded is not made twice
        if slowest > _MOST_KNOTS * distance:
            raise BadInput(
                "no length of a run will do: what is slowest here, such as a change of wells, takes about "
                f"{slowest:.1e} τ, and noise can be played for {_MOST_KNOTS * distance:.1e} τ; take a higher temperature, "
                "or give a time, and the chains that never cross are told not to have mixed."
            )
    if end < skipped + _LEAST * slowest:
        doubt = (
            f"what is slowest takes about {slowest:.2g} τ, so that chains of {end:.2g} τ may not mix: "
            f"a higher temperature, or about {enough:.1e} τ would tell"
        )
    if skip is not None and skip >= end:
        raise BadInput(f"skip: {skip:g} τ of a run of {end:.4g} τ leave nothing to average; skip less, or run longer.")
    aim = 0.95 * accuracy if accuracy else means.aim
    seconds = count * end / distance * width * means.seconds
    return LawPlan(count, end, distance, longest, skip, aim, seconds, doubt)


def _means_of(engine: str, circuit: Circuit, field: VectorField) -> _Means:
    if ENGINES[named_engine(engine)].abreast is None:
        return _APART if circuit.parts is None else _OF_PARTS
    return _INTERPRETED if compiled_program(field) is None else _COMPILED


def _check(chains: int | None, skip: float | None, step: float | None) -> None:
    if chains is not None and not (is_whole(chains, 1) and chains <= _MOST_ABREAST):
        raise BadInput(f"chains: {chains!r} is not a whole number from 1 to {_MOST_ABREAST:,}.")
    for name, value in (("skip", skip), ("step", step)):
        if value is not None and not (is_positive(value) or (name == "skip" and value == 0)):
            raise BadInput(f"{name}: {value!r} is not a positive number of time constants.")


def law_run(
    circuit: Circuit,
    plan: LawPlan,
    *,
    engine: str,
    time_limit: float = TIME_LIMIT,
    on_progress: Callable[[float], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> tuple[Circuit, Run]:
    """The circuit as it ran, with the plan's knots, and its chains, for as long as the plan's aim takes.

    A run that is not long enough is made again, longer: it begins as the one before did, so that its length alone decides
    what it plays.
    """
    averaging = circuit.flow.averaging
    assert averaging is not None, "a law is averaged"
    if plan.step != circuit.noise.step:
        noise = dataclasses.replace(circuit.noise, step=plan.step)
        circuit = rebuilt(circuit, conditions=dataclasses.replace(circuit.conditions, noise=noise))
    end, each = plan.end, plan.seconds / plan.end
    while True:
        skipped = averaging.skipped_of(end) if plan.skip is None else plan.skip
        played = dataclasses.replace(circuit.flow, averaging=dataclasses.replace(averaging, skipped=skipped, share=1.0))
        circuit = dataclasses.replace(circuit, flow=played)
        if on_note is not None and end * each > 1:
            on_note(str(dataclasses.replace(plan, end=end, seconds=end * each)))
        started = time.perf_counter()
        run = simulate_chains(circuit, plan.chains, engine=engine, end=end, time_limit=time_limit, on_progress=on_progress)
        each = (time.perf_counter() - started) / end  # which what is told of the next run goes by, but not its length
        if not run.outcome.ok or end >= plan.longest:
            return circuit, run
        lacking = _lacking(circuit, run, plan.aim)
        if lacking <= 1:
            return circuit, run
        end = min(end * min(_MORE * lacking, _GROWTH), plan.longest)


def _lacking(circuit: Circuit, run: Run, aim: float) -> float:
    """By what factor a run is too short for its aim, and for its chains to agree; below 1 where it is long enough."""
    averaging = circuit.flow.averaging
    assert averaging is not None, "a law is averaged"
    law = law_of(run, tuple(circuit.flow.states), skipped=skipped_in(run, averaging))
    factor = (law.known_to / aim) ** 2
    if len(law.paths) > 1 and law.mixing.r_hat > _ALIKE:
        factor = max(factor, (law.mixing.r_hat**2 - 1) / (_ALIKE**2 - 1))
    return factor if math.isfinite(factor) else _GROWTH
