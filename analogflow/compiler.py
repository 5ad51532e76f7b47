"""The compiler: from a problem to its flow, through the passes of a technology to a circuit, and to that under conditions.

`circuit_of` goes all the way; `compile` makes circuits with perfect blocks or exact parts, and `degrade` puts those under
conditions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Unpack, cast

import numpy as np

from analogflow.blocks import PADE, Imperfections
from analogflow.checks import real_array, refuse_unknown
from analogflow.circuit import (
    Build,
    Capacitor,
    Circuit,
    ConditionOptions,
    Conditions,
    Element,
    Group,
    PassRecord,
    VoltageSource,
)
from analogflow.circuit.build import PartSet
from analogflow.circuit.start_up import StartUp
from analogflow.errors import AnalogflowError, BadInput
from analogflow.families import as_problem, family_of, flow_of
from analogflow.flows import Flow
from analogflow.noise import Noise, check_sample
from analogflow.passes import Brief, bend_of, choose_values, run_passes
from analogflow.technology import DEFAULT_TECHNOLOGY, TECHNOLOGIES, BuildOptions, build_of, check_build, known_technology

__all__ = [
    "CircuitOptions",
    "carried_form",
    "charged",
    "check_conditions",
    "circuit_of",
    "compile",
    "degrade",
    "flow_for",
    "noise_of",
    "rebuilt",
    "split_options",
    "warmed",
]


class CircuitOptions(BuildOptions, ConditionOptions, total=False):
    """What decides a circuit: how it is built, and its conditions."""


def circuit_of(
    problem: Any,
    *,
    form: str | None = None,
    noise: Noise | float | str | None = None,
    imperfections: Imperfections | None = None,
    seed: int | None = None,
    sample: int = 0,
    start_up: StartUp | str | None = None,
    **options: Unpack[BuildOptions],
) -> Circuit:
    """Circuit that solves `problem`, under conditions: what is run and written wherever a problem is given.

    Parts have values that are sold, as `choose_values` chooses them before they deviate.

    Parameters
    ----------
    problem : object
        Of a family, or a flow, or its circuit as `compile` returned it, which no option can then build otherwise.
    form : str, optional
        As for `flow_for`.
    noise : Noise, float or str, optional
        As `noise_of` takes it.
    imperfections, sample, start_up
        As for `degrade`.
    seed : int, optional
        0, or that of the noise, if not given.
    options
        As `compile` takes them.

    Raises
    ------
    BadInput
        An argument is not known or out of range, or something is to be built otherwise that is built already.
    """
    if isinstance(problem, Circuit):
        if said := [name for name, value in {"form": form, **options}.items() if value is not None]:
            raise BadInput(f"{said[0]}: the circuit is built already; leave it out, or give the problem or its flow.")
        circuit = problem
    else:
        circuit = compile(flow_for(problem, form, options.get("technology", DEFAULT_TECHNOLOGY)), **options)
    made_by = noise_of(circuit, noise, seed)
    return degrade(circuit, imperfections, noise=made_by, sample=sample, values=choose_values, start_up=start_up)


def flow_for(problem: Any, form: str | None = None, technology: str = DEFAULT_TECHNOLOGY) -> Flow:
    """Flow that solves `problem`, in the form that `technology` carries, or the most robust one, where `form` names none.

    A matrix is a problem too, as `as_problem` has it.

    Raises
    ------
    BadInput
        No family solves it, it has no such form, or it is a flow of another form itself.
    """
    problem = as_problem(problem)
    if not isinstance(problem, Flow):
        return flow_of(problem, form or carried_form(problem, technology))
    if form not in (None, problem.form):
        raise BadInput(f"form: {form!r} can not be chosen for a flow that is given as such.")
    return problem


def carried_form(problem: Any, technology: str) -> str | None:
    """Form of the flow that `technology` carries where it does not carry every form; None if any will do."""
    return None if isinstance(problem, Flow) else known_technology(technology).form(family_of(problem).name)


def noise_of(circuit: Circuit, noise: Noise | float | str | None, seed: int | None) -> Noise:
    """Noise as `solve` takes it, in the units of `circuit`.

    Raises
    ------
    BadInput
        It is no noise, or has a seed that is not `seed`.
    """
    if isinstance(noise, Noise):
        if seed is not None and seed != noise.seed:
            raise BadInput(f"seed: {seed!r} is not the seed of the noise, {noise.seed}; give one of them only.")
        return noise
    step = circuit.flow.noise_step
    if isinstance(noise, str):
        units = {state: circuit.units.input_volts(state) for state in circuit.graph.states}
        return Noise.from_text(noise, unit=units, time_constant=circuit.units.time_constant, seed=seed or 0, step=step)
    return Noise(0.0 if noise is None else noise, seed or 0, step)


def split_options(verb: str, options: Mapping[str, Any]) -> tuple[BuildOptions, ConditionOptions]:
    """Options of how a circuit is built, and of its conditions.

    Raises
    ------
    TypeError
        `verb` was given something that is neither.
    """
    kinds = BuildOptions.__optional_keys__, ConditionOptions.__optional_keys__
    if unknown := [name for name in options if not any(name in kind for kind in kinds)]:
        raise TypeError(f"{verb}() got an unexpected keyword argument {unknown[0]!r}")
    build, said = ({name: value for name, value in options.items() if name in kind} for kind in kinds)
    return cast(BuildOptions, build), cast(ConditionOptions, said)


def compile(
    flow: Flow,
    *,
    technology: str = DEFAULT_TECHNOLOGY,
    stabilise: bool = True,
    parts: PartSet | str | None = None,
    temperature_celsius: float | None = None,
    scaled: bool = False,
    delay_fraction: float | None = None,
) -> Circuit:
    """Circuit of `flow`: what the passes of a technology make of it, with a check after each.

    Parameters
    ----------
    flow : Flow
    technology : {"ideal", "translinear", "opamp"}
        Or the name of one that another package brings.
    stabilise : bool
        If false, manifolds that repel or are neutral are reported but not mended.
    parts : PartSet or str, optional
        Parts of a technology that has any: "precision" if not given, "general", "fast", or the path of a TOML file.
    temperature_celsius : float, optional
        Of those parts, from -100 to 200 °C; 27 if not given.
    scaled : bool
        Whether the ideal technology builds the graph in machine units too, as 'opamp' does.
    delay_fraction : float, optional
        For 'opamp': part of the flow's fastest time constant that the delays of a loop may be, from 1e-4 to 0.25; 0.005 if
        not given. τ goes with its inverse. The path suffers from it; where the circuit comes to rest does not.

    Raises
    ------
    BadInput
        The technology is not known, it does not heed an option that was given, a number is out of range, or the graph is
        not a circuit.
    Untraceable
        The flow's function did something no block realises.
    UnstableManifold
        A manifold repels and can not be mended.
    """
    build = build_of(
        technology, stabilise=stabilise, parts=parts, temperature_celsius=temperature_celsius, scaled=scaled,
        delay_fraction=delay_fraction,
    )  # fmt: skip
    _refuse_memory(flow, build)
    return _built(flow, build)


def _refuse_memory(flow: Flow, build: Build) -> None:
    """Refuse a flow that switches, jumps or is delayed where what it is built of can not."""
    if not (flow.latches or flow.jumps or flow.delays) or (TECHNOLOGIES[build.technology].remembers and not build.scaled):
        return
    where = "in machine units" if TECHNOLOGIES[build.technology].remembers else f"of the technology {build.technology!r}"
    if flow.jumps:
        raise BadInput(
            f"no circuit {where} sets a state anew at an instant, as {flow.jumps[0].name!r} does: take the technology "
            "'ideal' and the engine block, or write what does it within a time, such as a stiff spring for what bounces."
        )
    if flow.delays:
        raise BadInput(f"nothing {where} delays a signal: take the technology 'ideal', or write {PADE}.")
    raise BadInput(
        f"there is no comparator with hysteresis {where}: take the technology 'ideal'; or write it as a state of its "
        "own, h = 0.0 with the rate 100 * (comparator(u, high - (high - low) * h) - h), which comes late by some 0.01 τ."
    )


def rebuilt(
    circuit: Circuit,
    *,
    starts: Mapping[str, np.ndarray] | None = None,
    conditions: Conditions | None = None,
    **changes: Any,
) -> Circuit:
    """The same circuit built again with some things changed; all else is as it was built.

    Parameters
    ----------
    circuit : Circuit
    starts : mapping of name to array, optional
        Other initial values of states, in flow units. They change initial conditions and nothing else: ranges and constants
        stay those that fit the path from where the circuit's flow first started.
    conditions : Conditions, optional
        Under which the new one stands, such as those of another circuit; its own if not given.
    changes
        Fields of its `build`: ``technology``, ``stabilise``, ``parts``, ``temperature_kelvin``, ``delay_fraction``,
        ``scaled`` and ``values``.

    Raises
    ------
    BadInput
        One of them is no field of `Build`, what they make is no build that `compile` could have made, or `starts` names no
        state of the flow or has another shape.
    """
    for name in changes:
        refuse_unknown(name, [field.name for field in dataclasses.fields(Build) if field.compare], "field", "a build")
    build, flow = dataclasses.replace(circuit.build, **changes), circuit.flow
    check_build(build)
    _refuse_memory(flow, build)
    if starts is not None:
        _check_starts(flow, starts)
        build = dataclasses.replace(build, ranged_from=build.ranged_from or flow.states)
        flow = dataclasses.replace(flow, states={**flow.states, **starts})
    exact = dataclasses.replace(build, values=None)
    perfect = _built(flow, exact, circuit.orbit)  # how a flow is built does not move the orbit that passes are compared on
    return _under(perfect, circuit.conditions if conditions is None else conditions, build.values)


def charged(circuit: Circuit) -> Circuit:
    """The same circuit with its supplies up and its integrators charged to their start, as nobody switches it on."""
    if circuit.conditions.start_up is None:
        return circuit
    return rebuilt(circuit, conditions=dataclasses.replace(circuit.conditions, start_up=None))


def warmed(circuit: Circuit, kelvin: float) -> Circuit:
    """The same board at another temperature: its parts have the values that were chosen for the temperature it is built for.

    Only what depends on temperature by nature changes, and fixed sources: those of a kernel's strings follow it, and those
    that hold the integrators start the flow where it starts. Wipers of trimmers follow half of a change.
    """
    if kelvin == circuit.temperature_kelvin:
        return circuit
    values = circuit.build.values
    kept = values if isinstance(values, _Kept) else _Kept(circuit.temperature_kelvin, values)
    return rebuilt(circuit, temperature_kelvin=kelvin, values=kept)


@dataclasses.dataclass(frozen=True)
class _Kept:
    """Chooses the values that a board has which was built for another temperature, `kelvin`, where `values` chose them."""

    kelvin: float
    values: Callable[[Circuit], Circuit] | None

    def __call__(self, circuit: Circuit) -> Circuit:
        if circuit.temperature_kelvin == self.kelvin:
            return self.values(circuit) if self.values else circuit
        exact = rebuilt(circuit, temperature_kelvin=self.kelvin, values=None)
        board = self.values(exact) if self.values else exact
        now = {(type(element), element.name): element for element in circuit.elements}
        known = {(type(element), element.name) for element in exact.elements}
        chosen = {group.block: group.elements for group in board.groups}

        def kept(group: Group) -> Iterator[Element]:
            for element in chosen.get(group.block, ()):
                match element, now.get((type(element), element.name)):
                    case VoltageSource(), VoltageSource() as other:
                        yield other
                    case Capacitor(), Capacitor() as other:
                        yield dataclasses.replace(element, initial=other.initial)
                    case _:
                        yield element
            yield from (element for element in group.elements if (type(element), element.name) not in known)

        groups = tuple(dataclasses.replace(group, elements=tuple(kept(group))) for group in circuit.groups)
        said = PassRecord("values", f"those of the board that is built for {self.kelvin:g} K", len(circuit.graph))
        build = dataclasses.replace(circuit.build, values=self)
        return dataclasses.replace(
            circuit, groups=groups, build=build, accuracy=board.accuracy, history=(*circuit.history, said)
        )


def _check_starts(flow: Flow, starts: object) -> None:
    if not isinstance(starts, Mapping):
        raise BadInput(f"starts: {starts!r} is no mapping; give an array for the name of each state that starts elsewhere.")
    for name, value in starts.items():
        refuse_unknown(name, list(flow.states), "state", "the flow")
        shape, usual = real_array(value, f"starts: {name!r}").shape, flow.states[name].shape
        if shape != usual:
            raise BadInput(f"starts: {name!r} has the shape {shape}; give one of shape {usual}, as the flow has it.")


def _built(flow: Flow, build: Build, orbit: np.ndarray | None = None) -> Circuit:
    """Circuit with perfect blocks, or parts of exact values; `orbit` where the flow was followed before."""
    silent = Conditions(Noise(0.0, step=flow.noise_step))
    return _run(Brief(flow, build, conditions=silent, known_orbit=orbit))


def degrade(
    circuit: Circuit,
    imperfections: Imperfections | None = None,
    *,
    noise: Noise | None = None,
    sample: int = 0,
    values: Callable[[Circuit], Circuit] | None = None,
    start_up: StartUp | str | None = None,
) -> Circuit:
    """The same circuit built from imperfect parts, with noise at its integrators.

    Parameters
    ----------
    circuit : Circuit
        As `compile` returns it.
    imperfections : Imperfections, optional
        None if not given.
    noise : Noise, optional
        That of `circuit` if not given: none but the flow's own. Its seed also decides the deviations of the parts.
    sample : int
        Which circuit of the ensemble: each has deviations and noise of its own.
    values : callable, optional
        Chooses the values of a circuit of parts, before these deviate, where they are exact yet.
    start_up : StartUp or str, optional
        How a circuit of parts is switched on, a text as `StartUp.from_text` reads it; its supplies are up and its
        integrators charged from the first moment if not given.

    Raises
    ------
    BadInput
        The circuit is imperfect or switched on already, the sample is not a whole number from 0, `values` can not be
        called, or there is nothing to switch on.
    """
    if not circuit.nominal:
        flaws = circuit.imperfections if circuit.conditions.lot is None else "its parts deviate"
        raise BadInput(f"the circuit is imperfect already ({flaws}); start from what compile returned.")
    if circuit.conditions.start_up is not None:
        raise BadInput("the circuit is switched on already; start from what compile returned.")
    start_up = StartUp.from_text(start_up) if isinstance(start_up, str) else start_up
    conditions = Conditions(
        noise or circuit.noise, imperfections or Imperfections(), check_sample(sample), start_up=start_up
    )
    return _under(circuit, conditions, values)


def _under(circuit: Circuit, conditions: Conditions, values: Callable[[Circuit], Circuit] | None) -> Circuit:
    """A perfect circuit under `conditions`, its parts chosen by `values` where it has any and they are exact."""
    if values is not None and not callable(values):
        raise BadInput(f"values is {values!r}; give a function from a circuit to a circuit, such as choose_values.")
    check_conditions(circuit, conditions)
    if circuit.flow.jumps and (conditions.imperfections.effects or conditions.noise.plays):
        raise BadInput(
            "noise and imperfections are played by what can not set a state anew at an instant, as "
            f"{circuit.flow.jumps[0].name!r} does: leave them out, or write what does it within a time."
        )
    if circuit.flow.delays and (conditions.noise.plays or conditions.imperfections.noise_density):
        raise BadInput(f"no engine here plays noise to a flow with a delay: leave it out, or write {PADE}.")
    build, units = circuit.build, circuit.units
    if build.parts is not None:
        build = dataclasses.replace(build, values=build.values or values)
    brief = Brief(
        circuit.flow, build, circuit.graph, conditions, circuit.orbit, units.scales, circuit.derived_from, circuit=circuit
    )
    return _run(brief)


def check_conditions(circuit: Circuit, conditions: Conditions) -> None:
    """Refuse what no pass of the circuit's technology brings in.

    Raises
    ------
    BadInput
        One of the conditions is of that kind.
    """
    effects = conditions.imperfections.effects
    if circuit.parts is not None and (foreign := [name for name in effects if name != "mismatch"]):
        raise BadInput(
            f"imperfection {foreign[0]!r}: the technology {circuit.technology!r} takes its imperfections from its "
            "parts; choose those with parts, their temperature with temperature_celsius, and let them deviate with mismatch."
        )
    known = {name for each in TECHNOLOGIES[circuit.technology].passes for name in each.heeds}
    asked = {"noise": conditions.noise.sigma, "imperfections": effects, "lot": conditions.lot}
    asked["trimmers"] = conditions.trimmers
    if conditions.start_up is not None and "start_up" not in known:
        raise BadInput(
            f"start_up: the technology {circuit.technology!r} has no supplies that could come up; leave it out, or take "
            "'opamp' or 'translinear'."
        )
    if conditions.noise.parts and "device_noise" not in known:
        raise BadInput(
            f"noise: the technology {circuit.technology!r} has no parts whose noise could be played; take 'opamp' or "
            "'translinear', or give a number such as 0.01."
        )
    for name, given in asked.items():
        if given and name not in known:
            them = "them" if name in ("imperfections", "trimmers") else "it"
            raise BadInput(f"{name}: the technology {circuit.technology!r} has no pass that adds {them}; leave {them} out.")


def _run(brief: Brief) -> Circuit:
    """The circuit that the passes of its technology make of a brief."""
    technology = TECHNOLOGIES[brief.build.technology]
    given, before = brief.circuit, brief.circuit.history if brief.circuit else ()
    brief, steps = run_passes(technology.passes, dataclasses.replace(brief, realise=technology.realise))
    if brief.circuit is None:
        raise AnalogflowError(f"no pass of the technology {technology.name!r} makes a circuit; name REALISE among them.")
    again = {step.name for step in steps}
    history = (*(step for step in before if step.name not in again), *steps)
    circuit = dataclasses.replace(
        brief.circuit, build=brief.build, conditions=brief.conditions, history=history, orbit=brief.known_orbit
    )
    if given and circuit.graph is given.graph and circuit.nominal and not (circuit.noisy or given.noisy):
        return dataclasses.replace(circuit, bend=given.bend)  # it takes its flow's path as before
    return dataclasses.replace(circuit, bend=bend_of(circuit))
