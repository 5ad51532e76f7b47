"""Commands with which a deck that runs alone prints the mean and covariance of its states over time."""

from __future__ import annotations

from collections.abc import Iterator

from analogflow.circuit import Circuit
from analogflow.names import identifier, number

__all__ = ["average_lines"]


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
    nodes = [(f"{name.lower()}_{k}", node) for name in circuit.flow.states for k, node in enumerate(circuit.signals[name])]
    for label, node in nodes:
        yield f"meas tran {identifier(f'mean_{label}')} avg v({node}) {window}"
    for i, (first, one) in enumerate(nodes):
        for second, other in nodes[i:]:
            covariance = identifier(f"covariance_{first}_{second}")
            yield f"let product = v({one})*v({other})"
            yield f"meas tran product_average avg product {window}"
            yield f"let {covariance} = product_average - mean_{first}*mean_{second}"
            yield f"print {covariance}"
