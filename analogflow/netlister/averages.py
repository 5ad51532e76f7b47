"""Commands with which a deck that runs alone prints the mean and covariance of its states over time."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from analogflow.circuit import Circuit, Reading
from analogflow.names import identifier, number
from analogflow.netlister.cards import vector_text

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
    for label, signal in nodes:
        if "*" in signal:
            yield f"let signal = {signal}"
        yield f"meas tran {identifier(f'mean_{label}')} avg {'signal' if '*' in signal else signal} {window}"
    for i, (first, one) in enumerate(nodes):
        for second, other in nodes[i:]:
            covariance = identifier(f"covariance_{first}_{second}")
            yield f"let product = {one}*{other}"
            yield f"meas tran product_average avg product {window}"
            yield f"let {covariance} = product_average - mean_{first}*mean_{second}"
            yield f"print {covariance}"


def labelled(kind: str, name: str, circuit: Circuit) -> list[tuple[str, str]]:
    """A name for each element of a signal that a script may use, and the element in flow units as a formula of vectors."""
    reading, label = circuit.readings[name], f"{kind}{re.sub('[^a-z0-9_]', '_', name.lower())[:40]}"
    single = reading.size == 1
    return [(identifier(label + ("" if single else f"_{k}")), _formula(reading, k)) for k in range(reading.size)]


def _formula(reading: Reading, k: int) -> str:
    vectors = [vector_text(vector) for vector in reading.vectors]
    if reading.gain.ndim == 1:
        text = vectors[k] if reading.gain[k] == 1 else f"{vectors[k]}*({number(reading.gain[k])})"
    else:
        text = "+".join(f"{vector}*({number(g)})" for vector, g in zip(vectors, reading.gain[k], strict=True) if g)
    offset = float(np.broadcast_to(reading.offset, (reading.size,))[k])
    if reading.shares:
        text = f"({text})/({'+'.join(vectors)})"
    return f"{text}+({number(offset)})" if offset else text
