"""The verbs `simulate` and `ensemble`, the engines behind it, and what is said of a run whichever engine made it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Unpack

import numpy as np

from analogflow.block_engine import evaluator
from analogflow.blocks import Imperfections
from analogflow.checks import refuse_unknown
from analogflow.circuit import Circuit, Conditions
from analogflow.compiler import check_conditions
from analogflow.errors import BadInput, MissingProgram, SimulationFailed
from analogflow.netlister import Deck, netlist, unwritten
from analogflow.passes import graph_under, require_blocks
from analogflow.registry import Registry
from analogflow.run import Outcome, Run, check_resting_speed, joined
from analogflow.simulators import block, ngspice, vacask
from analogflow.simulators.block import EnsembleOptions
from analogflow.simulators.ending import ended
from analogflow.simulators.ngspice.library import find_library, require_library
from analogflow.simulators.ngspice.session import TIME_LIMIT, default_session
from analogflow.simulators.vacask.program import find_programs
from analogflow.technology import known_technology

__all__ = [
    "ENGINES",
    "SPICE",
    "Choice",
    "Engine",
    "deck_for",
    "default_choice",
    "default_engine",
    "engine_choice",
    "engine_for",
    "engine_versions",
    "ensemble",
    "ensemble_chunks",
    "named_engine",
    "simulate",
]


@dataclasses.dataclass(frozen=True, eq=False)
class Engine:
    """What runs a circuit.

    Parameters
    ----------
    name : str
    run : callable
        ``run(deck, resting_speed=..., time_limit=..., on_progress=...)``: the run of a deck to its end, or until
        nothing in the flow's `rests` moves by more than `resting_speed` per τ, where that is above 0. Time is the
        leading axis of its values, which are finite.
    versions : callable
        Versions by name of the programs behind it; raises `MissingProgram` where one is not installed.
    netlists : bool
        Whether it runs the netlist, with the parts that it lists; one that integrates the graph would ignore them.
    together : callable, optional
        ``together(circuit, samples, **options)``: chunks of a run of many samples at once, with the options of `ensemble`
        and a record of them, as it keeps. Samples run one after another if not given.
    abreast : callable, optional
        ``abreast(circuit, starts, chains, times, time_limit=..., on_progress=...)``: runs of chains of one circuit, with
        its noise of those numbers, from starts of shape (chains, size) of each state, at the times given. Each chain is
        run by itself if not given.
    refusal : callable, optional
        ``refusal(circuit)``: the sentence with which it would refuse a circuit, empty where it takes it.
    refers_noise : bool
        Whether one that runs no netlist plays the noise of parts all the same, referred to what it integrates.
    """

    name: str
    run: Callable[..., Run]
    versions: Callable[[], Mapping[str, str]] = dict
    netlists: bool = True
    together: Callable[..., Iterable[Run]] | None = None
    abreast: Callable[..., Iterable[Run]] | None = None
    refusal: Callable[[Circuit], str] = lambda circuit: ""
    refers_noise: bool = False

    def __repr__(self) -> str:
        return f"Engine({self.name})"


def _of_ngspice() -> dict[str, str]:
    session = default_session()
    found = {"ngspice": session.versions.get("ngspice", "unknown")}
    session.close()
    return found


ENGINES: Registry[Engine] = Registry(
    "analogflow.engines",
    Engine,
    (
        Engine("ngspice", lambda deck, **said: ngspice.run(deck, **said), _of_ngspice),
        Engine(
            "vacask",
            lambda deck, **said: vacask.run(deck, **said),
            lambda: find_programs().versions,
            refusal=lambda circuit: vacask.refusal(circuit),
        ),
        Engine(
            "block",
            block.run,
            lambda: {"evaluator": evaluator()},
            netlists=False,
            together=block.chunks,
            abreast=block.abreast,
            refers_noise=True,
        ),
    ),
)
"""Engine by name; other packages bring engines of their own under the group of entry points ``analogflow.engines``."""

SPICE = "spice"
"""Asks for a circuit simulator, whichever is there."""

_WHOLE = (Outcome.SETTLED, Outcome.STATIONARY, Outcome.COMPLETED, Outcome.NOT_SETTLED, Outcome.ALGEBRAIC)
"""Outcomes of runs that did not break off."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """An engine, and `why`: a sentence where it is one in place of ngspice that nobody asked for, else empty."""

    engine: str
    why: str = ""


def default_choice(circuit: Circuit | None = None) -> Choice:
    """The engine ngspice where its library is found, else VACASK where it takes `circuit`, else the block engine.

    Raises
    ------
    MissingProgram
        What ``NGSPICE_LIBRARY_PATH`` names is not an ngspice library.
    """
    if find_library() is not None:
        return Choice("ngspice")
    try:
        find_programs()
    except MissingProgram as missing:
        return Choice("block", f"ngspice was not found, so the block engine is used. {missing}")
    refused = "" if circuit is None else ENGINES["vacask"].refusal(circuit)
    if refused:
        return Choice(
            "block", f"ngspice was not found, and VACASK refuses the circuit, so the block engine runs it: {refused}"
        )
    return Choice("vacask", "ngspice was not found, so VACASK, a circuit simulator too, is used.")


def default_engine() -> str:
    """Name of the engine that is used where none is asked for, of a circuit that it takes."""
    return default_choice().engine


def engine_choice(
    technology: str,
    engine: str | None = None,
    *,
    nominal: bool = False,
    prefer: str | None = None,
    circuit: Circuit | None = None,
) -> Choice:
    """The engine that runs circuits of `technology`: the one asked for, or the default, which is that of `circuit` if given.

    Whatever runs a circuit as it is asked to, asks here: solve, verify, studies, comparisons, pages. Budgets and levels do
    not: what they measure is what certain engines show.

    Where none is asked for, a circuit simulator runs parts, and the engine that the caller would `prefer`, or else the
    default, all other circuits. An engine that integrates the equations of a circuit, whatever it is built of, would ignore
    its parts: it is refused, unless the circuit is known to be `nominal`, so that its parts have no deviations and its
    equations are asked for.

    Raises
    ------
    BadInput
        The engine or the technology is not known, or the technology has parts and the engine runs no netlists.
    MissingProgram
        There are parts, no engine is asked for, and no circuit simulator is installed.
    """
    has_parts = bool(known_technology(technology).parts)
    if engine is None and has_parts:
        return Choice(named_engine(SPICE), default_choice().why)
    if engine is None:
        return Choice(prefer) if prefer else default_choice(circuit)
    found = named_engine(engine)
    if has_parts and not nominal and not ENGINES[found].netlists:
        raise BadInput(
            f"the {found} engine integrates equations and knows no parts, so it would ignore what {technology!r} is built "
            "of; take the engine ngspice or vacask, or the technology 'ideal'."
        )
    noisy = circuit is not None and circuit.noise.parts
    if noisy and not (ENGINES[found].netlists or ENGINES[found].refers_noise):
        raise BadInput(
            f"the {found} engine knows no parts, and would leave their noise out; take the engine ngspice or block."
        )
    return Choice(found)


def engine_for(
    technology: str,
    engine: str | None = None,
    *,
    nominal: bool = False,
    prefer: str | None = None,
    circuit: Circuit | None = None,
) -> str:
    """Name of the engine of `engine_choice`."""
    return engine_choice(technology, engine, nominal=nominal, prefer=prefer, circuit=circuit).engine


def deck_for(
    circuit: Circuit,
    engine: str | None = None,
    *,
    time_constants: float | None = None,
    largest_step: float | None = None,
) -> Deck:
    """Deck as `netlist` makes it, for an engine as `simulate` takes it: unwritten where the engine reads no netlist."""
    found = engine_for(circuit.technology, engine, nominal=circuit.as_its_equations, circuit=circuit)
    write = netlist if ENGINES[found].netlists else unwritten
    return write(circuit, time_constants=time_constants, largest_step=largest_step)


def named_engine(engine: str) -> str:
    """Name of an engine as asked for: ``spice`` is ngspice where its library is found, else VACASK where it is installed.

    Raises
    ------
    BadInput
        The engine is not known.
    MissingProgram
        It is ``spice``, and neither is there.
    """
    if engine == SPICE:
        found = default_engine()
        if found == "block":
            require_library()  # says how to install one of the two
        return found
    if engine not in ENGINES:
        refuse_unknown(engine, (*ENGINES, SPICE), "engine")
    return engine


def engine_versions(engine: str) -> dict[str, str]:
    """Versions of the programs behind an engine, by name.

    Raises
    ------
    MissingProgram
        The engine's simulator is not installed.
    """
    return dict(ENGINES[engine].versions())


def simulate(
    deck: Deck | Circuit,
    *,
    engine: str | None = None,
    resting_speed: float = 0.0,
    time_limit: float = TIME_LIMIT,
    on_progress: Callable[[float], None] | None = None,
) -> Run:
    """Run a deck.

    Parameters
    ----------
    deck : Deck or Circuit
        A circuit is written as a deck first, of the problem's own time or 60 τ.
    engine : {"ngspice", "vacask", "block", "spice"}, optional
        Or one that another package brings. If not given, the one that `engine_for` names for the circuit's technology.
    resting_speed : float
        Stop when nothing in the flow's `rests` moves by more than this per τ, in flow units; 0 runs to the end. With noise
        every run goes to its end, and any resting_speed above 0 asks whether the mean still moves there.
    time_limit : float
        Seconds of real time after which the run is stopped.
    on_progress : callable, optional
        Called with the time reached, in τ.

    Returns
    -------
    Run
        With an outcome: a run that does not settle, blows up or leaves its manifold is data, not an exception.

    Raises
    ------
    BadInput
        The engine is not known, or it is the block engine and the parts of the circuit have deviations, or `resting_speed`
        is no speed.
    MissingProgram, SimulationFailed
        The simulator is not installed, crashed, ran past its time limit or found no solution, or the engine returned what
        is no run of the circuit.
    """
    check_resting_speed(resting_speed)
    circuit = deck if isinstance(deck, Circuit) else deck.circuit
    engine = engine_for(circuit.technology, engine, nominal=circuit.as_its_equations, circuit=circuit)
    deck = deck_for(deck, engine) if isinstance(deck, Circuit) else deck
    rest = 0.0 if deck.circuit.noisy else resting_speed
    run = ENGINES[engine].run(deck, resting_speed=rest, time_limit=time_limit, on_progress=on_progress)
    _refuse_no_run(engine, deck.circuit, run)
    if deck.circuit.noisy:  # laws are read off with it
        run = dataclasses.replace(run, record={**run.record, "noise_step": deck.circuit.noise.step})
    return ended(deck.circuit, run, resting=resting_speed)


def ensemble(circuit: Circuit, samples: int | Sequence[int], **options: Unpack[EnsembleOptions]) -> Run:
    """All samples of an ensemble at once.

    Parameters
    ----------
    circuit : Circuit
        As `compile` returns it.
    samples : int or sequence of int
        How many, or which.
    time_constants : float, optional
        End of the run in τ; the problem's own time, or 60, if not given, as for `netlist`.
    imperfections, noise : optional
        As for `degrade`; the seed is the noise's.
    start : mapping of state to array, shape (samples, size) or (size,), optional
        Where each sample starts; the flow's own start if not given.
    save : array, shape (k,)
        Ascending times, in τ, at which signals are kept; the ends always are.
    resting_speed : float
        A sample ends when its answer moves by less than this per τ; 0 runs all to the end. It needs a run without noise.
    step_accuracy : float, optional
        Error allowed per step, relative, and a hundredth of it absolute; if not given 1e-7, and 1e-5 where there is noise,
        whose knots cost more than that: as `simulate` and studies follow each sample.
    memory : float
        Bytes that a chunk may take while it is computed; one sample is always run.
    only : collection of node names, optional
        Blocks that are imperfect; all if not given.
    on_progress : callable, optional
        Called with the fraction done.

    Raises
    ------
    BadInput
        An argument is out of range, or the circuit is imperfect already.

    Notes
    -----
    Explicit or linearly implicit steps: the first sample decides for all, so that a sample run alone takes the same steps.
    """
    return joined(list(ensemble_chunks(circuit, samples, **options)))


def ensemble_chunks(
    circuit: Circuit, samples: int | Sequence[int], *, engine: str = "block", **options: Unpack[EnsembleOptions]
) -> Iterator[Run]:
    """Chunks of an ensemble, one after another, for studies larger than memory; all else as in `ensemble`.

    The engine is one that runs many samples together.
    """
    together = ENGINES[engine].together
    if together is None:
        raise BadInput(f"ensemble: the engine {engine!r} runs one sample after another; take the engine block.")
    imperfections, noise = options.get("imperfections") or Imperfections(), options.get("noise") or circuit.noise
    require_blocks(circuit)
    check_conditions(circuit, Conditions(noise, imperfections))
    graph = functools.partial(graph_under, circuit, imperfections, noise, only=options.get("only"))
    # What ran, but for its graph: a run that is asked whether it rests has no noise, so that the elements say nothing more.
    ran = dataclasses.replace(circuit, conditions=Conditions(noise, imperfections))
    for part in together(circuit, samples, **options):
        yield ended(ran, part, resting=options.get("resting_speed", 0.0), graph=graph)


def _refuse_no_run(engine: str, circuit: Circuit, run: Run) -> None:
    """Raise `SimulationFailed` unless `run` has all signals at each time, finite where it did not break off."""
    faults = [f"no values of {name!r}" for name in (*circuit.flow.states, *circuit.flow.rests) if name not in run.values]
    for name, values in run.values.items():
        shape, reading = np.shape(values), circuit.readings.get(name)
        wanted = (len(run.time), *(shape[1:] if reading is None else (reading.size,)))
        if shape != wanted:
            faults.append(f"values of {name!r} of shape {shape} instead of {wanted}, time first")
        elif run.outcome in _WHOLE and not np.isfinite(values).all():
            faults.append(f"values of {name!r} that are not finite")
    if faults:
        raise SimulationFailed(
            f"the engine {engine!r} returned {'; '.join(dict.fromkeys(faults))}; mend it, or take another."
        )
