"""What a study asks: every combination of some conditions, each with the same numbered samples. It does not run them."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks.imperfections import EFFECTS, Imperfections, refuse_renamed
from analogflow.checks import is_finite, is_positive, is_whole, proposal
from analogflow.circuit.build import NOMINAL_CELSIUS, kelvin_of
from analogflow.compiler import carried_form
from analogflow.errors import BadInput
from analogflow.families import as_problem, family_of, flow_of
from analogflow.families.files import keys_of, problem_of_keys
from analogflow.noise import LARGEST_SAMPLE, Noise
from analogflow.notebook import shown
from analogflow.simulators import ENGINES, SPICE, TIME_LIMIT, engine_for
from analogflow.studies.boards import check_boards
from analogflow.studies.stop import Stop, stop_of
from analogflow.studies.sweep import check_points, swept, values_of
from analogflow.technology import DEFAULT_PARTS, DEFAULT_TECHNOLOGY, PART_SETS, TECHNOLOGIES

__all__ = ["GRID", "LISTS", "Chunk", "Condition", "Study", "field_of", "missing_chunks", "study_of"]

GRID = ("problem", "form", "technology", "noise", "mismatch", "temperature")
"""Dimensions that every study has; those of further imperfections come after."""

LISTS = ("forms", "technologies", "noise", "mismatch", "temperature")
"""Keys of a study's file that hold lists."""

_FURTHER = tuple(name for name in EFFECTS if name not in ("mismatch", "temperature_kelvin"))

_TAKEN = (
    *GRID, *_FURTHER, "sample", "condition", "outcome", "reason", "verdict", "error", "end", "settling_time", "method",
    "motion", "certificate", "period", "returns", "amplitude", "maxima", "minima",
)  # fmt: skip
"""Names in results that nothing swept may have."""

_LAYOUT = 2
"""Number of the layout of results; part of the fingerprint, so that files of another layout are not mixed in."""

_BATCH, _STATES, _ONE_BY_ONE, _OF_PARTS = 1000, 8000, 16, 4
"""Samples of a chunk in the block engine at most, and states of all of them; samples where each runs alone, or is a law."""

_LARGEST = 10**8
"""Samples of all conditions together: their results alone are then some 20 GB."""

_MOST_CONDITIONS = 100_000


@dataclasses.dataclass(frozen=True)
class Condition:
    """One point of a study's grid.

    Parameters
    ----------
    number : int
        Its place in `Study.conditions`.
    problem, form, technology : str
        Names.
    noise : float
        σ at every integrator's input, flow units per √τ.
    mismatch : float
        Relative σ of every coefficient.
    temperature_celsius : float
    further : mapping of name to float
        Further imperfections, in the units of `Imperfections`.
    sweep : mapping of name to float
        Constants and starts of the problem.
    """

    number: int
    problem: str
    form: str
    technology: str
    noise: float
    mismatch: float
    temperature_celsius: float
    further: Mapping[str, float] = dataclasses.field(default_factory=dict)
    sweep: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def imperfections(self) -> Imperfections:
        """What is wrong with the blocks; the temperature only where blocks have it, in the ideal technology."""
        values = {"mismatch": self.mismatch, **self.further}
        if not TECHNOLOGIES[self.technology].parts:
            values["temperature_kelvin"] = kelvin_of(self.temperature_celsius)
        return Imperfections.from_mapping(values)

    def shown(self, dimensions: Collection[str]) -> str:
        """The condition in words, as far as `dimensions` say."""
        numbers = {"noise": self.noise, "mismatch": self.mismatch, **self.further, **self.sweep}
        words = [getattr(self, name) for name in GRID[:3] if name in dimensions]
        words += [f"{name} {value:g}" for name, value in numbers.items() if name in dimensions]
        return ", ".join(words + ([f"{self.temperature_celsius:g} °C"] if "temperature" in dimensions else []))

    def __str__(self) -> str:
        return self.shown((*GRID, *self.further, *self.sweep))


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Samples `first` to `last` − 1 of a condition: what is computed, stored and lost at once."""

    number: int
    condition: int
    first: int
    last: int


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """Problems × forms × technologies × noise × mismatch × temperature × further imperfections × constants, and samples.

    A sample draws its noise and its deviations from a stream of its own, numbered alike in every condition: conditions are
    compared at the same noise, and any sample can be repeated alone.

    Parameters
    ----------
    problems : problem, or mapping of name to problem
        All of one family.
    forms : sequence of str, optional
        Forms of the flow; the family's most robust one if not given.
    technologies : sequence of str
    noise : sequence of float or str
        σ at every integrator's input, flow units per √τ; texts as `Noise.from_text` reads them, but for densities in volts.
    mismatch : sequence of float
        Relative σ of every coefficient; of every part where the technology has parts.
    temperature_celsius : sequence of float
        Of the junctions, or of the parts where the technology has parts.
    imperfections : mapping of name to sequence of float
        Further effects by the names of `Imperfections`: each is a dimension of the grid.
    sweep : mapping of name to sequence of float, or to a text such as "2:6:400"
        Constants and starts of problems that are equations, each a dimension of the grid; first:last:count are evenly spaced
        values.
    certify : int, optional
        How many points of a sweep, evenly spread, are held against the reference; all if not given.
    samples : int
        Samples of each condition, numbered from 0; at most so many where `stop` is given.
    seed : int
    engine : {"block", "ngspice", "vacask", "spice"}, optional
        If not given, block for ideal blocks, and a circuit simulator as soon as one technology has parts. The one that was
        found is kept.
    time_constants : float, optional
        End of every run in τ; as `solve` chooses it if not given.
    parts : str
        Parts of the technologies that have any.
    time_limit : float
        Seconds of real time after which a circuit simulator is stopped; that sample has then failed.
    verify : bool
        Whether every sample is perturbed and restarted, which about doubles the work; see `analogflow.verify`.
    stop : Stop or mapping of its parameters, optional
        When a condition has samples enough.
    trim : int or "all", optional
        Each sample is a board of parts, drawn by their tolerances, with so many trimmers that are set at 27 °C, as
        `analogflow.trim` sets them, and left alone at every temperature of the study.

    Attributes
    ----------
    flow : str
        Name of the problems' family.

    Raises
    ------
    BadInput
        A value is out of range, is given twice, or contradicts another.
    """

    problems: Mapping[str, Any]
    forms: tuple[str, ...] = ()
    technologies: tuple[str, ...] = (DEFAULT_TECHNOLOGY,)
    noise: tuple[float, ...] = (0.0,)
    mismatch: tuple[float, ...] = (0.0,)
    temperature_celsius: tuple[float, ...] = (NOMINAL_CELSIUS,)
    imperfections: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    sweep: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    certify: int | None = None
    samples: int = 1
    seed: int = 0
    engine: str = cast("str", None)  # a name as soon as the study is made
    time_constants: float | None = None
    parts: str = DEFAULT_PARTS
    time_limit: float = TIME_LIMIT
    verify: bool = True
    stop: Stop | None = None
    trim: int | str | None = None
    flow: str = dataclasses.field(init=False, default="")

    def __post_init__(self) -> None:
        given = self.problems
        named = dict(given) if isinstance(given, Mapping) else {"problem": given}
        problems = {name: as_problem(problem) for name, problem in named.items()}
        families = {name: family_of(problem).name for name, problem in problems.items()}
        if len(set(families.values())) != 1:
            raise BadInput(f"study: problems must be of one family and at least one, but they are {families}.")
        _set(self, "problems", MappingProxyType(problems))
        _set(self, "flow", next(iter(families.values())))
        _set(self, "technologies", _names(self.technologies, "technologies", TECHNOLOGIES))
        _set(self, "forms", self._forms())
        _set(self, "noise", tuple(_sigma(value) for value in _distinct(self.noise, "noise")))
        for key in ("mismatch", "temperature"):
            _set(self, field_of(key), _numbers(getattr(self, field_of(key)), key))
        for degrees in self.temperature_celsius:
            kelvin_of(degrees)
        further = self.imperfections.items()
        _set(self, "imperfections", MappingProxyType({_effect(name): _numbers(value, name) for name, value in further}))
        _set(self, "sweep", MappingProxyType({str(name): values_of(name, value) for name, value in self.sweep.items()}))
        check_points(problems, self.sweep, _TAKEN)
        self._check_scalars()
        if self.stop is not None and not isinstance(self.stop, Stop):
            _set(self, "stop", stop_of(self.stop))
        self._check_together()
        for condition in self.conditions:  # refuses values that are out of range
            Noise(condition.noise, self.seed)
            _ = condition.imperfections

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every point of the grid, the last dimension of `dimensions` the fastest."""
        return tuple(
            Condition(
                number,
                **dict(zip(map(field_of, GRID), point, strict=False)),
                further=dict(zip(self.imperfections, point[len(GRID) :], strict=False)),
                sweep=dict(zip(self.sweep, point[len(GRID) + len(self.imperfections) :], strict=True)),
            )
            for number, point in enumerate(itertools.product(*self.dimensions.values()))
        )

    @property
    def dimensions(self) -> dict[str, tuple[Any, ...]]:
        """Values along each dimension of the grid, in order: names, or numbers in the units of `Condition`."""
        grid = (tuple(self.problems), self.forms, self.technologies, self.noise, self.mismatch, self.temperature_celsius)
        return {**dict(zip(GRID, grid, strict=True)), **self.imperfections, **self.sweep}

    def problem_of(self, condition: Condition) -> Any:
        """The problem of a condition, with the constants and starts that it sweeps."""
        return swept(self.problems[condition.problem], condition.sweep)

    def holds(self, condition: Condition) -> bool:
        """Whether a condition is held against the reference."""
        if self.certify is None:
            return True
        count = math.prod(len(values) for values in self.dimensions.values())
        asked = min(self.certify, count)
        return condition.number in {round(k * (count - 1) / max(asked - 1, 1)) for k in range(asked)}

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """What is computed at once: it depends on the study only, so that results do not depend on who computes them."""
        chunks: list[Chunk] = []
        looks = (self.samples,) if self.stop is None else self.stop.plan(self.samples).sizes
        for condition in self.conditions:
            size = self._chunk_size(condition)
            for begin, end in itertools.pairwise((0, *looks)):
                for first in range(begin, end, size):
                    chunks.append(Chunk(len(chunks), condition.number, first, min(first + size, end)))
        return tuple(chunks)

    @property
    def without_effect(self) -> tuple[str, ...]:
        """Parameters that decide nothing in this study, and so may not be given."""
        no_parts = not any(TECHNOLOGIES[name].parts for name in self.technologies)
        return ("parts",) * no_parts + ("time_limit",) * (ENGINES[self.engine].together is not None)

    def to_dict(self) -> dict[str, Any]:
        """The study in plain lists, numbers and names; `study_of` reads them back."""
        return {
            "layout": _LAYOUT,
            "flow": self.flow,
            "problems": {name: keys_of(problem) for name, problem in self.problems.items()},
            **{key: list(getattr(self, field_of(key))) for key in LISTS},
            "imperfections": {name: list(values) for name, values in self.imperfections.items()},
            **({"sweep": {name: list(values) for name, values in self.sweep.items()}} if self.sweep else {}),
            **({} if self.certify is None else {"certify": self.certify}),
            **{name: getattr(self, name) for name in ("samples", "seed", "engine", "parts", "time_limit", "verify")},
            **({} if self.time_constants is None else {"time_constants": self.time_constants}),
            **({} if self.stop is None else {"stop": dataclasses.asdict(self.stop)}),
            **({} if self.trim is None else {"trim": self.trim}),
        }

    @property
    def text(self) -> str:
        """`to_dict` as one line of JSON: equal studies have equal texts."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of everything that decides the results: equal on every machine for equal studies."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        return (
            f"Study({self.flow}, {len(self.conditions)} conditions × {self.samples} samples, {self.engine} engine, "
            f"seed {self.seed}, fingerprint {self.fingerprint})"
        )

    _repr_html_ = shown("html")

    def _forms(self) -> tuple[str, ...]:
        forms = _names(self.forms, "forms", None) if len(self.forms) else ()
        if not forms:
            chosen = {carried_form(self.problems[name], tech) for name in self.problems for tech in self.technologies}
            if len(chosen) > 1:
                raise BadInput(f"study: {', '.join(self.technologies)} carry different forms; name the forms.")
            return tuple(flow_of(self.problems[name], *chosen).form for name in list(self.problems)[:1])
        for form in forms:
            for problem in self.problems.values():
                flow_of(problem, form)  # refuses a form that is not known
        return forms

    def _chunk_size(self, condition: Condition) -> int:
        if TECHNOLOGIES[condition.technology].parts:
            return _OF_PARTS
        if ENGINES[self.engine].together is None:
            return _ONE_BY_ONE
        if self.samples == 1:
            return 1
        flow = flow_of(self.problems[condition.problem], condition.form)
        if flow.averaging is not None:
            return _ONE_BY_ONE
        states = flow.states
        return max(1, min(_BATCH, _STATES // sum(value.size for value in states.values())))

    def _check_scalars(self) -> None:
        if not isinstance(self.samples, int) or not is_whole(self.samples, 1, LARGEST_SAMPLE):
            raise BadInput(f"study: samples is {self.samples!r}; give a whole number from 1 to 2**39 − 1.")
        Noise(0.0, self.seed)
        if self.engine is not None and self.engine != SPICE and self.engine not in ENGINES:
            raise BadInput(f"study: engine {self.engine!r} is not known; {proposal(self.engine, (*ENGINES, SPICE))}")
        for name in ("time_constants", "time_limit"):
            value = getattr(self, name)
            if value is not None and not is_positive(value):
                raise BadInput(f"study: {name} is {value!r}; give a positive number.")
        if self.certify is not None and not (isinstance(self.certify, int) and is_whole(self.certify, 1)):
            raise BadInput(f"study: certify is {self.certify!r}; give a whole number from 1, or leave it out to hold all.")
        if self.certify is not None and not self.sweep:
            raise BadInput(
                "study: certify has no effect without a sweep, where all is held against the reference; leave it out."
            )
        if not isinstance(self.verify, bool):
            raise BadInput(f"study: verify is {self.verify!r}; give true or false.")
        if self.parts not in tuple(PART_SETS):
            raise BadInput(f"study: parts {self.parts!r} is not known; {proposal(self.parts, PART_SETS)}")

    def _check_together(self) -> None:
        conditions = math.prod(len(values) for values in self.dimensions.values())
        if conditions > _MOST_CONDITIONS:
            raise BadInput(
                f"study: the grid has {conditions} conditions, more than {_MOST_CONDITIONS}; make several studies."
            )
        if (count := conditions * self.samples) > _LARGEST:
            raise BadInput(
                f"study: {count} samples of all conditions together are more than {_LARGEST}, which no memory holds; ask "
                "for fewer, or for several studies."
            )
        with_parts = [name for name in self.technologies if TECHNOLOGIES[name].parts]
        if with_parts and self.imperfections:
            raise BadInput(
                f"study: the technology {with_parts[0]!r} takes its imperfections from its parts, so "
                f"{next(iter(self.imperfections))!r} can not be varied there; leave it out, or take 'ideal' alone."
            )
        moved = {"noise": any(self.noise), "mismatch": any(self.mismatch), "the sweep": bool(self.sweep)}
        check_boards(self.trim, self.technologies, [name for name, varied in moved.items() if varied])
        _set(self, "engine", engine_for((with_parts or self.technologies)[0], self.engine, prefer="block"))
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        why = {"parts": "the ideal technology has no parts", "time_limit": "it stops circuit simulators alone"}
        for name in self.without_effect:
            if getattr(self, name) != defaults[name]:
                raise BadInput(f"study: {name} {getattr(self, name)!r} has no effect, because {why[name]}; leave it out.")


def field_of(key: str) -> str:
    """Field of `Study`, and of `Condition`, that a key of a study's file gives; °C have a name that says so here alone."""
    return "temperature_celsius" if key == "temperature" else key


def study_of(keys: Mapping[str, Any]) -> Study:
    """The study whose `to_dict` is `keys`.

    Raises
    ------
    BadInput
        It was written by a version with another layout, or is not a study.
    """
    values = dict(keys)
    if values.pop("layout", None) != _LAYOUT:
        raise BadInput(f"study: its layout is {keys.get('layout')!r} and this version reads {_LAYOUT}; take that version.")
    flow, given = str(values.pop("flow", "")), values.pop("problems", None)
    fields = {field.name for field in dataclasses.fields(Study) if field.init}
    strange = sorted(key for key in values if field_of(key) not in fields or key == field_of("temperature"))
    if not isinstance(given, Mapping) or strange:
        raise BadInput(f"study: {f'{strange[0]!r} is no key of it' if strange else 'it has no problems'}; restore its file.")
    problems = {name: problem_of_keys(flow, problem, f"study, problem {name!r}") for name, problem in given.items()}
    return Study(problems, **{field_of(key): value for key, value in values.items()})


def missing_chunks(study: Study, errors: Mapping[int, NDArray[np.float64]]) -> tuple[list[Chunk], int]:
    """Chunks to be computed before the next look, none where the study has all it asks for, and its samples as far as known.

    Parameters
    ----------
    study : Study
    errors : mapping of chunk number to array
        Errors of the chunks that are there, NaN where a sample failed.
    """
    count = len(study.conditions)
    if study.stop is None:
        return [chunk for chunk in study.chunks if chunk.number not in errors], count * study.samples
    held: list[list[NDArray[np.float64]]] = [[] for _ in range(count)]
    broken = [False] * count
    for chunk in study.chunks:
        broken[chunk.condition] |= chunk.number not in errors
        if not broken[chunk.condition]:
            held[chunk.condition].append(errors[chunk.number])
    upto, ended = study.stop.wanted([np.concatenate(parts) if parts else np.zeros(0) for parts in held], study.samples)
    missing = [c for c in study.chunks if c.number not in errors and c.last <= upto[c.condition]]
    return missing, sum(size if over else study.samples for size, over in zip(upto, ended, strict=True))


def _distinct(values: Any, name: str) -> tuple[Any, ...]:
    """Values of one dimension, at least one and none twice; a single value counts as one."""
    items = (values,) if isinstance(values, str | int | float) else tuple(values)
    if not items:
        raise BadInput(f"study: {name} has no value; give one at least.")
    twice = [item for item in items if items.count(item) > 1]
    if twice:
        raise BadInput(f"study: {name} has {twice[0]!r} twice; give each value once.")
    return items


def _names(values: Sequence[str], name: str, known: Collection[str] | None) -> tuple[str, ...]:
    """Values that are names out of `known`, or any names where that is None."""
    items = _distinct(values, name)
    for item in items:
        if not isinstance(item, str):
            raise BadInput(f"study: {name} has {item!r}, which is not a name.")
        if known is not None and item not in known:
            raise BadInput(f"study: {name}: {item!r} is not known; {proposal(item, known)}")
    return items


def _numbers(values: Any, name: str) -> tuple[float, ...]:
    """Values that are finite numbers."""
    items = _distinct(values, name)
    for item in items:
        if not is_finite(item):
            raise BadInput(f"study: {name} has {item!r}, which is not a number.")
    return tuple(float(item) for item in items)


def _sigma(value: Any) -> float:
    """σ per √τ, in flow units, of a noise that is given as such or as an SNR."""
    if isinstance(value, str):
        if "v" in value.lower():
            raise BadInput(
                f"study: noise {value!r} depends on the circuit; give σ per √τ, such as 0.01, or an SNR, such as 40dB."
            )
        noise = Noise.from_text(value)
        if noise.parts:
            raise BadInput(
                f"study: noise {value!r} is what parts make, and no σ that a study could vary; give σ per √τ, such as 0.01, "
                "and take solve for the noise of parts."
            )
        return noise.sigma
    return float(Noise(value).sigma)


def _effect(name: str) -> str:
    """Name of a further imperfection."""
    label = str(name).replace("-", "_")
    if label in ("mismatch", "temperature", "temperature_kelvin"):
        own = label.removesuffix("_kelvin")
        raise BadInput(f"study: {own} is a dimension of its own; give it as {own} and not among the imperfections.")
    refuse_renamed(label, "study: imperfection")
    if label not in _FURTHER:
        raise BadInput(f"study: imperfection {label!r} is not known; {proposal(label, _FURTHER)}")
    return label


def _set(study: Study, name: str, value: Any) -> None:
    object.__setattr__(study, name, value)
