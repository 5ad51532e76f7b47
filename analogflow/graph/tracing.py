"""The second reading of a flow's function: called with signals instead of arrays, it grows the graph of blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from analogflow.errors import Untraceable
from analogflow.graph.block_graph import BlockGraph
from analogflow.graph.builder import GraphBuilder
from analogflow.graph.signal import Signal

__all__ = ["trace"]


def trace(
    function: Callable[..., Any],
    states: Mapping[str, np.ndarray],
    *,
    constants: Mapping[str, Any] | None = None,
    adjustable: Mapping[str, float] | None = None,
    observables: Mapping[str, Callable[..., Any]] | None = None,
) -> BlockGraph:
    """Call `function` on signals and return the graph of blocks it grew.

    Parameters
    ----------
    function : callable
        Called as ``function(*states, **constants, **adjustable)``; returns the rates, one for each state, in their shapes.
    states : mapping of name to initial array
        In the order of the function's arguments.
    constants : mapping, optional
        Arrays and numbers, folded into the blocks.
    adjustable : mapping of name to float, optional
        Numbers kept as labelled constants, so that a pass can set them.
    observables : mapping of name to callable, optional
        Signals a user reads; called as the function is.

    Raises
    ------
    Untraceable
        The function did something no block realises, or returned rates that do not fit the states.
    """
    builder = GraphBuilder()
    signals = [builder.state(label, np.asarray(initial, dtype=float)) for label, initial in states.items()]
    keywords = dict(constants or {})
    keywords |= {label: builder.constant(value, label=label) for label, value in (adjustable or {}).items()}
    rates = function(*signals, **keywords)
    if len(states) == 1 and isinstance(rates, Signal | np.ndarray | float | int):
        rates = (rates,)
    if not isinstance(rates, tuple | list) or len(rates) != len(states):
        raise Untraceable(f"{_name(function)} must return one rate for each of the states {', '.join(states)}.")
    closed = {}
    for (label, initial), rate in zip(states.items(), rates, strict=True):
        rate = rate if isinstance(rate, Signal) else builder.constant(rate)
        if rate.shape != np.shape(initial) and rate.size != 1:
            raise Untraceable(
                f"{_name(function)} returns a rate of shape {rate.shape} "
                f"for the state {label!r} of shape {np.shape(initial)}."
            )
        closed[label] = rate
    read = {}
    for label, observable in (observables or {}).items():
        value = observable(*signals, **keywords)
        read[label] = value if isinstance(value, Signal) else builder.constant(value)
    return builder.finish(closed, read)


def _name(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    name = getattr(function, "__name__", "the flow's function")
    return f"{code.co_filename}:{code.co_firstlineno}: {name}" if code else name
