"""Figure 5 of the paper on tokens on a sphere: what happens where VBᵀ is not symmetric."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analogflow.problems import Attention
from analogflow.problems.named.attention import rotating, skewed
from analogflow.reference.attention import dominant_eigenspace, value_space
from analogflow.reproduction.attention.paths import (
    SOURCE,
    alignment_path,
    circuit_line,
    circuit_path,
    digital_path,
    drawn_anew,
    first_tokens,
)
from analogflow.reproduction.attention.views import sphere
from analogflow.reproduction.result import Line, Panel, Reproduction

__all__ = ["figure_5"]

Array = NDArray[np.float64]

_TOKENS, _CIRCUIT = 60, 10


def figure_5() -> Reproduction:
    """Complex eigenvalues turn the tokens, real ones lead them to E and then to F."""
    times = np.linspace(0, 20, 201)
    turning, two = rotating(_TOKENS), skewed(_TOKENS)
    around, straight = digital_path(turning, times), digital_path(two, times)
    E, F = dominant_eigenspace(two.attraction), value_space(two)
    plane = dominant_eigenspace(turning.attraction)
    late = times >= 9
    turns = _turns(around[late] @ plane.basis)
    at_E, at_F = alignment_path(straight, E), alignment_path(straight, F)
    root = float(np.sqrt(2))
    first = int(np.argmax(at_E[times < 6]))
    lines = (
        _eigenvalues("V₁B₁ᵀ", turning.attraction, "±i, −2", [1j, -1j, -2]),
        _eigenvalues("V₁", turning.V, "±i, −2", [1j, -1j, -2]),
        _eigenvalues("V₂B₂ᵀ", two.attraction, "1 ± √2, −2", [1 + root, 1 - root, -2]),
        _eigenvalues("V₂", two.V, "±1, −2", [1, -1, -2]),
        Line("V₁, B₁: turns of the median token in the plane of ±i from t = 9 to 20", 0.5, float(np.median(turns)),
             relation="≥", says="trajectories rotate, C.2: half a turn at least"),
        Line("V₂, B₂: largest alignment with E before t = 6", 0.85, float(at_E[first]), relation="≥",
             says="initial alignment with E, Figure 5", shown=f"at t = {times[first]:.1f}"),
        Line("V₂, B₂: alignment with F at t = 20", 0.95, float(at_F[-1]), relation="≥",
             says="then with F, Figure 5"),
        _on_circuit("V₁, B₁: ", turning), _on_circuit("V₂, B₂: ", two),
        drawn_anew("number of tokens, β and seed not given", f"{_TOKENS} uniform tokens, β = 100, seed 0"),
    )  # fmt: skip
    panels: list[Panel] = []
    for name, path, windows, spaces in (
        ("V₁, B₁", around, ((0, 4), (4, 9), (9, 20)), {"plane of ±i": plane}),
        ("V₂, B₂", straight, ((0, 1.5), (1.5, 6), (6, 20)), {"E": E, "F": F}),
    ):
        for a, b in windows:
            chosen = path[(times >= a) & (times < b)]
            panels.append(sphere(f"{name}, t from {a:g} to {b:g}", chosen[:: max(1, len(chosen) // 20), :50], spaces,
                                 label="paths"))  # fmt: skip
    return Reproduction(
        "attention-figure-5", "Tokens where VBᵀ is not symmetric", f"{SOURCE}, Figure 5", tuple(panels), lines
    )


def _turns(plane: Array) -> Array:
    """Net turns of every token in a plane, from coordinates of shape (times, n, 2)."""
    angle = np.unwrap(np.arctan2(plane[..., 1], plane[..., 0]), axis=0)
    return abs(angle[-1] - angle[0]) / (2 * np.pi)


def _eigenvalues(name: str, matrix: Array, printed: str, values: list[complex]) -> Line:
    """Real parts, then imaginary parts, in one order."""
    found, paper = (
        np.sort_complex(np.round(np.asarray(some, dtype=complex), 12)).astype(np.complex128)
        for some in (np.linalg.eigvals(matrix), values)
    )
    return Line(f"eigenvalues of {name}: real parts, then imaginary ones", np.concatenate([paper.real, paper.imag]),
                np.concatenate([found.real, found.imag]) + 0.0, 1e-9, says=f"{printed}, C.2")  # fmt: skip


def _on_circuit(name: str, problem: Attention) -> Line:
    few = first_tokens(problem, _CIRCUIT, 4.0)
    return circuit_line(few, circuit_path(few, np.linspace(0, few.time, 3)), name)
