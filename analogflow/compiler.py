"""The compiler: one ordered tuple of passes from a flow's graph to a circuit, each checked and recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence

import numpy as np

from analogflow.block_engine import VectorField
from analogflow.blocks import Imperfections
from analogflow.blocks.block import frozen
from analogflow.circuit import Circuit, Step
from analogflow.circuit.parts import PartSet
from analogflow.errors import AnalogflowError, BadInput
from analogflow.flows import Flow
from analogflow.graph import BlockGraph
from analogflow.noise import Noise, check_sample
from analogflow.passes import check, degrade_graph, fuse, nominal_orbit, pruned, scale, stabilise, unfolded
from analogflow.technology import DEFAULT_PARTS, LOOP_DELAY, TECHNOLOGIES, Brief, matched_parts, part_set, spread
from analogflow.technology.options import kelvin_of, refuse_idle

__all__ = ["PASSES", "compile", "degrade", "imperfect_graph", "require_blocks"]

Pass = Callable[[BlockGraph, Flow, bool], tuple[BlockGraph, str]]

PASSES: tuple[tuple[str, Pass], ...] = (
    (
        "stabilise",
        lambda graph, flow, mend: stabilise(
            graph, flow.keeps, gauge=flow.gauge, mend=mend and flow.mend, end_time=flow.end_time
        ),
    ),
    ("fuse", lambda graph, flow, mend: fuse(graph)),
)
"""Passes in the order they run. The graph is checked before the first and after each, and must stay equivalent."""

_EQUIVALENCE = 1e-9
_SHORTEST_DELAY, _LONGEST_DELAY = 1e-4, 0.25


def compile(
    flow: Flow,
    *,
    technology: str = "ideal",
    stabilise: bool = True,
    parts: PartSet | str | None = None,
    temperature_celsius: float | None = None,
    scaled: bool = False,
    loop_delay: float | None = None,
) -> Circuit:
    """Circuit of `flow`: trace, check, then every pass with a check after it, then the technology's cells.

    Parameters
    ----------
    flow : Flow
    technology : {"ideal", "translinear", "opamp"}
    stabilise : bool
        If false, manifolds that repel or are neutral are reported but not mended.
    parts : PartSet or str, optional
        Parts of a technology that has any: "precision" if not given, "general", "fast", or the path of a TOML file.
    temperature_celsius : float, optional
        Of those parts, from -100 to 200 °C; 27 if not given.
    scaled : bool
        Whether the ideal technology builds the graph in machine units too, as 'opamp' does.
    loop_delay : float, optional
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
    if technology not in TECHNOLOGIES:
        raise BadInput(f"technology {technology!r} is not known; known are: {', '.join(TECHNOLOGIES)}.")
    refuse_idle(
        technology,
        {"parts": parts, "temperature_celsius": temperature_celsius, "loop_delay": loop_delay, "scaled": scaled},
    )
    loop_delay = LOOP_DELAY if loop_delay is None else loop_delay
    if isinstance(loop_delay, bool) or not _SHORTEST_DELAY <= loop_delay <= _LONGEST_DELAY:
        raise BadInput(f"loop_delay is {loop_delay!r}; give a number from {_SHORTEST_DELAY:g} to {_LONGEST_DELAY:g}.")
    graph = flow.graph()
    history = [Step("trace", f"{flow.family} {flow.form}".strip() + ": called on signals", len(graph))]
    history.append(Step("check", check(graph), len(graph)))
    orbit = nominal_orbit(graph, flow.keeps, flow.end_time)
    for name, transform in PASSES:
        changed, note = transform(graph, flow, stabilise)
        check(changed)
        moved = _difference(graph, changed, orbit)
        if moved > _EQUIVALENCE:
            raise AnalogflowError(
                f"the pass {name!r} changed the flow by {moved:.2g} on its manifold: a fault of analogflow to be reported."
            )
        history.append(Step(name, f"{note}; on the manifold the rates agree within {moved:.1g}", len(changed)))
        graph = changed
    brief = Brief(flow, graph, part_set(parts or DEFAULT_PARTS), kelvin_of(temperature_celsius), loop_delay=loop_delay)
    if scaled or technology == "opamp":
        brief, said = scaled_brief(brief, unfold=technology != "opamp")
        history.append(Step("scale", said, len(brief.graph)))
    realised = TECHNOLOGIES[technology](brief)
    elements = sum(len(group.elements) for group in realised.groups)
    note = realised.note or f"{elements} elements, 1 flow unit is {realised.unit:g} V, τ is {realised.time_constant:g} s"
    history.append(Step(technology, note, len(realised.graph)))
    noise = Noise(0.0, step=flow.averaging.noise_step if flow.averaging else Noise.step)
    return Circuit(flow=flow, technology=technology, history=tuple(history), noise=noise, **realised.fields())


def scaled_brief(brief: Brief, *, unfold: bool) -> tuple[Brief, str]:
    """The same to be built in machine units, without observables that the answer does not need, and what was done.

    With `unfold`, scaled blocks are taken apart into gains and plain blocks.
    """
    flow, source = brief.flow, brief.graph
    needed = pruned(source, [flow.answer])
    scaling = scale(needed, flow)
    check(scaling.graph)
    named = {**needed.states, **needed.observables}
    scales = {name: frozen(np.full(needed.block(node).size, scaling.scales[node])) for name, node in named.items()}
    factor = np.concatenate([scales[state] for state in needed.states])
    orbit = nominal_orbit(needed, flow.keeps, flow.end_time)
    limit = np.concatenate([np.full(needed.block(n).size, scaling.limits.get(n, np.inf)) for n in needed.states.values()])
    orbit = orbit[(abs(orbit) <= limit).all(axis=1)]
    moved = abs(VectorField(scaling.graph)(0.0, orbit * factor) / factor - VectorField(needed)(0.0, orbit)).max()
    if moved > _EQUIVALENCE * max(1.0, abs(VectorField(needed)(0.0, orbit)).max()):
        raise AnalogflowError(f"the pass 'scale' changed the flow by {moved:.2g}: a fault of analogflow to be reported.")
    graph = unfolded(scaling.graph) if unfold else scaling.graph
    note = f"{scaling.note}; the rates agree within {moved:.1g}"
    scaled = {"used": scaling.used, "fastest": scaling.fastest, "covered": scaling.covered, "exponents": scaling.exponents}
    return dataclasses.replace(brief, graph=graph, scales=scales, source=source, **scaled), note


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
        Chooses the values of a circuit of parts, before these deviate.

    Raises
    ------
    BadInput
        The circuit is imperfect already, or the sample is not a whole number from 0.
    """
    imperfections, noise = imperfections or Imperfections(), noise or circuit.noise
    if not circuit.ideal:
        raise BadInput(f"the circuit is imperfect already ({circuit.imperfections}); start from what compile returned.")
    sample = check_sample(sample)
    if not imperfections.effects and not noise.sigma:
        chosen = circuit if values is None or circuit.parts is None else values(circuit)
        return dataclasses.replace(chosen, noise=noise, sample=sample)
    if circuit.parts is not None:
        return _with_spread_parts(circuit, imperfections, noise, sample, values)
    graph = imperfect_graph(circuit, imperfections, noise, sample)
    check(graph)
    realised = TECHNOLOGIES[circuit.technology](Brief(circuit.flow, graph))
    note = f"{imperfections}; noise {noise.sigma:g} per √τ at the integrators, seed {noise.seed}, sample {sample}"
    return dataclasses.replace(
        circuit,
        **realised.fields(),
        history=(*circuit.history, Step("degrade", note, len(graph))),
        imperfections=imperfections,
        noise=noise,
        sample=sample,
    )


def _with_spread_parts(
    circuit: Circuit,
    imperfections: Imperfections,
    noise: Noise,
    sample: int,
    values: Callable[[Circuit], Circuit] | None,
) -> Circuit:
    """The circuit rebuilt with noise at its integrators, and its parts drawn with the mismatch asked for."""
    foreign = [name for name in imperfections.effects if name != "mismatch"]
    if foreign or circuit.parts is None or circuit.derived_from is None:
        raise BadInput(
            f"imperfection {foreign[0]!r}: the technology {circuit.technology!r} takes its imperfections from its "
            "parts; choose those with parts, their temperature with temperature_celsius, and let them deviate with mismatch."
        )
    sigma, source = noise.sigma, circuit.derived_from
    parts = circuit.parts
    if sigma:
        graph = degrade_graph(source, Imperfections(), sigma=noise.by_state(source.states), seed=noise.seed, samples=sample)
        brief = Brief(circuit.flow, graph, circuit.parts, circuit.temperature, sigma)
        if circuit.technology == "opamp":
            brief, _ = scaled_brief(brief, unfold=False)
        circuit = dataclasses.replace(circuit, **TECHNOLOGIES[circuit.technology](brief).fields())
    circuit = circuit if values is None else values(circuit)
    if imperfections.mismatch:
        circuit = spread(circuit, matched_parts(parts, imperfections.mismatch), seed=noise.seed, sample=sample)
    note = f"{imperfections}; noise {sigma:g} per √τ at the integrators, seed {noise.seed}, sample {sample}"
    return dataclasses.replace(
        circuit,
        history=(*circuit.history, Step("degrade", note, len(circuit.graph))),
        imperfections=imperfections,
        noise=noise,
        sample=sample,
    )


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
    return degrade_graph(
        circuit.graph,
        imperfections,
        sigma=noise.by_state(circuit.graph.states),
        seed=noise.seed,
        samples=samples,
        full_scale=circuit.machine_unit / circuit.unit,
        time_constant=circuit.time_constant,
        only=only,
    )


def _difference(before: BlockGraph, after: BlockGraph, orbit: np.ndarray) -> float:
    """Largest change of any rate along `orbit`, relative to the largest rate or 1."""
    old, new = VectorField(before)(0.0, orbit), VectorField(after)(0.0, orbit)
    return float(abs(new - old).max() / max(1.0, abs(old).max()))
