"""How the capacity flow approaches its answer, and the one channel whose path is a formula.

The types of the inputs, the linearisation and the rates are known for every channel; of the noiseless one the flow itself
has an explicit solution. It says nothing about circuits; their time constants multiply these rates.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax

from analogflow.errors import BadInput
from analogflow.problems import Channel
from analogflow.reference.capacity import CapacityReference, capacity_reference
from analogflow.reference.capacity_search import divergences, negative_entropies

__all__ = [
    "Convergence",
    "InputTypes",
    "capacity_convergence",
    "input_types",
    "noiseless_distance",
    "noiseless_solution",
]


@dataclasses.dataclass(frozen=True, eq=False)
class InputTypes:
    """Part each input plays at the optimum.

    Parameters
    ----------
    types : tuple of str, length n
        "I": z_i > 0. "II": z_i = 0 although D(p_i‖q) = C. "III": z_i = 0 and D(p_i‖q) < C. "unavailable": not in use.
    mu : array, shape (n,), read-only
        C − D(p_i‖q), nats, for type III, where it is the rate at which z_i dies out; 0 for types I and II, NaN for
        unavailable inputs.
    tolerance : float
        Above it z_i counts as positive, and C − D(p_i‖q) as positive.
    """

    types: tuple[str, ...]
    mu: NDArray[np.float64]
    tolerance: float


@dataclasses.dataclass(frozen=True, eq=False)
class Convergence:
    """Linearisation of the capacity flow, and of the Blahut-Arimoto map, at their answer.

    Parameters
    ----------
    inputs : InputTypes
    matrix : array, shape (a, a), read-only
        Matrix M over the a available inputs, in their order: dz/dt = M (z − z*) to first order where Σ(z − z*) = 0.
    eigenvalues : array, shape (a − 1,), read-only
        Eigenvalues of M on that subspace, descending; rates per time constant.
    blahut_arimoto_factor : float
        Factor by which a Blahut-Arimoto step shrinks a small error; 1 where it shrinks only algebraically.
    """

    inputs: InputTypes
    matrix: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    blahut_arimoto_factor: float

    @property
    def lambda_max(self) -> float:
        """Largest eigenvalue: the error falls as exp(λ_max t). 0 if it falls algebraically or several answers exist."""
        return float(self.eigenvalues[0])


def input_types(
    channel: Channel, reference: CapacityReference | None = None, *, tolerance: float | None = None
) -> InputTypes:
    """Sort the inputs of `channel` into types I, II and III at the optimum.

    Parameters
    ----------
    channel : Channel, n inputs
    reference : CapacityReference, optional
        Its optimum; computed if not given.
    tolerance : float, optional
        Above it z_i, or C − D(p_i‖q) in nats, counts as positive. 10 √gap if not given, and at least 1e-6.

    Notes
    -----
    Since Σ z_i (max D − D_i) is the certified gap, no input can have both numbers above √gap: the default tolerance makes
    the three types exclude each other. An input whose true z_i or C − D_i lies below the tolerance counts as type II.

    References
    ----------
    Beretta and Pelillo, Entropy 27(4):362, 2025, section 6.1.
    """
    channel.refuse_cost("input_types")
    reference = reference or capacity_reference(channel)
    if tolerance is None:
        tolerance = 10 * math.sqrt(max(reference.gap, 1e-14))
    z = reference.input_distribution[channel.available]
    D, _ = _at(channel, z)
    slack = reference.capacity_nats - D
    kinds = np.where(z > tolerance, "I", np.where(slack > tolerance, "III", "II"))
    types = np.full(channel.inputs, "unavailable")
    mu = np.full(channel.inputs, np.nan)
    types[channel.available] = kinds
    mu[channel.available] = np.where(kinds == "III", slack, 0)
    mu.setflags(write=False)
    return InputTypes(tuple(types.tolist()), mu, tolerance)


def capacity_convergence(channel: Channel, reference: CapacityReference | None = None) -> Convergence:
    r"""Rates at which the capacity flow settles.

    .. math:: M_{ik} = z_i (H_{ik} + \mu_k) - \delta_{ik} \mu_i, \quad H = -P \operatorname{diag}(1/q) P^\top

    Parameters
    ----------
    channel : Channel
    reference : CapacityReference, optional
        Its optimum; computed if not given.

    Notes
    -----
    Only distributions matter, so the eigenvalue −1 that M has for the direction z* itself is left out; so is the rate at
    which a flow leaves or regains the simplex, which depends on its form, not on the channel. Each of type II contributes
    an eigenvalue 0: its weight falls like 1/t. The eigenvalues of the type I block are minus the squared singular values
    of diag(√z) P diag(1/√q), hence real.

    References
    ----------
    Beretta and Pelillo, Entropy 27(4):362, 2025: theorem 4 (M), theorem 5 (λ_max) and theorem 6 (Blahut-Arimoto).
    """
    channel.refuse_cost("capacity_convergence")
    reference = reference or capacity_reference(channel)
    inputs = input_types(channel, reference)
    available = channel.available
    W = channel.transition[available]
    kinds = np.array(inputs.types)[available]
    mu = inputs.mu[available]
    first = kinds == "I"
    z = np.where(first, reference.input_distribution[available], 0)
    z /= z.sum()
    _, q = _at(channel, z)
    scaled = W / np.sqrt(q)
    matrix = z[:, None] * (mu - scaled @ scaled.T) - np.diag(mu)
    balanced = np.sqrt(z[first])[:, None] * scaled[first]
    # Ascending, and the last is the 1 that belongs to z* itself.
    correlations = np.clip(np.linalg.eigvalsh(balanced @ balanced.T)[:-1], 0, 1)
    second = np.zeros(np.count_nonzero(kinds == "II"))
    eigenvalues = np.array(-np.sort(np.concatenate([correlations, mu[kinds == "III"], second])), dtype=np.float64)
    factors = np.concatenate([1 - correlations, np.exp(-mu[kinds == "III"]), 1 + second])
    matrix.setflags(write=False)
    eigenvalues.setflags(write=False)
    return Convergence(inputs, matrix, eigenvalues, float(factors.max()))


def _at(channel: Channel, z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Divergences of the available inputs and output distribution at the weights `z` of the available inputs."""
    W = channel.transition[channel.available]
    return divergences(W, negative_entropies(W), z)


def noiseless_solution(start: ArrayLike, time: ArrayLike) -> NDArray[np.float64]:
    r"""Where the capacity flow of the noiseless channel is at given times.

    .. math:: z(t) = \operatorname{softmax}(e^{-t} \ln y)

    Parameters
    ----------
    start : array, shape (n,)
        Starting distribution y, all entries positive.
    time : array of any shape
        Times in units of τ.

    Returns
    -------
    array, shape (*time.shape, n)

    Raises
    ------
    BadInput
        An entry of `start` is not positive.

    References
    ----------
    Beretta and Pelillo, Entropy 27(4):362, 2025, proof of theorem 7.
    """
    decay = np.exp(-np.asarray(time, dtype=float))
    return np.exp(log_softmax(decay[..., None] * _logarithms(start), axis=-1))


def noiseless_distance(start: ArrayLike, time: ArrayLike) -> NDArray[np.float64]:
    r"""Asymptote of the Euclidean distance of that flow from the uniform distribution b as t grows.

    .. math:: \|z(t) - b\| \sim e^{-t} \sqrt{\mathrm{MSQ}(\ln y_1, \dots, \ln y_n) / n}

    MSQ is the mean squared deviation from the mean.

    Parameters
    ----------
    start : array, shape (n,)
        Starting distribution y, all entries positive.
    time : array of any shape
        Times in units of τ.

    Raises
    ------
    BadInput
        An entry of `start` is not positive.

    References
    ----------
    Beretta and Pelillo, Entropy 27(4):362, 2025, theorem 7.
    """
    logarithms = _logarithms(start)
    return np.exp(-np.asarray(time, dtype=float)) * math.sqrt(logarithms.var() / logarithms.size)


def _logarithms(start: ArrayLike) -> NDArray[np.float64]:
    y = np.asarray(start, dtype=float)
    if y.ndim != 1 or y.size < 2 or not (np.isfinite(y).all() and (y > 0).all()):
        raise BadInput(f"start is {y.tolist()!r}; give at least two positive numbers, since an input at 0 stays there.")
    return np.log(y / y.sum())
