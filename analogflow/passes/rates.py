"""The functions that can become states: where each starts, and the polynomial that is its rate."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks import Arctan, Crossbar, Divider, Exp, Log, Normaliser, Sine, Softmax, SquareRoot, Tanh
from analogflow.blocks.block import frozen
from analogflow.errors import BadInput
from analogflow.graph import GraphBuilder, Signal

__all__ = ["LIFTED", "Lifting", "rate_of"]

Array = NDArray[np.float64]


@dataclasses.dataclass(eq=False)
class Lifting:
    """Where functions are lifted: the graph under construction, and what has been lifted already.

    Parameters
    ----------
    builder : GraphBuilder
    restore : float
        Rate, per τ, of restoring terms.
    rate_at : callable
        Rate of a node of the old graph as a signal of the new one; None if it does not move.
    pending : mapping of state label to callable
        Grows the rate of a lifted state; called after all are placed.
    reciprocals : mapping of old node to signal
        1/x of the nodes whose reciprocal is there.
    lifted : mapping of function to count
        Scalar states placed for each function.
    derived : mapping of new node to callable
        Grows the rate of a signal that is known without the chain rule.
    """

    builder: GraphBuilder
    restore: float
    rate_at: Callable[[str], Signal | None]
    pending: dict[str, Callable[[], Signal]] = dataclasses.field(default_factory=dict)
    reciprocals: dict[str, Signal] = dataclasses.field(default_factory=dict)
    lifted: dict[str, int] = dataclasses.field(default_factory=dict)
    derived: dict[str, Callable[[], Signal]] = dataclasses.field(default_factory=dict)

    def state(self, kind: str, origin: str, start: Array) -> tuple[Signal, str]:
        """Place a hidden integrator for a function of the old node `origin`."""
        label = f"{kind}_of_{origin}"
        signal = self.builder.state(label, np.asarray(start, dtype=float).ravel(), hidden=True)
        self.lifted[kind] = self.lifted.get(kind, 0) + signal.size
        shaped = self.builder.signal(signal.node, () if signal.size == 1 else (signal.size,))
        return shaped, label

    def closes(self, signal: Signal, label: str, grow: Callable[[], Signal]) -> Signal:
        """Give the state `label` the rate that `grow` places, once."""
        once = functools.cache(grow)
        self.pending[label] = self.derived[signal.node] = once
        return signal

    def moving(self, origin: str) -> Signal:
        """Rate of the old node `origin`, which depends on a state."""
        rate = self.rate_at(origin)
        return self.builder.constant(0.0) if rate is None else rate


def rate_of(site: Lifting, signal: Signal) -> Signal | None:
    """Rate of a lifted signal; None if it is none."""
    grow = site.derived.get(signal.node)
    return None if grow is None else grow()


def _above(x: Array, floor: float, what: str, origin: str) -> None:
    if not (x > floor).all():
        raise BadInput(
            f"lift: the {what} of {origin!r} starts at {float(x.min()):.4g}, where it is held at its floor of {floor:g}; "
            "give the flow a start away from it."
        )


def _reciprocal(site: Lifting, block: Any, node: str, origin: str, x: Signal, start: Array) -> Signal:
    """The state r = 1/q: ṙ = −r (r q̇) + k r (1 − q r)."""
    if origin in site.reciprocals:
        return site.reciprocals[origin]
    floor = block.floor if isinstance(block, Divider | Log) else 0.0
    _above(abs(start), floor, "reciprocal", origin)
    r, label = site.state("reciprocal", origin, 1 / start)

    def grow() -> Signal:
        rate = -(r * _relative(site, origin, r))
        return rate + site.restore * (r * (1.0 - x * r)) if site.restore else rate

    site.reciprocals[origin] = r
    return site.closes(r, label, grow)


def _relative(site: Lifting, origin: str, r: Signal) -> Signal:
    """The product r q̇, placed once however often it is used: equal blocks share a node."""
    return site.moving(origin) * r


def _log(site: Lifting, block: Log, node: str, origin: str, x: Signal, start: Array) -> Signal:
    """L = ln q: L̇ = r q̇ with r = 1/q."""
    _above(start, block.floor, "logarithm", origin)
    r = _reciprocal(site, block, node, origin, x, start)
    logarithm, label = site.state("log", origin, np.log(start))
    return site.closes(logarithm, label, lambda: _relative(site, origin, r))


def _exp(site: Lifting, block: Exp, node: str, origin: str, x: Signal, start: Array) -> Signal:
    """The state e = exp x: ė = e ẋ."""
    if not (start < block.ceiling).all():
        raise BadInput(f"lift: the exponent {origin!r} starts at {float(start.max()):.4g}, above {block.ceiling:g}.")
    e, label = site.state("exp", origin, np.exp(start))
    return site.closes(e, label, lambda: e * site.moving(origin))


def _square_root(site: Lifting, block: SquareRoot, node: str, origin: str, x: Signal, start: Array) -> Signal:
    """√x = x ρ with ρ = x^(−1/2): ρ̇ = −½ ρ² (ρ ẋ) + ½ k ρ (1 − x ρ²)."""
    _above(start, max(block.floor, 0.0), "square root", origin)
    rho, label = site.state("inverse_root", origin, 1 / np.sqrt(start))

    def grow() -> Signal:
        rate = -0.5 * ((rho * rho) * (rho * site.moving(origin)))
        return rate + 0.5 * site.restore * (rho * (1.0 - x * (rho * rho))) if site.restore else rate

    site.closes(rho, label, grow)
    root = x * rho
    # A quotient by this root needs no reciprocal of its own.
    site.reciprocals[node] = rho
    site.derived[root.node] = functools.cache(lambda: 0.5 * (rho * site.moving(origin)))
    return root


def _tanh(site: Lifting, block: Tanh, node: str, origin: str, x: Signal, start: Array) -> Signal:
    """The state t = tanh x: ṫ = (1 − t²) ẋ."""
    t, label = site.state("tanh", origin, np.tanh(start))
    return site.closes(t, label, lambda: (1.0 - t * t) * site.moving(origin))


def _sine(site: Lifting, block: Sine, node: str, origin: str, x: Signal, start: Array) -> Signal:
    """Both s = sin x and c = cos x: ṡ = c ẋ + ½ k s d, ċ = −s ẋ + ½ k c d, d = 1 − s² − c²."""
    s, sine = site.state("sine", origin, np.sin(start))
    c, cosine = site.state("cosine", origin, np.cos(start))

    def restored(y: Signal) -> Signal:
        return 0.5 * site.restore * (y * (1.0 - s * s - c * c))

    def of_sine() -> Signal:
        return c * site.moving(origin) + restored(s) if site.restore else c * site.moving(origin)

    def of_cosine() -> Signal:
        return restored(c) - s * site.moving(origin) if site.restore else -(s * site.moving(origin))

    site.closes(c, cosine, of_cosine)
    return site.closes(s, sine, of_sine)


def _arctan(site: Lifting, block: Arctan, node: str, origin: str, x: Signal, start: Array) -> Signal:
    """Both a = arctan x and r = 1/(1 + x²): ȧ = r ẋ, ṙ = −2 r (r (x ẋ)) + k r (1 − r (1 + x²))."""
    a, angle = site.state("arctan", origin, np.arctan(start))
    r, slope = site.state("slope", origin, 1 / (1 + np.square(start)))

    def of_slope() -> Signal:
        rate = -2.0 * (r * (r * (x * site.moving(origin))))
        return rate + site.restore * (r * (1.0 - r * (1.0 + x * x))) if site.restore else rate

    site.closes(r, slope, of_slope)
    return site.closes(a, angle, lambda: r * site.moving(origin))


def _softmax(site: Lifting, block: Softmax, node: str, origin: str, x: Signal, start: Array) -> Signal:
    """The group y = t softmax(x − c): ẏ_k = y_k (ẋ_k − Σ_l y_l ẋ_l/t) + k y_k (1 − Σ_l y_l/t), group by group."""
    y, label = site.state("softmax", origin, block.relation(start))
    width = block.size // block.rows
    tail = np.ones(block.rows) if block.tail is None else np.broadcast_to(block.tail, (block.rows,))

    def grow() -> Signal:
        rate = site.moving(origin)
        grouped = (y * rate).reshape(block.size)
        excess = rate - _shared(grouped, block.rows, width, 1 / tail)
        if site.restore:
            missing = 1.0 - _shared(y.reshape(block.size), block.rows, width, 1 / tail)
            excess = excess + site.restore * missing
        return y * excess

    return site.closes(y, label, grow)


def _normaliser(site: Lifting, block: Normaliser, node: str, origin: str, x: Signal, start: Array) -> Signal:
    """Shares y_k = x_k r with r = 1/Σ_l x_l of each group, while every x is positive."""
    if not (start > 0).all():
        raise BadInput(
            f"lift: the normaliser of {origin!r} starts with a part of {float(start.min()):.4g}, and what it holds at 0 is "
            "no polynomial; give every part a positive start."
        )
    width = block.size // block.rows
    totals = start.reshape(block.rows, width).sum(axis=1)
    weight = Crossbar(size=block.rows, weight=frozen(np.ones((1, width))), rows=block.rows)
    r, label = site.state("reciprocal_sum", origin, 1 / totals)

    def summed(signal: Signal) -> Signal:
        flat = signal if signal.size == block.size else signal.reshape(1)[np.zeros(block.size, dtype=int)]
        return site.builder.place(weight, (flat,), () if block.rows == 1 else (block.rows,))

    def grow() -> Signal:
        rate = -(r * (r * summed(site.moving(origin))))
        return rate + site.restore * (r * (1.0 - summed(x) * r)) if site.restore else rate

    site.closes(r, label, grow)
    repeated = r if block.rows == 1 else r[np.repeat(np.arange(block.rows), width)]
    y = x * repeated

    def moved() -> Signal:
        slope = grow_once()
        spread = slope if block.rows == 1 else slope[np.repeat(np.arange(block.rows), width)]
        return site.moving(origin) * repeated + x * spread

    grow_once = site.pending[label]
    site.derived[y.node] = functools.cache(moved)
    return y


def _shared(x: Signal, rows: int, width: int, scale: Array) -> Signal:
    """Sum of each group of x times its scale, repeated for every member: one summing node for each group."""
    weights = frozen(scale[:, None, None] * np.ones((rows, 1, width)))
    block = Crossbar(size=rows, weight=weights if rows > 1 else frozen(weights[0]), rows=rows)
    sums = x.builder.place(block, (x,), () if rows == 1 else (rows,))
    return sums if rows == 1 else sums[np.repeat(np.arange(rows), width)]


LIFTED: dict[str, Callable[[Lifting, Any, str, str, Signal, Array], Signal]] = {
    "reciprocal": _reciprocal,
    "log": _log,
    "exp": _exp,
    "square_root": _square_root,
    "tanh": _tanh,
    "sine": _sine,
    "arctan": _arctan,
    "softmax": _softmax,
    "normaliser": _normaliser,
}
"""Function by the kind of its block: from site, block, its old node, and old node, new signal and start of its argument."""
