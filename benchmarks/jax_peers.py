"""The sides of peers that are written in JAX: Sinkhorn of ott-jax, and integrators of diffrax.

JAX is no package that analogflow needs: ``peers.py`` imports this module where it is installed. Numbers are 64 bit, and BLAS
is given one thread, as everywhere here. What is returned is compiled on its first call for arrays of a shape.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import jax.numpy as jnp
import numpy as np

import analogflow as af
from analogflow.block_engine import VectorField
from analogflow.blocks import Crossbar, Gain, Log, Multiplier, Softmax, Sum

__all__ = ["forgotten", "ott_sinkhorn", "stacked_dopri8", "vmapped_dopri8"]

jax.config.update("jax_enable_x64", True)

Array = np.ndarray
Signals = Mapping[str, jax.Array]
Given = Mapping[str, tuple[jax.Array, ...]]


def forgotten() -> None:
    """Forget all that was compiled."""
    jax.clear_caches()


def ott_sinkhorn(problem: af.Transport, *, in_logarithms: bool, threshold: float, sweeps: int) -> Callable[[], Array]:
    """Plan by ott-jax, from arrays that JAX holds already."""
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.sinkhorn import Sinkhorn

    solver = Sinkhorn(lse_mode=in_logarithms, threshold=threshold, max_iterations=sweeps)

    @jax.jit
    def plan(cost: jax.Array, row: jax.Array, column: jax.Array) -> jax.Array:
        return solver(LinearProblem(Geometry(cost_matrix=cost, epsilon=problem.epsilon), a=row, b=column)).matrix

    given = [jnp.asarray(array) for array in (problem.cost, problem.row, problem.column)]
    return lambda: np.asarray(plan(*given))


def vmapped_dopri8(field: VectorField, start: Array, answer: str, saved: Array) -> Callable[[float], Array]:
    """Paths of the signal `answer` of every sample of `field` from `start` at the times `saved`, at a relative tolerance.

    Each sample has steps of its own.
    """
    one = _one(field)
    path = jax.vmap(lambda y, given, tolerance: _path(one, answer, saved, y, given, tolerance), in_axes=(0, 0, None))
    return _compiled(field, start, path)


def stacked_dopri8(field: VectorField, start: Array, answer: str, saved: Array) -> Callable[[float], Array]:
    """The same with all samples as one state."""
    together = jax.vmap(_one(field))

    def path(y: jax.Array, given: Given, tolerance: jax.Array) -> jax.Array:
        return jnp.moveaxis(_path(together, answer, saved, y, given, tolerance), 0, 1)

    return _compiled(field, start, path)


def _compiled(
    field: VectorField, start: Array, path: Callable[[jax.Array, Given, jax.Array], jax.Array]
) -> Callable[[float], Array]:
    run, y, given = jax.jit(path), jnp.asarray(start), jax.tree.map(jnp.asarray, _given(field))
    return lambda tolerance: np.asarray(run(y, given, tolerance))


def _path(
    signals: Callable[[jax.Array, Given], tuple[jax.Array, Signals]],
    answer: str,
    saved: Array,
    start: jax.Array,
    given: Given,
    tolerance: jax.Array,
) -> jax.Array:
    import diffrax

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda _, y, given: signals(y, given)[0]),
        diffrax.Dopri8(),
        0.0,
        float(saved[-1]),
        None,
        start,
        args=given,
        saveat=diffrax.SaveAt(ts=jnp.asarray(saved)),
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=1e-2 * tolerance),
        max_steps=100_000,
    )
    return jax.vmap(lambda y: signals(y, given)[1][answer])(solution.ys)


def _given(field: VectorField) -> dict[str, tuple[Array, ...]]:
    """Numbers of the blocks of a field, each with an axis of samples."""
    given = {node: (values,) for node, values in field.constants.items()}
    for node, _ in field.program:
        match field.graph.block(node):
            case Crossbar() as block:
                given[node] = (block.weight[:, 0],)
            case Gain() as block:
                given[node] = (block.coefficients,)
            case Softmax() as block:
                given[node] = (block.tail, block.offsets)
    return given | {block.label: (block.gain,) for _, _, block in field.integrators}


def _one(field: VectorField) -> Callable[[jax.Array, Given], tuple[jax.Array, Signals]]:
    """Rates of one sample, and its signals."""

    def signals(y: jax.Array, given: Given) -> tuple[jax.Array, Signals]:
        values = {node: given[node][0] for node in field.constants}
        values |= {field.graph.states[label]: y[part] for label, part in field.slices.items()}
        for node, inputs in field.program:
            values[node] = _value(field.graph.block(node), given.get(node, ()), [values[origin] for origin in inputs])
        rates = [given[block.label][0] * values[origin] for _, origin, block in field.integrators]
        return jnp.concatenate(rates), values | {name: values[node] for name, node in field.graph.observables.items()}

    return signals


def _value(block: object, given: tuple[jax.Array, ...], inputs: list[jax.Array]) -> jax.Array:
    """What a block of the capacity circuit delivers."""
    match block:
        case Softmax():
            tail, offsets = given
            return tail * jax.nn.softmax(inputs[0] - offsets)
        case Crossbar():
            return given[0] @ inputs[0]
        case Gain():
            return given[0] * inputs[0]
        case Log():
            return jnp.log(jnp.maximum(inputs[0], block.floor))
        case Multiplier():
            return inputs[0] * inputs[1]
        case Sum():
            return sum(c * x for c, x in zip(block.coefficients, inputs, strict=True))
    raise TypeError(f"{type(block).__name__} is not written in JAX here.")
