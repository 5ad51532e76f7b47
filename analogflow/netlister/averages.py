"""Commands with which a deck that runs alone prints the mean and covariance of its states over time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analogflow.circuit import Circuit
from analogflow.names import identifier, number

__all__ = ["average_lines", "labelled"]


def average_lines(circuit: Circuit, end: float) -> Iterator[str]:
    """Lines of a control section, after the run; of the covariance those of one triangle, in V².

    Parameters
    ----------
    circuit : Circuit
        Its flow says how long the start is forgotten; a tenth of the run at most.
    end : float
        Seconds.
    """
    averaging = circuit.flow.averaging
    if averaging is None:
        return
    window = f"from={number(min(averaging.skipped * circuit.time_constant, 0.1 * end))} to={number(end)}"
    nodes = [pair for name in circuit.flow.states for pair in labelled("", name, circuit)]
    for label, node in nodes:
        yield f"meas tran {identifier(f'mean_{label}')} avg v({node}) {window}"
    for i, (first, one) in enumerate(nodes):
        for second, other in nodes[i:]:
            covariance = identifier(f"covariance_{first}_{second}")
            yield f"let product = v({one})*v({other})"
            yield f"meas tran product_average avg product {window}"
            yield f"let {covariance} = product_average - mean_{first}*mean_{second}"
            yield f"print {covariance}"


def labelled(kind: str, name: str, circuit: Circuit) -> list[tuple[str, str]]:
    """A name for each element of a signal that a script may use, and its node."""
    nodes, label = circuit.signals[name], f"{kind}{re.sub('[^a-z0-9_]', '_', name.lower())[:40]}"
    return [(identifier(label + (f"_{k}" if len(nodes) > 1 else "")), node) for k, node in enumerate(nodes)]
