"""How long a circuit is run and in what steps, and what every engine returns, whichever way it got there."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_finite, refuse_no_length
from analogflow.errors import BadInput

if TYPE_CHECKING:
    import xarray

    from analogflow.circuit import Circuit
    from analogflow.flows import Flow

__all__ = [
    "ALONE",
    "COMPARED",
    "IDEAL_ACCURACY",
    "LARGEST_STEP",
    "LONGEST",
    "RESTING_SPEED",
    "SETTLING_BAND",
    "Creep",
    "Outcome",
    "Run",
    "RunPlan",
    "Samples",
    "check_resting_speed",
    "comes_to_rest",
    "compared_time",
    "from_end",
    "joined",
    "longest_run",
    "own_time",
    "resting_speed",
    "run_plan",
    "settling_times",
]

Array = NDArray[np.float64]


class Outcome(enum.Enum):
    """End of a run; ``outcome.value`` is the sentence to show, ``outcome.ok`` whether the answer may be used."""

    SETTLED = "The state settled: its answer no longer moves."
    STATIONARY = "The answer fluctuates with the noise about a mean that no longer moves."
    COMPLETED = "The run reached its end time; nobody asked whether the answer settles."
    NOT_SETTLED = "The state still moves at the end of the run: give it more time, or check that the flow converges."
    ALGEBRAIC = (
        "The answer is approached like 1/t, or a power of it, not exponentially: more time buys accuracy only in proportion."
    )
    BLEW_UP = (
        "A state ran away, beyond a million flow units: the flow repels from the manifold its answer lives on, or the "
        "problem's numbers are that large; compile it with stabilisation, take another form, less noise, or larger units."
    )
    STUCK = (
        "The steps of the integration shrank to nothing before the end: the flow is not smooth there, or nearly singular; "
        "take another form, or a larger accuracy."
    )
    LEFT_MANIFOLD = (
        "The state settled off the manifold its answer lives on, so the answer is not one: "
        "compile it with stabilisation, or take another form."
    )
    MET_RAIL = (
        "A signal met the rail of its amplifier, beyond which the circuit no longer follows its equations: "
        "end the run earlier, or give the flow the time that it is to be run for, from which its ranges are chosen."
    )
    FAILED = (
        "The simulator crashed, hung, ran out of memory or found no solution; the reason says which: "
        "repeat the run alone, with a smaller largest step, another form, or the block engine."
    )

    @property
    def ok(self) -> bool:
        """Whether the run ended as it was asked to."""
        return self in (Outcome.SETTLED, Outcome.STATIONARY, Outcome.COMPLETED)

    @property
    def creeps(self) -> bool:
        """Whether the state still moves, which is no fault of an answer that can be judged as it stands."""
        return self in (Outcome.NOT_SETTLED, Outcome.ALGEBRAIC)


@dataclasses.dataclass(frozen=True)
class Creep:
    """How the answer of a run that did not come to rest still moves at its end.

    Parameters
    ----------
    speed : float
        Flow units per τ.
    left : float
        How far the answer still has to go, flow units; infinite where no end of it can be seen.
    rate : float
        Of an exponential approach, per τ; 0 if it is none.
    power : float
        p of an approach like t^-p; 0 if it is none.
    size : float
        Largest magnitude on the path of what has to rest, flow units.
    resting : float
        Speed at which it would have counted as resting, flow units per τ; 0 if not known.
    swings : bool
        Whether it turns back again and again, and does not die down.
    """

    speed: float
    left: float
    rate: float = 0.0
    power: float = 0.0
    size: float = 1.0
    resting: float = 0.0
    swings: bool = False


class _Signals(dict[str, Array]):
    """Arrays by the name of their signal, read-only; a name that is none is refused with those that are."""

    def __init__(self, values: Mapping[str, Array]) -> None:
        super().__init__(values)
        for array in self.values():
            array.setflags(write=False)

    def __missing__(self, name: str) -> Array:
        raise BadInput(f"{name!r} is not a signal of this run; there are: {', '.join(self)}.")


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """What each of many samples that ran together has of its own.

    Parameters
    ----------
    numbers : array of int, shape (n,)
        Each sample can be repeated alone by its number.
    outcomes : tuple of Outcome, length n
    end : array, shape (n,)
        Time reached, in τ.
    final : mapping of name to array, shape (n, size of the signal)
        Signals at each sample's end, flow units.
    asked : mapping
        Options of the ensemble but for starts and saved times: a further one with these plays the same in the same circuits.
    details : tuple of str, length n, optional
        What a person should know beyond each outcome.
    """

    numbers: NDArray[np.intp]
    outcomes: tuple[Outcome, ...]
    end: Array
    final: Mapping[str, Array]
    asked: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    details: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "details", self.details or ("",) * len(self.outcomes))
        object.__setattr__(self, "final", _Signals(self.final))
        for array in (self.numbers, self.end):
            array.setflags(write=False)


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """States and observables of one run, or of many samples that ran together.

    Parameters
    ----------
    time : array, shape (k,)
        Ascending, in units of the time constant τ. The first entry is 0; of many samples these are the times that were to
        be saved, none if only the ends were asked for.
    values : mapping of name to array, shape (k, size of the signal), or (n, k, size) of n samples
        In flow units: states by their names, then observables. A sample that failed or settled keeps its last state.
    outcome : Outcome
        How the run ended; of many samples, how the first of those ended that did not end as they were asked to, or the
        first of all.
    detail : str
        What a person should know beyond the outcome, such as which state ran away and when; may be empty.
    record : mapping
        Engine, versions, seed and parameters: what is needed to repeat the run.
    creep : Creep, optional
        Of a run without noise that should have come to rest and did not.
    each : Samples, optional
        What each of many samples has of its own; None for one run.
    chains : tuple of Run
        Further runs of the same circuit, as long as this one, each from a start and with noise of its own: a stationary law
        is read off all of them.
    """

    time: Array
    values: Mapping[str, Array]
    outcome: Outcome
    detail: str = ""
    record: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    creep: Creep | None = None
    each: Samples | None = None
    chains: tuple[Run, ...] = ()

    def __post_init__(self) -> None:
        self.time.setflags(write=False)
        object.__setattr__(self, "values", _Signals(self.values))

    @classmethod
    def of(cls, each: Samples, time: Array, values: Mapping[str, Array], record: Mapping[str, Any]) -> Run:
        """Run of many samples."""
        first = next((outcome for outcome in each.outcomes if not outcome.ok), each.outcomes[0])
        return cls(time, values, first, record=record, each=each)

    @property
    def samples(self) -> NDArray[np.intp] | None:
        """Numbers of the samples, shape (n,); None for one run."""
        return self.each and self.each.numbers

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """How every sample ended."""
        return (self.outcome,) if self.each is None else self.each.outcomes

    @property
    def details(self) -> tuple[str, ...]:
        """What a person should know beyond each of them."""
        return (self.detail,) if self.each is None else self.each.details

    @property
    def ok(self) -> Any:
        """Whether the run ended as it was asked to; of many samples an array, shape (n,)."""
        return self.outcome.ok if self.each is None else np.array([outcome.ok for outcome in self.each.outcomes])

    @property
    def final(self) -> Mapping[str, Array]:
        """Last values by the signal's name, shape (size,) or (n, size)."""
        return _Signals({name: value[-1] for name, value in self.values.items()}) if self.each is None else self.each.final

    @property
    def end(self) -> Any:
        """Time reached, in τ; of many samples an array, shape (n,)."""
        return float(self.time[-1]) if self.each is None else self.each.end

    def sample(self, position: int) -> Run:
        """One of many samples, up to its own end, which is the last of its times."""
        if self.each is None:
            raise BadInput("sample: this is one run already.")
        each = self.each
        end, before = each.end[position], self.time < each.end[position]
        values = {
            name: np.concatenate([self.values[name][position][before], last[position][None]])
            if len(self.time)
            else last[position][None]
            for name, last in each.final.items()
        }
        record = {**self.record, "sample": int(each.numbers[position])}
        return Run(np.append(self.time[before], end), values, each.outcomes[position], each.details[position], record)

    def __getitem__(self, name: str) -> xarray.DataArray:
        """Signal `name` as a labelled array: (``sample``,) ``time``, and ``component`` unless it is a scalar."""
        import xarray

        dims, coordinates = self._axes()
        values = self.values[name]
        if values.shape[-1] == 1:
            return xarray.DataArray(values[..., 0], dims=dims, coords=coordinates, name=name)
        return xarray.DataArray(values, dims=(*dims, "component"), coords=coordinates, name=name)

    def settling_time(self, names: str | Sequence[str], band: float) -> float | None:
        """Time in τ from which signals of one run stay within a band of their ends; None if it did not end as asked.

        Parameters
        ----------
        names : str or sequence of str
            A signal, or several that have to rest.
        band : float
            In flow units.

        Raises
        ------
        BadInput
            A name is none of the run's signals, or this is a run of many samples.
        """
        if self.each is not None:
            raise BadInput("settling_time: this is a run of many samples; ask each of them, run.sample(0) and so on.")
        if not self.outcome.ok:
            return None
        asked = [names] if isinstance(names, str) else names
        return max(float(settling_times(self.time, from_end(self, name), band)) for name in asked)

    def to_xarray(self) -> xarray.Dataset:
        """All signals as one labelled dataset, over (``sample`` and) ``time``; the record becomes its attributes."""
        import xarray

        dims, coordinates = self._axes(units="time constants")
        arrays: dict[str, Any] = {}
        if self.each is not None:
            arrays = {f"final_{name}": (("sample", f"{name}_component"), value) for name, value in self.final.items()}
        arrays |= {name: ((*dims, f"{name}_component"), value) for name, value in self.values.items()}
        if self.each is not None:
            arrays["end"] = ("sample", self.end, {"units": "time constants"})
            arrays["outcome"] = ("sample", [outcome.name for outcome in self.outcomes])
        return xarray.Dataset(arrays, coords=coordinates, attrs=dict(self.record))

    def _axes(self, **attributes: str) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Leading dimensions of every signal, and their coordinates."""
        coordinates = {"time": ("time", self.time, attributes)}
        if self.each is None:
            return ("time",), coordinates
        return ("sample", "time"), {"sample": self.each.numbers, **coordinates}

    def __repr__(self) -> str:
        if self.each is None:
            points = f"{len(self.time)} points to t = {self.time[-1]:g} τ"
            chains = f" in each of {len(self.chains) + 1} chains" if self.chains else ""
            return f"Run({', '.join(self.values)}; {points}{chains}; {self.outcome.value})"
        count = {kind: self.outcomes.count(kind) for kind in dict.fromkeys(self.outcomes)}
        ended = ", ".join(f"{number} {kind.name.lower()}" for kind, number in count.items())
        return f"Run({len(self.each.numbers)} samples of {', '.join(self.final)}: {ended})"


def joined(runs: Sequence[Run]) -> Run:
    """Runs of many samples each as one run of all of them, in their order; saved times and record are those of the first."""
    first, parts = runs[0], [run.each for run in runs if run.each is not None]
    each = Samples(
        np.concatenate([part.numbers for part in parts]),
        tuple(outcome for part in parts for outcome in part.outcomes),
        np.concatenate([part.end for part in parts]),
        {name: np.concatenate([part.final[name] for part in parts]) for name in parts[0].final},
        parts[0].asked,
        tuple(detail for part in parts for detail in part.details),
    )
    values = {name: np.concatenate([run.values[name] for run in runs]) for name in first.values}
    return Run.of(each, first.time, values, first.record)


def from_end(run: Run, name: str) -> Array:
    """How far a signal is from its last values, its farthest element, shape (k,), or (n, k) of n samples."""
    with np.errstate(invalid="ignore"):  # of what ran away
        return abs(run.values[name] - run.final[name][..., None, :]).max(axis=-1)


def settling_times(times: Array, distances: Array, band: float | Array) -> Array:
    """Times from which distances, shape (..., k), stay within their band, between two of `times` by their logarithm.

    NaN where the last of them is outside, as one that is no number is. A distance of 0, as an end has from itself, counts as
    a thousandth of the band.
    """
    band = np.broadcast_to(np.asarray(band, dtype=float), distances.shape[:-1])
    outside = ~(distances <= band[..., None])
    end = len(times) - 1
    last = np.where(outside.any(axis=-1), end - outside[..., ::-1].argmax(axis=-1), -1)
    after = np.minimum(last + 1, end)
    high, low = (np.take_along_axis(distances, k[..., None], axis=-1)[..., 0] for k in (last, after))
    with np.errstate(all="ignore"):
        share = np.log(high / band) / np.log(high / np.maximum(low, 1e-3 * band))
    found = times[last] + np.clip(np.nan_to_num(share, nan=1.0), 0, 1) * (times[after] - times[last])
    return np.where(last < 0, times[0], np.where(last == end, np.nan, found))


RESTING_SPEED = 1e-9
"""A run has settled when nothing that must rest moves by more than this per τ, in flow units."""

SETTLING_BAND = 1e-6
"""The settling time is when all that must rest has come this near to its end for good, over its size."""

IDEAL_ACCURACY = 1e-6
"""Largest error of an answer that passes where nothing is wrong with a circuit: in nats, in probability, in coordinates."""

ALONE = 60.0
"""Length in τ of a netlist that runs by itself, and so does not see that its answer has settled."""

COMPARED = 20.0
"""Length in τ over which two engines' paths of a flow without an end are compared: they part at the beginning."""

LARGEST_STEP, _SETTLING_STEP = 0.5, 1.0
"""Largest step in τ, and that of a run which ends where its answer settles: steps grow as it comes to rest."""

LONGEST, _LONGEST_OF_PARTS = 5000.0, 1000.0
"""Longest run in τ where the user gives no time; of parts, whose answer is not known well enough for more to be worth it."""

_NOISY_TIME, _PATH_TIME = 60.0, 200.0
"""The same where there is noise, and where the path matters."""

_PATH_STEP, _PATH_POINTS = 5e-4, 20_000
"""Largest step in τ, and points at most, where the answer is a point on the way: tokens come to 4e-7 at t = 1."""

_FOLLOWING_STEP = 1e-3
"""Largest step in τ where the answer is where a path ends that must be followed: an isospectral one comes to 1e-6."""


@dataclasses.dataclass(frozen=True)
class RunPlan:
    """Plan of a run.

    Parameters
    ----------
    end : float
        Length in τ: where the run ends, or after which it is given up if its answer has not settled.
    largest_step : float, optional
        In τ; None where the noise's knots decide.
    resting_speed : float
        Flow units per τ below which the answer rests and the run ends; 0 where the answer is a point on the way.
    settles : bool
        As `comes_to_rest` says, so that the run may end there.
    """

    end: float
    largest_step: float | None
    resting_speed: float
    settles: bool

    @property
    def stopping_speed(self) -> float:
        """The resting speed, or 0 where a run that comes to rest goes on all the same, or never does.

        Studies and restarts ask for this: whether the mean of a run with noise still drifts is asked of a single one only,
        by its resting speed, because one in ten that are stationary is taken for one that drifts.
        """
        return self.resting_speed if self.settles else 0.0


def run_plan(circuit: Circuit, time_constants: float | None = None, *, stops: bool = True) -> RunPlan:
    """Plan for `circuit`.

    Parameters
    ----------
    circuit : Circuit
    time_constants : float, optional
        Length asked for in τ; that of the flow's answer, or until it settles, if not given.
    stops : bool
        Whether the run ends where its answer settles; a netlist that runs by itself can not.
    """
    flow = circuit.flow
    given = own_time(flow) if time_constants is None else time_constants
    if given is None and not stops:
        given = ALONE
    longest = longest_run(flow, noisy=circuit.noisy, parts=circuit.parts is not None)
    if circuit.noisy:
        step = None
    elif flow.end_time is not None:
        end = time_constants or flow.end_time
        step = min(max(_PATH_STEP, end / _PATH_POINTS), circuit.bent_step(end))
    elif flow.path_matters:
        step = _FOLLOWING_STEP
    else:
        step = _SETTLING_STEP if time_constants is None and stops else LARGEST_STEP
    speed = 0.0 if flow.end_time else resting_speed(circuit)
    return RunPlan(longest if given is None else given, step, speed, comes_to_rest(circuit))


def longest_run(flow: Flow, *, noisy: bool = False, parts: bool = False) -> float:
    """Time in τ after which a run of a flow without a time of its own is given up."""
    longest = _NOISY_TIME if noisy else _PATH_TIME if flow.path_matters else LONGEST
    return min(longest, _LONGEST_OF_PARTS) if parts else longest


def own_time(flow: Flow, asked: float | None = None) -> float | None:
    """Length of a run in τ that is known before it: what is asked, or what the flow's answer takes if nothing is.

    None where the answer is where the flow settles: what is asked is the longest then, and the run may end before.

    Raises
    ------
    BadInput
        What is asked is no positive number.
    """
    refuse_no_length(time_constants=asked)
    own = flow.averaging.end if flow.averaging else flow.end_time
    return own if own is None or asked is None else asked


def compared_time(flow: Flow) -> float:
    """Length in τ over which the paths of two engines are compared: to the flow's own end, or `COMPARED`."""
    return flow.end_time or COMPARED


def comes_to_rest(circuit: Circuit) -> bool:
    """Whether the answer is where a run rests: not of a path, of a law, or amid noise, where the mean may still drift."""
    return not circuit.noisy and circuit.flow.end_time is None and circuit.flow.averaging is None


def resting_speed(circuit: Circuit) -> float:
    """Speed below which the answer rests, flow units per τ: that of circuits of parts is known to their accuracy only."""
    return 1e-3 * circuit.accuracy if circuit.parts else RESTING_SPEED


def check_resting_speed(speed: float) -> None:
    """Refuse what is no speed at which a run may stop.

    Raises
    ------
    BadInput
        It is not a finite number from 0.
    """
    if not is_finite(speed) or speed < 0:
        raise BadInput(f"resting_speed: {speed!r} is not a speed of 0 flow units per τ or more.")
