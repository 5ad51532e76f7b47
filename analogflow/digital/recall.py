"""Recall and learn: the couplings of a Hopfield network are moved until its stationary law is that of given data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import is_positive, is_whole, refuse_faults
from analogflow.problems import Hopfield

__all__ = ["Learning", "recall_and_learn"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Learning:
    """Course of learning.

    Parameters
    ----------
    couplings : array, shape (k + 1, n, m)
        U before every step, and after the last.
    norms : array, shape (k + 1,)
        Largest singular value of √G U √F: at 1 and above the energy is no longer bounded below.
    """

    couplings: Array
    norms: Array

    @property
    def lost(self) -> int | None:
        """Step after which the energy was no longer bounded below; None if it always was."""
        above = np.flatnonzero(self.norms >= 1)
        return int(above[0]) if len(above) else None


def recall_and_learn(
    network: Hopfield,
    data: ArrayLike | None,
    *,
    steps: int,
    rate: float,
    negative: bool = True,
    recall: Callable[[Hopfield], ArrayLike] | None = None,
) -> Learning:
    r"""Steps :math:`U \leftarrow U + \eta(\langle g f^\top\rangle_{data} - \langle g f^\top\rangle_{model})`, linear.

    Parameters
    ----------
    network : Hopfield
        Linear, with a temperature above 0.
    data : array, shape (samples, n), or None
        Visible states to be learned. The first average is over them, with h from its law given v, whose mean is Uᵀ g(v). If
        None it is over the network's own law: what algorithm 14 and remark 17 print, to be used without a negative phase.
    steps : int
    rate : float
        η, positive.
    negative : bool
        Whether the second average, over the network's own law, is subtracted.
    recall : callable, optional
        Gives ⟨g fᵀ⟩ of a network's own law, shape (n, m): from a circuit, say. Exact if not given.

    Returns
    -------
    Learning
        It ends early where the energy is no longer bounded below: there is no law to learn from.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.

    Notes
    -----
    −T ln Z falls along −⟨∂E/∂U⟩ = ⟨g fᵀ⟩ of the network's own law without an end: nothing but what the network recalls moves
    U, and U only makes that larger. The gradient of the data's likelihood is the difference of both averages over T; it
    vanishes where both agree.

    References
    ----------
    Relaxation: algorithm 14 and remark 17, to which the negative phase is added. D. H. Ackley, G. E. Hinton and T. J.
    Sejnowski, Cognitive Science 9 (1985) 147: both phases.
    """
    faults: list[str] = []
    if network.activation != "linear" or network.temperature <= 0:
        faults.append(f"the network is {network!r}; give a linear one with a temperature above 0")
    seen = None if data is None else np.asarray(data, dtype=float)
    if seen is not None and (seen.ndim != 2 or seen.shape[1] != network.visible or not np.isfinite(seen).all()):
        faults.append(f"the data have shape {seen.shape}; give rows of {network.visible} finite numbers")
    if seen is None and negative:
        faults.append("without data both averages are over one law and cancel; give data, or negative=False")
    if not is_whole(steps, 1):
        faults.append(f"steps is {steps!r}; give a whole number from 1")
    if not is_positive(rate, finite=False):
        faults.append(f"rate is {rate!r}; give a positive number")
    refuse_faults("recall_and_learn", faults)
    recall = _recalled if recall is None else recall
    moment = None if seen is None else seen.T @ seen / len(seen)
    couplings, norms = [np.array(network.U)], [network.norm]
    for _ in range(steps):
        own = np.asarray(recall(network)) if negative or moment is None else 0.0
        G, F = network.gain_v, network.gain_h
        given = own if moment is None else G @ moment @ G @ network.U @ F
        U = network.U + rate * (given - own if negative else given)
        couplings.append(U)
        norms.append(_norm(network, U))
        if norms[-1] >= 1:
            break
        network = network.with_couplings(U)
    return Learning(np.array(couplings), np.array(norms))


def _norm(network: Hopfield, U: Array) -> float:
    """Largest singular value of √G U √F, by the eigenvalues of Uᵀ G U F."""
    return float(np.sqrt(max(np.linalg.eigvals(U.T @ network.gain_v @ U @ network.gain_h).real.max(), 0.0)))


def _recalled(network: Hopfield) -> Array:
    """⟨g fᵀ⟩ = G ⟨v hᵀ⟩ F, from the Gaussian law: covariance T H⁻¹ and the mean at which the rates vanish."""
    U, G, F = network.U, network.gain_v, network.gain_h
    # v has the precision (G − G U F Uᵀ G)/T once h is summed out, and h given v has the mean Uᵀ G v.
    spread = network.temperature * np.linalg.inv(G - G @ U @ F @ U.T @ G)
    mean = np.linalg.solve(np.eye(network.visible) - U @ F @ U.T @ G, network.I)
    return G @ (spread + np.outer(mean, mean)) @ G @ U @ F
