"""How far the stationary law of a circuit is from what it should be: solved for where that can be done, else averaged.

What is solved for is the law under white noise, of which nothing is known by dice. What is averaged is held against the same
circuit without flaws, which plays the same noise from the same starts: what both have in common, the knots' want of power
among it, is no error of the flaws.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks import Imperfections
from analogflow.circuit import Circuit
from analogflow.families import problem_of, reference_of
from analogflow.families.averages import average, mixing_of
from analogflow.families.stationary import FALSE_ALARM, R_HAT, known_to
from analogflow.noise import Noise
from analogflow.run import Outcome, Run
from analogflow.simulators import ensemble_chunks
from analogflow.simulators.chains import chain_starts, simulate_chains

if TYPE_CHECKING:
    from analogflow.block_engine.diffusion import CircuitLaw

__all__ = ["BY_CHAINS", "METHODS", "LawShift", "averaged_shift", "averaged_shifts", "solved_law", "solved_shift"]

Array = NDArray[np.float64]

BY_CHAINS = "paired chains"
"""How a law is found that is not solved for."""

METHODS: dict[str, str] = {
    "lyapunov": "the law of a linear circuit, from Lyapunov's equation",
    "quadrature": "the law of one state, integrated",
    "fokker-planck": "the law of two or three states, from the Fokker-Planck equation on grids",
    BY_CHAINS: "averages over chains, beside those of the circuit without flaws under the same noise",
}
"""How the law of a circuit is found, and the words for it; all but the last know it without sampling."""

_KNOWN = 1e-4
"""Error of a reference, in standard deviations, above which a circuit is held against itself without flaws."""

_CHAINS, _MOST_POINTS, _POINTS = 4, 20_000, 8_000
"""Chains of a sample, points of each that are saved at most, and that are averaged."""

_BROKEN = (Outcome.BLEW_UP, Outcome.STUCK, Outcome.FAILED)

_ABOUT = 4.0
"""Standard deviations about a reference's mean where a law is looked for first."""


@dataclasses.dataclass(frozen=True, eq=False)
class LawShift:
    """How far the law of one circuit is from what it should be.

    Parameters
    ----------
    errors : mapping of name to float
        Largest difference of a "mean" and of a "covariance" of states, flow units.
    sampling : mapping of name to float
        Bound on what each of them is off by for how it was found; of chains, the largest standard error.
    method : str
        One of `METHODS`.
    mean : mapping of state to array
        Of the circuit's law, flow units.
    mixed : bool
        Whether chains do not contradict each other more than they may by chance; true of what is solved for.
    """

    NAMES: ClassVar = ("mean", "covariance")
    errors: Mapping[str, float]
    sampling: Mapping[str, float]
    method: str
    mean: Mapping[str, Array]
    mixed: bool = True


def solved_law(circuit: Circuit, reference: Any = None) -> CircuitLaw | None:
    """Law of all states of a circuit's flow, one after another, in flow units, under white noise; None where none is known.

    Parameters
    ----------
    circuit : Circuit
        As it is under its conditions, one sample.
    reference : object, optional
        What says where the law may lie: its ``mean`` and ``covariance``, and points of it, its ``sample``, if it has those.
    """
    from analogflow.block_engine.density import MOST_STATES, density_law  # SciPy's solvers, which only a law needs
    from analogflow.block_engine.diffusion import CircuitLaw, diffusion_of, linear_law

    if circuit.parts is not None or circuit.derived_from is not None:
        return None
    diffusion = diffusion_of(circuit.graph)
    if diffusion is None:
        return None
    law, names = linear_law(diffusion), list(circuit.flow.states)
    if law is None and diffusion.size <= MOST_STATES and list(diffusion.field.slices) == names:
        law = density_law(diffusion, _about(circuit, reference) * _scales(circuit))
    if law is None:
        return None
    parts = [np.arange(part.start, part.stop) for part in (diffusion.field.slices[name] for name in names)]
    kept, units = np.concatenate(parts), _scales(circuit)
    both = np.ix_(kept, kept)
    return CircuitLaw(
        law.mean[kept] / units,
        law.mean_gap[kept] / units,
        law.covariance[both] / np.outer(units, units),
        law.covariance_gap[both] / np.outer(units, units),
        law.method,
    )


def _scales(circuit: Circuit) -> Array:
    """Units of the graph in a flow unit of each state, shape (n,)."""
    scales = circuit.units.scales
    return np.concatenate([np.full(value.size, scales.get(name, 1.0)) for name, value in circuit.flow.states.items()])


def _about(circuit: Circuit, reference: Any) -> Array:
    """Points where a law may lie, shape (k, n), in flow units."""
    if reference is None:
        start = np.concatenate([value.ravel() for value in circuit.flow.states.values()])
        return start + np.concatenate([np.eye(start.size), -np.eye(start.size)])
    reach = _ABOUT * np.linalg.cholesky(reference.covariance).T
    points = reference.mean + np.concatenate([reach, -reach])
    sample = np.asarray(getattr(reference, "sample", ()), dtype=float)
    return np.concatenate([points, sample]) if sample.size else points


def solved_shift(circuit: Circuit, undegraded: Circuit) -> LawShift | None:
    """How far the law of a circuit under its conditions is off; None where it can not be solved for.

    It is held against the problem's reference, or where that is known too little against the law of the circuit without
    flaws.

    Parameters
    ----------
    circuit : Circuit
        One sample.
    undegraded : Circuit
        As `compile` returned it.
    """
    reference = _reference(circuit)
    law = solved_law(circuit, reference)
    if law is None:
        return None
    exact = _expected(undegraded)
    if exact is None:
        return None
    apart = {"mean": law.mean - exact.mean, "covariance": law.covariance - exact.covariance}
    gaps = {"mean": law.mean_gap + exact.mean_gap, "covariance": law.covariance_gap + exact.covariance_gap}
    return LawShift(
        {name: float(abs(value).max()) for name, value in apart.items()},
        {name: float(value.max()) for name, value in gaps.items()},
        law.method,
        _by_state(circuit, law.mean),
    )


def _by_state(circuit: Circuit, values: Array) -> dict[str, Array]:
    cuts = np.cumsum([value.size for value in circuit.flow.states.values()])
    return dict(zip(circuit.flow.states, np.split(values, cuts[:-1]), strict=True))


def _reference(circuit: Circuit) -> Any:
    """The problem's reference, if it is a law of all states."""
    found = reference_of(problem_of(circuit.flow))
    size = sum(value.size for value in circuit.flow.states.values())
    return found if np.shape(getattr(found, "covariance", 0.0)) == (size, size) else None


@functools.lru_cache(maxsize=16)
def _expected(undegraded: Circuit) -> CircuitLaw | None:
    """What the law of a circuit should be, with how far that is known."""
    from analogflow.block_engine.diffusion import CircuitLaw

    reference = _reference(undegraded)
    if reference is not None:
        exact = CircuitLaw(
            np.asarray(reference.mean, dtype=float),
            np.broadcast_to(getattr(reference, "mean_gap", reference.gap), np.shape(reference.mean)),
            np.asarray(reference.covariance, dtype=float),
            np.broadcast_to(getattr(reference, "covariance_gap", reference.gap), np.shape(reference.covariance)),
            "reference",
        )
        if known_to(reference) <= _KNOWN:
            return exact
        return solved_law(undegraded, reference) or exact
    return solved_law(undegraded)


def averaged_shifts(
    undegraded: Circuit, samples: Sequence[int], *, imperfections: Imperfections, noise: Noise, engine: str, end: float
) -> list[tuple[LawShift | None, Run]]:
    """How far the laws of some samples are off, averaged over chains that go through time together.

    Parameters
    ----------
    undegraded : Circuit
        As `compile` returned it.
    samples : sequence of int
        Their numbers.
    imperfections, noise
        What is wrong with them.
    engine : str
        One that takes samples together.
    end : float
        Length of each chain in τ.

    Returns
    -------
    list of (LawShift or None, Run)
        Of each sample, with its first chain; None where a chain did not end as it was asked to, and then that one.
    """
    points = int(min(np.ceil(end / noise.step), _MOST_POINTS)) + 1
    silent = dataclasses.replace(noise, sigma=0.0)
    flawless = not (imperfections.effects or noise.plays)
    pairs: list[list[tuple[Run, Run]]] = [[] for _ in samples]
    starts = chain_starts(undegraded.flow, _CHAINS)
    for chain in range(_CHAINS):
        both = []
        for flaws, played in ((imperfections, noise), (Imperfections(), silent)):
            if flawless and both:  # one and the same
                both.append(both[0])
                continue
            parts = ensemble_chunks(
                undegraded, samples, engine=engine, time_constants=end, imperfections=flaws,
                noise=dataclasses.replace(played, chain=chain), save=np.linspace(0.0, end, points),
                start={name: value[chain] for name, value in starts.items()},
            )  # fmt: skip
            both.append([part.sample(k) for part in parts for k in range(len(part.outcomes))])
        for pair, one, other in zip(pairs, *both, strict=True):
            pair.append((one, other))
    return [_told(undegraded, pair) for pair in pairs]


def averaged_shift(
    circuit: Circuit, undegraded: Circuit, *, engine: str, end: float, time_limit: float
) -> tuple[LawShift | None, Run]:
    """The same of one sample, whose chains are runs of their own.

    Parameters
    ----------
    circuit, undegraded : Circuit
        The sample, and the same without its flaws.
    time_limit : float
        Seconds after which a run is stopped.

    Raises
    ------
    SimulationFailed
        A chain was not simulated.
    """
    one, other = (
        simulate_chains(each, _CHAINS, engine=engine, end=end, time_limit=time_limit) for each in (circuit, undegraded)
    )
    return _told(circuit, list(zip((one, *one.chains), (other, *other.chains), strict=True)))


def _told(circuit: Circuit, pairs: Sequence[tuple[Run, Run]]) -> tuple[LawShift | None, Run]:
    """What pairs of chains tell, and the first of them, or the first that broke down."""
    for run in (run for pair in pairs for run in pair):
        if run.outcome in _BROKEN:
            return None, run
    averaging = circuit.flow.averaging
    assert averaging is not None, "a law is averaged"
    names = list(circuit.flow.states)
    ends = [run.time[-1] for pair in pairs for run in pair]
    times = np.linspace(averaging.skipped_of(min(ends)), min(ends), _POINTS)
    paths = np.array([[_path(run, names, times) for run in pair] for pair in pairs])  # chains, 2, points, n
    means = paths.mean(axis=(0, 2))
    centred = paths - means[:, None]
    rows, columns = np.triu_indices(paths.shape[-1])
    squares = centred[..., rows] * centred[..., columns]
    apart = {"mean": paths[:, 0] - paths[:, 1], "covariance": squares[:, 0] - squares[:, 1]}
    errors = {name: float(abs(values.mean(axis=(0, 1))).max()) for name, values in apart.items()}
    own = {"mean": centred[:, 0], "covariance": squares[:, 0]}
    sampling = {name: float(_standard_error(apart[name], own[name]).max()) for name in apart}
    mixing = mixing_of(paths[:, 0], rarity=FALSE_ALARM, ranked=paths[:, 0, :, 0].size)
    mixed = mixing.r_hat <= R_HAT or mixing.spread <= mixing.allowed
    return LawShift(errors, sampling, BY_CHAINS, _by_state(circuit, means[0]), mixed), pairs[0][0]


def _path(run: Run, names: Sequence[str], times: Array) -> Array:
    """States at given times, shape (points, n)."""
    signals = np.concatenate([run.values[name] for name in names], axis=1)
    return np.stack([np.interp(times, run.time, signal) for signal in signals.T], axis=1)


def _standard_error(apart: Array, own: Array) -> Array:
    """Standard errors of the means of differences, shape (k,), from these and from one side's own values.

    Where two circuits differ little, chains under the same noise part rarely: one crosses a barrier and the other does not.
    If none did so yet, the differences say nothing of it. So one such parting counts as not seen: by √2 standard deviations,
    for as long as one side takes to be independent of itself, which is the time averaged over its effective samples.
    """
    if not apart.any():  # one and the same circuit
        return np.zeros(apart.shape[-1])
    alone = average(own)
    return np.hypot(average(apart).error, np.sqrt(2) * own.std(axis=(0, 1)) / alone.effective)
