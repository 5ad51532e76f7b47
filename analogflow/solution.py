"""From a problem to a certified answer in one call, all that led to it kept together; and to one that a restart confirms."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable
from importlib import metadata
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from analogflow.bridge import bridge_version
from analogflow.circuit import Circuit
from analogflow.circuit.build import kelvin_of
from analogflow.circuit.start_up import StartUp
from analogflow.compiler import CircuitOptions, circuit_of, split_options, warmed
from analogflow.contents import plain
from analogflow.errors import BadInput
from analogflow.families import problem_of, require_reference
from analogflow.families.stationary import ACCURACY
from analogflow.flows import Flow
from analogflow.judgement.averaging import law_plan, law_run
from analogflow.judgement.certificate import Certificate, certificate_of, check_accuracy
from analogflow.judgement.restart import DELTA, DISTANCE, Verdict, restart, silence
from analogflow.judgement.switching_on import SwitchedOn, beside_held_start
from analogflow.judgement.trimming import aim_of, check_trimmed, trim
from analogflow.netlister import Deck
from analogflow.noise import Noise
from analogflow.notebook import shown
from analogflow.run import SETTLING_BAND, Run, comes_to_rest, from_end, own_time, run_plan, settling_times
from analogflow.simulators import deck_for, engine_choice, engine_for, simulate
from analogflow.technology import DEFAULT_TECHNOLOGY

__all__ = [
    "Solution",
    "SolveOptions",
    "Verification",
    "resting_times",
    "solve",
    "verify",
    "versions",
]


class LawOptions(CircuitOptions, total=False):
    """Options of `solve` that a circuit and its law are made by."""

    chains: int | None
    skip: float | None
    step: float | None
    on_note: Callable[[str], None] | None
    start_up: StartUp | str | None
    trim: int | str | None


class SolveOptions(LawOptions, total=False):
    """Options of `solve`, where another verb passes them on."""

    form: str | None
    engine: str | None
    time_constants: float | None
    accuracy: float | None
    on_progress: Callable[[float], None] | None


@dataclasses.dataclass(frozen=True, eq=False)
class Solution:
    """Everything that led to an answer.

    Parameters
    ----------
    flow : Flow
    circuit : Circuit
    deck : Deck
    run : Run
    certificate : Certificate
    engine : str
    seed : int
    switched_on : SwitchedOn, optional
        Where the circuit was switched on: when its flow began, and how far its answer is from that of a held start.
    """

    flow: Flow
    circuit: Circuit
    deck: Deck
    run: Run
    certificate: Certificate
    engine: str
    seed: int
    switched_on: SwitchedOn | None = None

    @property
    def noisy(self) -> bool:
        """Whether the answer fluctuates."""
        return self.circuit.noisy

    @property
    def settling_time(self) -> float | None:
        """Time in τ from which all that must rest stays within `SETTLING_BAND` of its size; None where it does not."""
        found = float(resting_times(self.circuit, self.run))
        return None if np.isnan(found) else found

    @property
    def passed(self) -> bool:
        """Whether every check passed, and a circuit that was switched on came to the answer of a held start.

        The state may still creep where the checks prove the answer as it stands.
        """
        return self.certificate.passed and (self.switched_on is None or self.switched_on.same)

    @property
    def run_time(self) -> float:
        """How long the run was, in τ."""
        return float(self.run.time[-1])

    @property
    def time_needed(self) -> float | None:
        """How long it would have to be, in τ, for an answer that still creeps; None where it rests, or none can be told."""
        return self.certificate.time_needed

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and names, as ``analogflow solve --json`` prints them; what is not finite becomes None."""
        certificate = self.certificate
        wells = {"wells": [dataclasses.asdict(well) for well in certificate.wells]} if certificate.wells else {}
        motion = {"motion": certificate.motion.to_dict()} if certificate.motion is not None else {}
        chains = {"chains": len(self.run.chains) + 1} if certificate.law is not None else {}
        return plain(
            {
                "flow": self.flow.family,
                "form": self.flow.form,
                "problem": getattr(self.flow.problem, "summary", "") or repr(self.flow.problem or self.flow),
                **self.made(),
                "settled": self.run.outcome.ok,
                "settling_time": self.settling_time,
                "run_time": self.run_time,
                "time_needed": self.time_needed,
                "answer": certificate.answer,
                "reference": {"answer": certificate.reference, "gap": certificate.reference_gap},
                "errors": certificate.errors,
                **wells,
                **chains,
                **motion,
                **({"switched_on": self.switched_on.to_dict()} if self.switched_on is not None else {}),
                "checks": [dataclasses.asdict(check) for check in certificate.checks],
                "notes": certificate.notes,
                "state": {name: self.run.final[name].tolist() for name in self.flow.states},
            }
        )

    def made(self) -> dict[str, Any]:
        """What the answer was made with: circuit, engine, seed, noise, imperfections, start-up, trimmers, versions."""
        imperfections, start_up = self.circuit.imperfections, self.circuit.conditions.start_up
        trimmers = self.circuit.conditions.trimmers
        return {
            "technology": self.circuit.technology,
            "engine": self.engine,
            "evaluator": self.run.record.get("evaluator"),  # which march of the block engine
            "seed": self.seed,
            "noise": self.circuit.noise.sigma,
            **({"noise_of_parts": True} if self.circuit.noise.parts else {}),
            "imperfections": {name: getattr(imperfections, name) for name in imperfections.effects},
            **({"start_up": str(start_up)} if start_up is not None else {}),
            **({"trimmers": dict(trimmers.volts)} if trimmers is not None else {}),
            "versions": versions() | dict(self.run.record.get("versions", {})),
        }

    def __repr__(self) -> str:
        return f"Solution({self.flow!r}, engine {self.engine}: {self.certificate})"

    _repr_html_ = shown("html")


def solve(
    problem: Any,
    *,
    form: str | None = None,
    engine: str | None = None,
    time_constants: float | None = None,
    accuracy: float | None = None,
    on_progress: Callable[[float], None] | None = None,
    **options: Unpack[LawOptions],
) -> Solution:
    """Compile the flow that solves `problem`, simulate its circuit, and hold the answer against the reference.

    Parameters
    ----------
    problem : Channel, RateDistortion, Attention, Transport, Hopfield, Langevin, Equations, Flow, Circuit, array_like
        A circuit is one that `compile` returned; how it is built is then decided. A matrix is that of a channel, as
        `Channel` takes it.
    form : str, optional
        Form of the flow; the family's most robust one if not given.
    engine : {"ngspice", "vacask", "block", "spice"}, optional
        If not given: ngspice where it is installed, else VACASK where that is and takes the circuit, else the block engine.
    time_constants : float, optional
        End of the run in τ; if not given, the problem's own time, what averaging takes, or where the answer settles, after
        5000 τ at most, or 1000 of a circuit of parts, or 200 where the path matters; with noise after 60 τ.
    accuracy : float, optional
        Largest error that the checks let pass; 1e-6 for an ideal circuit and 0.05 for an imperfect or noisy one. For a law
        also the error that they must be able to find, in standard deviations; 0.25 if not given.
    chains : int, optional
        Of a law: how many chains it is averaged over, each from a start and with noise of its own; 64 of the block
        engine (16 where they would be too short, 32 without a C compiler) and 4 of others, if not given.
    skip, step : float, optional
        Of a law: time in τ left out at the start of each chain, and distance of the noise's knots; what the problem's time
        scales ask for if not given.
    on_progress : callable, optional
        Called with the time reached, in τ.
    on_note : callable, optional
        Called with a line where an engine stands in for ngspice, and before a run of a law that takes more than a second:
        how long it will take.
    technology, stabilise, parts, temperature_celsius, scaled, delay_fraction
        As `compile` takes them.
    noise : Noise, float or str, optional
        White noise at every integrator's input; a float is its σ per √τ in flow units, a text is read by `Noise.from_text`.
    imperfections : Imperfections, optional
        What is wrong with the blocks.
    seed : int
        Decides the noise and the deviations of the blocks; recorded with the result. 0, or that of the noise, if not given.
    start_up : StartUp or str, optional
        How a circuit of parts is switched on: "ramp", "low", "high", or what else `StartUp.from_text` reads. Its answer is
        then held against that of the same circuit with its supplies up and its integrators charged, as it is if not given.
    trim : int or "all", optional
        A board of parts is drawn as `seed` decides, and so many trimmers are set at 27 °C, as `analogflow.trim` sets them;
        it then runs at the temperature that is asked for, without being trimmed again. 0 draws it and sets none. Errors of
        1e-3 pass at 27 °C and of 5e-3 elsewhere, if no accuracy is given. A circuit that is given is trimmed where it is
        built for.

    Raises
    ------
    BadInput
        An argument is not known or out of range.
    MissingProgram, SimulationFailed
        The engine is not installed, or broke down.
    """
    check_accuracy(accuracy)
    of_law = {name: options.pop(name, None) for name in ("chains", "skip", "step")}
    on_note, start_up, count = options.pop("on_note", None), options.get("start_up"), options.pop("trim", None)
    build, _ = split_options("solve", {name: value for name, value in options.items() if name != "start_up"})
    built = isinstance(problem, Circuit)
    technology, noisy = problem.technology if built else build.get("technology", DEFAULT_TECHNOLOGY), options.get("noise")
    noisy = Noise.is_of_parts(problem.noise if built and noisy is None else noisy)
    engine_for(technology, engine, nominal=noisy)  # refuses at once
    if count is None:
        circuit = circuit_of(problem, form=form, **options)
    else:
        circuit = _trimmed(problem, count, form=form, engine=engine, time_constants=time_constants, **options)
    chosen = engine_choice(circuit.technology, engine, nominal=noisy and circuit.as_its_equations, circuit=circuit)
    engine = chosen.engine
    if on_note is not None and chosen.why:
        on_note(chosen.why)
    flow = circuit.flow
    asked, switched_on = _law_options(flow, of_law), None
    if start_up is not None and flow.averaging is not None:
        raise BadInput(f"start_up: the answer of the {flow.family} flow is a law, which forgets any start; leave it out.")
    # A form may solve a problem of its own, such as the one at zero temperature.
    judged = problem_of(flow)
    require_reference(judged, accuracy=ACCURACY if accuracy is None else accuracy, end=own_time(flow, time_constants))
    if flow.averaging is not None:
        law = law_plan(circuit, engine, time_constants=time_constants, accuracy=accuracy, **asked)
        circuit, run = law_run(circuit, law, engine=engine, on_progress=on_progress, on_note=on_note)
        deck = deck_for(circuit, engine, time_constants=float(run.time[-1]))
    else:
        plan = run_plan(circuit, time_constants)
        deck = deck_for(circuit, engine, time_constants=plan.end, largest_step=plan.largest_step)
        run = simulate(deck, engine=engine, resting_speed=plan.resting_speed, on_progress=on_progress)
        if start_up is not None:
            switched_on = beside_held_start(circuit, run, engine=engine, time_constants=time_constants, accuracy=accuracy)
    certificate = certificate_of(circuit, run, accuracy)
    return Solution(circuit.flow, circuit, deck, run, certificate, engine, circuit.noise.seed, switched_on)


def _trimmed(problem: Any, count: int | str, *, engine: str | None, time_constants: float | None, **options: Any) -> Circuit:
    """A drawn board with trimmers, at the temperature that is asked for."""
    if options.get("start_up") is not None:
        raise BadInput("start_up: a board is trimmed with its supplies up; leave start_up or trim out.")
    kelvin = None if isinstance(problem, Circuit) else kelvin_of(options.pop("temperature_celsius", None))
    circuit = circuit_of(problem, **options)
    check_trimmed(circuit, count)
    aim = aim_of(circuit, time_constants=time_constants, engine=engine)
    board = trim(circuit, count=count, seed=circuit.noise.seed, temperatures_celsius=(), aim=aim).circuit
    return warmed(board, kelvin or board.temperature_kelvin)


def _law_options(flow: Flow, given: dict[str, Any]) -> dict[str, Any]:
    """What was asked of how a law is averaged, refused where the answer is none."""
    asked = {name: value for name, value in given.items() if value is not None}
    if asked and flow.averaging is None:
        raise BadInput(
            f"{next(iter(asked))}: the answer of the {flow.family} flow is no law that chains tell; leave it out."
        )
    return asked


@dataclasses.dataclass(frozen=True, eq=False)
class Verification:
    """A solution, the run that started from its perturbed end, and what both say together.

    Parameters
    ----------
    solution : Solution
    run : Run, optional
        The second run; None where there is nothing to come back to.
    verdict : Verdict
    """

    solution: Solution
    run: Run | None
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether the answer stands: it passes its checks, and is confirmed or one of several of the same value.

        Where a restart says nothing ("not applicable"), the checks alone decide, as they do for `solve`.
        """
        return self.solution.passed and (self.verdict.passed or self.verdict.name == "not applicable")

    def to_dict(self) -> dict[str, Any]:
        """The solution's object, and ``restart`` with the verdict, the distance of the two answers and the gain in value."""
        found = dataclasses.asdict(self.verdict) | {"sentence": str(self.verdict)}
        return {**self.solution.to_dict(), "restart": plain(found)}

    def __repr__(self) -> str:
        return f"Verification({self.verdict})"

    _repr_html_ = shown("html")


def verify(
    problem: Any,
    *,
    delta: float = DELTA,
    distance: float = DISTANCE,
    **options: Unpack[SolveOptions],
) -> Verification:
    """Solve `problem`, push the settled state away, run the same circuit again from there, and compare.

    Parameters
    ----------
    problem
        As for `solve`, as are the other options.
    delta : float
        Share of the way to the middle of the manifold, from 0 to 1.
    distance : float
        Distance of two answers within which they are one, over their size (a plan's mass; 1 for distributions and what is up
        to two decades smaller); the circuit's own accuracy if that is larger.

    Returns
    -------
    Verification
        A flow whose answer is a law is run a second time from another start and with other noise; it is confirmed where
        mean and covariance agree within what two right chains differ by; one verdict in 100 on a right law is refused. An
        answer that fails its checks is never confirmed.

    Raises
    ------
    BadInput
        δ or an argument of `solve` is out of range.
    """
    solution = solve(problem, **options)
    if why := silence(solution.flow):
        return Verification(solution, None, Verdict("not applicable", float("nan"), float("nan"), why))
    run, verdict = restart(
        solution.circuit, solution.run, delta=delta, distance=distance, engine=solution.engine,
        time_constants=options.get("time_constants"), accuracy=options.get("accuracy"), certificate=solution.certificate,
        on_progress=options.get("on_progress"),
    )  # fmt: skip
    return Verification(solution, run, verdict)


def resting_times(circuit: Circuit, run: Run) -> NDArray[np.float64]:
    """Time in τ from which all that must rest stays within `SETTLING_BAND` of its size.

    Shape (), or (n,) of n samples with saved times; NaN where a run did not end as it was asked to, and where its answer is
    not where it comes to rest.
    """
    flow, ok = circuit.flow, np.asarray(run.ok)
    if not comes_to_rest(circuit):
        return np.full(ok.shape, np.nan)
    largest = np.max([np.nan_to_num(abs(run.values[name])).max(axis=(-2, -1)) for name in flow.rests], axis=0)
    band = SETTLING_BAND * np.reshape([flow.resting_size(float(size)) for size in np.ravel(largest)], ok.shape)
    found = [settling_times(run.time, from_end(run, name), band) for name in flow.rests]
    return np.where(ok, np.max(found, axis=0), np.nan)


def versions() -> dict[str, str]:
    """Versions of what computed a result."""
    packages = {name: metadata.version(name) for name in ("analogflow", "numpy", "scipy")}
    return {**packages, **bridge_version(), "python": platform.python_version()}
