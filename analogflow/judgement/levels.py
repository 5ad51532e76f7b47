"""From the equations to the parts, level by level: how much error each adds to the answer, and which block adds it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Unpack

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.block_engine import VectorField, integrate
from analogflow.blocks import Constant, Integrator, NoiseSource, Wire
from analogflow.circuit import BipolarTransistor, Circuit
from analogflow.circuit.circuit import Reading
from analogflow.compiler import circuit_of, rebuilt
from analogflow.errors import BadInput, NoCell
from analogflow.flows import Flow
from analogflow.netlister import netlist
from analogflow.run import own_time
from analogflow.simulators import simulate
from analogflow.technology import BuildOptions, heeded
from analogflow.technology.opamp.bench import MACHINE_UNIT

__all__ = ["Level", "verification_levels"]

Array = NDArray[np.float64]

_TIME = 100.0


@dataclasses.dataclass(frozen=True)
class Level:
    """One level of the description of a flow.

    Parameters
    ----------
    name : str
    error : float
        Largest distance of the answer from that of the exact flow, flow units.
    added : float
        Largest change of the answer against the level before; against the ideal netlist for a netlist of parts.
    culprit : str
        What adds most of it; empty where nothing does.
    """

    name: str
    error: float
    added: float
    culprit: str = ""


def verification_levels(
    flow: Flow,
    *,
    carried: Flow | None = None,
    time_constants: float | None = None,
    on_progress: Callable[[float], None] | None = None,
    **options: Unpack[BuildOptions],
) -> tuple[Level, ...]:
    """Answers of the exact flow, its graph, its scaled graph and its netlists: ideal, of op-amps, of transistors.

    Parameters
    ----------
    flow : Flow
    carried : Flow, optional
        The form that transistors carry, for the last level; that is left out if not given, or if they do not carry it.
    time_constants : float, optional
        Where the answers are compared, in τ; the flow's own end, or 100, if not given.
    on_progress : callable, optional
        Called with the fraction done.
    options
        As `compile` takes them; each level heeds those that its technology does.

    Raises
    ------
    BadInput
        The flow is noisy: its answer is a law, which no two levels share path by path; or an option was given that the
        levels differ in.
    MissingProgram, SimulationFailed
        ngspice, which runs the netlists, is not installed or broke down.
    """
    for name in ("technology", "scaled"):
        if name in options:
            raise BadInput(f"{name}: the levels are circuits of their own, in all technologies and scales; leave it out.")
    if flow.noisy:
        raise BadInput("a flow with noise of its own has no answer to compare level by level; compare its laws with solve.")
    end = time_constants or own_time(flow) or _TIME
    exact = _exact(flow, end)

    def built(technology: str, flow: Flow = flow) -> Circuit:
        return circuit_of(flow, technology=technology, **heeded(technology, options))

    ideal = built("ideal")
    found = [("graph", integrate(ideal.graph, end).final[flow.answer], "")]
    scaled = rebuilt(ideal, scaled=True)
    for name, engine in (("scaled graph", "block"), ("ideal netlist", "ngspice")):
        run = simulate(netlist(scaled, time_constants=end, largest_step=min(0.02, end / 500)), engine=engine)
        found.append((name, run.final[flow.answer], ""))
        if on_progress:
            on_progress(len(found) / 5)
    reference = found[-1][1]
    levels, before = [Level("exact flow", 0.0, 0.0)], exact
    for name, answer, culprit in found:
        levels.append(Level(name, float(flow.apart(answer, exact)), float(flow.apart(answer, before)), culprit))
        before = answer
    circuit = built("opamp")
    answer, culprit = _worst_block(circuit, end)
    levels.append(Level("op-amp netlist", float(flow.apart(answer, exact)), float(flow.apart(answer, reference)), culprit))
    if on_progress:
        on_progress(0.8)
    if carried is not None:
        try:
            circuit = built("translinear", carried)
        except NoCell:
            return tuple(levels)
        own = _exact(carried, end)
        answer = simulate(netlist(circuit, time_constants=end)).final[carried.answer]
        added = float(carried.apart(answer, own))
        levels.append(Level("translinear netlist", added, added, _worst_stage(circuit, end, answer, own)))
    return tuple(levels)


def _exact(flow: Flow, end: float) -> Array:
    """Answer of the flow's own function, integrated by DOP853 at a relative 1e-11."""
    shapes = {name: value.shape for name, value in flow.states.items()}
    bounds = np.cumsum([value.size for value in flow.states.values()])[:-1]

    def named(y: Array) -> dict[str, Array]:
        return {n: part.reshape(shape) for (n, shape), part in zip(shapes.items(), np.split(y, bounds), strict=True)}

    def rate(_: float, y: Array) -> Array:
        return np.concatenate([np.ravel(value) for value in flow.rates(**named(y)).values()])

    start = np.concatenate([value.ravel() for value in flow.states.values()])
    with np.errstate(all="ignore"):
        y = scipy.integrate.solve_ivp(rate, (0.0, end), start, "DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    states = named(y)
    return np.ravel(states[flow.answer] if flow.answer in states else flow.observe(flow.answer, **states))


def _worst_block(circuit: Circuit, end: float) -> tuple[Array, str]:
    """Answer of an op-amp circuit, and the block whose voltage is furthest from what its own inputs ask for."""
    from analogflow.technology.opamp import bench_of

    graph = circuit.graph
    built = {group.block for group in circuit.groups}
    bench = bench_of(circuit)
    probes = {
        f"node_{node}": Reading(
            tuple(f"{node}_{k}" for k in range(graph.block(node).size)),
            np.full(graph.block(node).size, bench.factor(node) / MACHINE_UNIT),
            np.full(graph.block(node).size, bench.offsets.get(node, 0.0)),
        )
        for node in graph
        if node in built and not isinstance(graph.block(node), Constant | Wire | NoiseSource)
    }
    probed = dataclasses.replace(circuit, readings={**circuit.readings, **probes})
    run = simulate(netlist(probed, time_constants=end))
    measured = {name.removeprefix("node_"): run.final[name] for name in probes}
    field = VectorField(graph)
    values = field.signals(np.concatenate([measured[node] for node in graph.states.values()]))
    errors = {}
    for node in graph.order():
        block = graph.block(node)
        if isinstance(block, Wire):
            measured[node] = block.relation(measured[graph.inputs(node)[0]])
        elif isinstance(block, Integrator):
            continue
        elif node not in measured and graph.inputs(node):  # a block that has no amplifier of its own
            measured[node] = block.relation(*(measured[origin] for origin in graph.inputs(node)))
        elif node not in measured:
            measured[node] = values[node]
        else:
            asked = block.relation(*(measured[origin] for origin in graph.inputs(node)))
            errors[node] = float(abs(measured[node] - asked).max())
    if not errors:
        return run.final[circuit.flow.answer], "integrators, which are all there is"
    worst = max(errors, key=errors.__getitem__)
    place = graph.source(worst).text
    return run.final[circuit.flow.answer], f"{worst}, {errors[worst]:.1g} machine units off{f' ({place})' if place else ''}"


def _worst_stage(circuit: Circuit, end: float, answer: Array, exact: Array) -> str:
    """Stage of a transistor circuit whose transistors, made ideal, take most of the error away."""
    flow, stages = circuit.flow, {}
    for group in circuit.groups:
        stages.setdefault(group.block.rstrip("0123456789"), []).append(group.block)
    least = (float(flow.apart(answer, exact)), "op-amps and resistors")
    for stage, blocks in stages.items():
        changed = _idealised(circuit, set(blocks))
        if changed is not None:
            error = float(flow.apart(simulate(netlist(changed, time_constants=end)).final[flow.answer], exact))
            least = min(least, (error, f"transistors of {stage}: without their imperfections {error:.1g}"))
    return least[1]


def _idealised(circuit: Circuit, blocks: set[str]) -> Circuit | None:
    """The circuit with transistors of some groups that have nothing but a saturation current and a high gain."""
    kept = {"is", "nf", "eg", "xtb"}
    models = tuple(
        dataclasses.replace(
            model, name=f"{model.name}_ideal", parameters=(*((n, v) for n, v in model.parameters if n in kept), ("bf", 1e5))
        )
        for model in circuit.models
        if model.kind in ("npn", "pnp")
    )
    groups, found = [], False
    for group in circuit.groups:
        elements = group.elements
        if group.block in blocks:
            elements = tuple(
                dataclasses.replace(e, model=f"{e.model}_ideal") if isinstance(e, BipolarTransistor) else e for e in elements
            )
            found = found or elements != group.elements
        groups.append(dataclasses.replace(group, elements=elements))
    return dataclasses.replace(circuit, groups=tuple(groups), models=(*circuit.models, *models)) if found else None
