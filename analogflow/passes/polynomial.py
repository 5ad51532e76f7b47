"""Turns functions into states: a graph of logarithms, quotients and softmaxes becomes one of sums and products alone.

A machine without function generators can still hold ln q: it is the integral of q̇/q. Every function of a signal becomes an
integrator whose rate the chain rule gives. The walk through the graph is `analogflow.passes.lifting`, the catalogue of
functions `analogflow.passes.rates`.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from analogflow.errors import BadInput
from analogflow.flows import Flow
from analogflow.graph import BlockGraph
from analogflow.passes.lifting import Lifting

__all__ = ["lift"]


def lift(
    flow: BlockGraph | Flow, *, observables: Collection[str] | None = None, restore: float = 0.0
) -> tuple[BlockGraph, str]:
    r"""Return an equivalent graph of integrators, sums, gains, multipliers and constants, and a sentence on its cost.

    .. math:: r = 1/q:\ \dot r = -r (r \dot q), \quad L = \ln q:\ \dot L = r \dot q, \quad e = e^x:\ \dot e = e \dot x, \quad
              \rho = x^{-1/2}:\ \dot\rho = -\tfrac12 \rho^2 (\rho \dot x), \quad \sqrt x = x \rho, \\
              y = \operatorname{softmax}(x):\ \dot y_k = y_k (\dot x_k - \textstyle\sum_l y_l \dot x_l), \quad
              t = \tanh x:\ \dot t = (1 - t^2) \dot x, \quad s = \sin x, c = \cos x:\ \dot s = c \dot x,\ \dot c = -s \dot x

    Parameters
    ----------
    flow : BlockGraph or Flow
        Never lifted twice: what is already polynomial is left as it is.
    observables : collection of str, optional
        Observables to keep; each may cost states of its own. All if not given.
    restore : float
        Rate k, per τ, of a restoring term on the identities that have one: r gets +k r(1 − q r), ρ gets
        +½ k ρ(1 − x ρ²), a softmax row gets +k y(1 − Σy), a sine gets +½ k s(1 − s² − c²). 0 leaves them out.

    Returns
    -------
    graph, note
        The states of `flow` come first and are called as before; lifted ones follow and are hidden. They start at what the
        functions are worth at the start of the flow.

    Raises
    ------
    NoCell
        A block has no derivative that is a polynomial of states: a comparator, a switch, a positive part; or noise is
        multiplied by a signal, or enters what is lifted.
    BadInput
        A function starts where it is held or is not smooth: a logarithm or a quotient of 0, a normaliser of a negative
        part; or a name is no observable, or `restore` is no rate.

    Notes
    -----
    The identities (r q = 1, e^L = q, Σy = 1, ...) are kept because they hold at the start: they are neutral. An error
    that an offset or a coarse coefficient makes in them does not decay, and over a long run it adds up; ln, exp and tanh
    have no polynomial that would return it. `restore` mends the others at the price of two or three multipliers each.
    Floors and ceilings of the blocks are not lifted: a lifted logarithm follows q below 1e-12. Where a denominator goes to
    0 its reciprocal grows without bound, and the lifted path is worth little: so it is with the accelerated capacity flow.

    References
    ----------
    E. Kerner, J. Math. Phys. 22 (1981) 1366, and C. Gu, IEEE Trans. CAD 30 (2011) 1307: every elementary system of
    ordinary differential equations can be written as a quadratic one.
    """
    graph = flow.graph() if isinstance(flow, Flow) else flow
    kept = tuple(graph.observables) if observables is None else tuple(observables)
    for name in kept:
        if name not in graph.observables:
            raise BadInput(f"lift: {name!r} is no observable; there are: {', '.join(graph.observables) or 'none'}.")
    if not 0 <= restore < np.inf:
        raise BadInput(f"lift: restore is {restore!r}; give a rate per τ of 0 or more.")
    return Lifting(graph, kept, restore).result()
