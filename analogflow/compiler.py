"""The compiler: a flow through the passes of a technology, and what it realises, under conditions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from analogflow.blocks import Imperfections
from analogflow.checks import refuse_unknown
from analogflow.circuit import Build, Circuit, Conditions, PassRecord
from analogflow.circuit.build import PartSet
from analogflow.errors import BadInput
from analogflow.flows import Flow
from analogflow.graph import BlockGraph
from analogflow.noise import Noise, check_sample
from analogflow.passes import NOISE, Brief, check, degrade_graph, run_passes
from analogflow.technology import DEFAULT_TECHNOLOGY, TECHNOLOGIES, build_of, check_build, matched_parts, sample_parts

__all__ = ["compile", "degrade", "imperfect_graph", "rebuilt", "require_blocks"]


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
    """Circuit of `flow`: trace, check, then every pass with a check after it, then the technology's cells.

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
    return _built(flow, build)


def rebuilt(circuit: Circuit, *, flow: Flow | None = None, conditions: Conditions | None = None, **changes: Any) -> Circuit:
    """The same circuit built again with some things changed; all else is as it was built.

    Parameters
    ----------
    circuit : Circuit
    flow : Flow, optional
        Such as the same flow with another start.
    conditions : Conditions, optional
        Under which the new one stands, such as those of another circuit; its own if not given.
    changes
        Fields of its `build`: ``technology``, ``stabilise``, ``parts``, ``temperature_kelvin``, ``delay_fraction``,
        ``scaled`` and ``values``.

    Raises
    ------
    BadInput
        One of them is no field of `Build`, or what they make is no build that `compile` could have made.
    """
    for name in changes:
        refuse_unknown(name, [field.name for field in dataclasses.fields(Build)], "field", "a build")
    build = dataclasses.replace(circuit.build, **changes)
    check_build(build)
    exact = dataclasses.replace(build, values=None)
    # How a flow is built does not move its orbit; another start is another orbit.
    perfect = _built(circuit.flow, exact, circuit.orbit) if flow is None else _built(flow, exact)
    return _under(perfect, circuit.conditions if conditions is None else conditions, build.values)


def _built(flow: Flow, build: Build, orbit: np.ndarray | None = None) -> Circuit:
    """Circuit with perfect blocks, or parts of exact values; `orbit` where the flow was followed before."""
    technology = TECHNOLOGIES[build.technology]
    brief, history = run_passes(technology.passes, Brief(flow, build, known_orbit=orbit))
    realised = technology.realise(brief)
    elements = sum(len(group.elements) for group in realised.groups)
    units = realised.units
    unit = f"1 flow unit is {units.volts:g} V" if units.volts and not units.scales else "each signal has a unit of its own"
    note = realised.note or f"{elements} elements, {unit}, τ is {units.time_constant:g} s"
    history = (*history, PassRecord(technology.name, note, len(realised.graph)))
    conditions = Conditions(Noise(0.0, step=flow.averaging.noise_step if flow.averaging else Noise.step))
    return Circuit(
        flow=flow, build=build, history=history, conditions=conditions, orbit=brief.known_orbit, **realised.fields()
    )


def degrade(
    circuit: Circuit,
    imperfections: Imperfections | None = None,
    *,
    noise: Noise | None = None,
    sample: int = 0,
    values: Callable[[Circuit], Circuit] | None = None,
) -> Circuit:
    """The same circuit built from imperfect parts, with noise at its integrators.

    Parameters
    ----------
    circuit : Circuit
        As `compile` returns it.
    imperfections : Imperfections, optional
        None if not given.
    noise : Noise, optional
        None if not given. Its seed also decides the deviations of the parts.
    sample : int
        Which circuit of the ensemble: each has deviations and noise of its own.
    values : callable, optional
        Chooses the values of a circuit of parts, before these deviate; as they were chosen if not given.

    Raises
    ------
    BadInput
        The circuit is imperfect already, the sample is not a whole number from 0, or `values` can not be called.
    """
    if not circuit.nominal:
        flaws = circuit.imperfections if circuit.conditions.lot is None else "its parts deviate"
        raise BadInput(f"the circuit is imperfect already ({flaws}); start from what compile returned.")
    conditions = Conditions(noise or circuit.noise, imperfections or Imperfections(), check_sample(sample))
    return _under(circuit, conditions, values)


def _under(circuit: Circuit, conditions: Conditions, values: Callable[[Circuit], Circuit] | None) -> Circuit:
    """A perfect circuit under `conditions`: noise and flaws on its graph, or its parts chosen by `values` and drawn."""
    if values is not None and not callable(values):
        raise BadInput(f"values is {values!r}; give a function from a circuit to a circuit, such as choose_values.")
    if circuit.parts is None:
        return _with_flawed_blocks(circuit, conditions)
    flaws, noise = conditions.imperfections, conditions.noise
    if foreign := [name for name in flaws.effects if name != "mismatch"]:
        raise BadInput(
            f"imperfection {foreign[0]!r}: the technology {circuit.technology!r} takes its imperfections from its "
            "parts; choose those with parts, their temperature with temperature_celsius, and let them deviate with mismatch."
        )
    chosen = circuit.build.values
    if noise.sigma:
        technology, build = TECHNOLOGIES[circuit.technology], dataclasses.replace(circuit.build, values=None)
        if NOISE not in technology.passes:
            raise BadInput(f"noise: the technology {technology.name!r} has no pass that adds it; leave it out.")
        before = circuit.derived_from or circuit.graph  # noise comes in before units change
        brief = Brief(circuit.flow, build, before, conditions, circuit.orbit)
        brief, _ = run_passes(technology.passes[technology.passes.index(NOISE) :], brief)
        circuit = dataclasses.replace(circuit, build=build, **technology.realise(brief).fields())
        values = values or chosen
    if values is not None and circuit.build.values is None:
        circuit = values(circuit)
        circuit = dataclasses.replace(circuit, build=dataclasses.replace(circuit.build, values=values))
    lot = matched_parts(circuit.build.parts, flaws.mismatch) if flaws.mismatch and circuit.build.parts else conditions.lot
    if lot is not None:
        circuit = sample_parts(circuit, lot, seed=noise.seed, sample=conditions.sample)
    return _noted(circuit, conditions)


def _with_flawed_blocks(circuit: Circuit, conditions: Conditions) -> Circuit:
    """The circuit of ideal elements with flaws and noise as elements of their own."""
    flaws, noise = conditions.imperfections, conditions.noise
    if not flaws.effects and not noise.sigma:
        return dataclasses.replace(circuit, conditions=conditions)
    graph = imperfect_graph(circuit, flaws, noise, conditions.sample)
    check(graph)
    brief = Brief(circuit.flow, circuit.build, graph, conditions, scales=circuit.units.scales, source=circuit.derived_from)
    return _noted(dataclasses.replace(circuit, **TECHNOLOGIES[circuit.technology].realise(brief).fields()), conditions)


def _noted(circuit: Circuit, conditions: Conditions) -> Circuit:
    """The circuit with `conditions` in its record and, where there are any, its history."""
    flaws, noise, history = conditions.imperfections, conditions.noise, circuit.history
    if flaws.effects or noise.sigma:
        said = f"{flaws}; noise {noise.sigma:g} per √τ at the integrators, seed {noise.seed}, sample {conditions.sample}"
        history = (*history, PassRecord("degrade", said, len(circuit.graph)))
    return dataclasses.replace(circuit, history=history, conditions=conditions)


def require_blocks(circuit: Circuit) -> None:
    """Refuse a circuit of parts, which have deviations of their own and no graph that shows them.

    Raises
    ------
    BadInput
        It is one.
    """
    if circuit.parts is not None:
        raise BadInput(
            f"ensembles and budgets are of ideal blocks, and this circuit is of parts ({circuit.technology}): compile it "
            "with the technology 'ideal', or run samples of it one after another, as a study does."
        )


def imperfect_graph(
    circuit: Circuit,
    imperfections: Imperfections,
    noise: Noise,
    samples: Sequence[int] | int,
    only: Collection[str] | None = None,
) -> BlockGraph:
    """Graph of `circuit` with imperfections in its machine unit and time constant; the parameters are those of the pass.

    Raises
    ------
    BadInput
        As `require_blocks` does.
    """
    require_blocks(circuit)
    units, by_state = circuit.units, noise.by_state(circuit.graph.states)
    return degrade_graph(
        circuit.graph,
        imperfections,
        sigma={state: sigma * units.input_volts(state) / units.graph_volts for state, sigma in by_state.items()},
        seed=noise.seed,
        samples=samples,
        full_scale=units.machine_unit / units.graph_volts,
        time_constant=units.time_constant,
        only=only,
    )
