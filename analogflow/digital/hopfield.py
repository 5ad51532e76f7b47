"""Hopfield networks on a digital machine: rests, the law of a noisy linear network, and couplings that are learned.

Rests are found by Euler's rule, by Newton's method and, with softmax, by the update that is attention; the law by Euler and
Maruyama's steps and in closed form.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve, sqrtm
from scipy.special import softmax

from analogflow.checks import is_positive, is_whole, refuse_faults, refuse_not_positive
from analogflow.digital.langevin import LawRun, averaged, check_step
from analogflow.errors import BadInput
from analogflow.problems import Hopfield

__all__ = [
    "Learning",
    "RestRun",
    "euler_rest",
    "network_euler_maruyama",
    "network_law",
    "newton_rest",
    "recall_and_learn",
    "update_rest",
]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class RestRun:
    """What was found.

    Parameters
    ----------
    state : array, shape (n + m,), read-only
        v, then h.
    rate : float
        Largest |v̇| or |ḣ| there, per τ.
    iterations : int
    converged : bool
        Whether `rate` is what was asked for.
    """

    state: Array
    rate: float
    iterations: int
    converged: bool


def euler_rest(problem: Hopfield, *, step: float = 0.5, rate: float = 1e-9, most: int = 100_000) -> RestRun:
    """Euler steps from the problem's start until no state moves by more than `rate` per τ.

    Parameters
    ----------
    problem : Hopfield
        Its temperature is not looked at.
    step : float
        In τ.
    rate : float
        At which to stop, per τ.
    most : int
        Steps allowed.

    Raises
    ------
    BadInput
        A number is not positive.
    """
    refuse_not_positive(finite=True, step=step, rate=rate, most=most)
    x, iterations = np.array(problem.start), 0
    while True:
        moving, _ = _rates(problem, x)
        speed = float(abs(moving).max())
        if not speed > rate or iterations >= most:
            return _run(x, speed, iterations, rate)
        x = x + step * moving
        iterations += 1


def newton_rest(problem: Hopfield, *, rate: float = 1e-9, most: int = 100) -> RestRun:
    """Newton's method on v̇ = ḣ = 0 from the problem's start; one step is enough for a linear network.

    Where a network has several rests, it may end at another than the flow does. Parameters and exceptions are those of
    `euler_rest`.
    """
    refuse_not_positive(finite=True, rate=rate, most=most)
    x, n, iterations = np.array(problem.start), problem.visible, 0
    while True:
        moving, (slopes_v, slopes_h) = _rates(problem, x)
        speed = float(abs(moving).max())
        if not speed > rate or iterations >= most:
            return _run(x, speed, iterations, rate)
        jacobian = -np.eye(problem.size)
        jacobian[:n, n:] = problem.U @ slopes_h
        jacobian[n:, :n] = problem.U.T @ slopes_v
        x = x - np.linalg.solve(jacobian, moving)
        iterations += 1


def update_rest(problem: Hopfield, *, rate: float = 1e-9, most: int = 10_000) -> RestRun:
    r"""The update :math:`v \leftarrow U \operatorname{softmax}(\beta U^\top G v) + I` of a softmax network from the start.

    It begins at the visible states of the start, and each step lowers the energy. Where a network has several rests, it may
    end at another than the flow does. Parameters and exceptions are those of `euler_rest`; `rate` is of v̇ with h at rest.

    Raises
    ------
    BadInput
        The activation is another.

    References
    ----------
    H. Ramsauer et al., Hopfield Networks is All You Need (2021), equation (3): attention of one query.
    """
    refuse_not_positive(finite=True, rate=rate, most=most)
    if problem.activation != "softmax":
        raise BadInput(f"the activation is {problem.activation!r}, and this is for 'softmax' alone.")
    v, iterations = problem.start[: problem.visible], 0
    while True:
        h = problem.U.T @ problem.gain_v @ v
        following = problem.U @ softmax(problem.gain_h @ h) + problem.I
        speed = float(abs(following - v).max())
        if not speed > rate or iterations >= most:
            return _run(np.concatenate([v, h]), speed, iterations, rate)
        v = following
        iterations += 1


def _rates(problem: Hopfield, x: Array) -> tuple[Array, tuple[Array, Array]]:
    """(v̇, ḣ), and the derivatives of g and of f."""
    v, h = x[: problem.visible], x[problem.visible :]
    g, f = problem.gain_v @ v, problem.gain_h @ h
    slopes = problem.gain_v, problem.gain_h
    if problem.activation == "tanh":
        g, f = np.tanh(g), np.tanh(f)
        slopes = slopes[0] * (1 - g * g)[:, None], slopes[1] * (1 - f * f)[:, None]
    if problem.activation == "softmax":
        f = np.asarray(softmax(f))
        slopes = slopes[0], (np.diag(f) - np.outer(f, f)) @ problem.gain_h
    return np.concatenate([problem.U @ f - v + problem.I, problem.U.T @ g - h]), slopes


def _run(x: Array, speed: float, iterations: int, rate: float) -> RestRun:
    x.setflags(write=False)
    return RestRun(x, speed, iterations, speed <= rate)


def network_euler_maruyama(
    problem: Hopfield, *, step: float, steps: int, skipped: int = 0, chains: int = 256, seed: int = 0
) -> LawRun:
    r"""Moments of :math:`x \leftarrow x + h\,b(x) + \sqrt{2Th}\,\xi`, ξ ~ N(0, K), b the rates.

    K is G⁻¹ for v and F⁻¹ for h. Activations are linear: with tanh noise grows as cosh, and steps run away.

    Parameters
    ----------
    problem : Hopfield, n + m states
        Linear, with a temperature above 0.
    step : float
        h in τ.
    steps, skipped : int
        Steps averaged over, and before that.
    chains : int
        Independent chains, computed together.
    seed : int

    Raises
    ------
    BadInput
        A number is out of range, the temperature is 0, the activations are not linear, or a chain ran away.

    References
    ----------
    P. E. Kloeden and E. Platen, Numerical Solution of Stochastic Differential Equations (1992), section 10.2.
    """
    check_step(problem, step)
    _check_linear(problem)
    rng, n = np.random.default_rng(seed), problem.visible
    gains = np.zeros((problem.size, problem.size))
    gains[:n, :n], gains[n:, n:] = problem.gain_v, problem.gain_h
    couplings = np.zeros_like(gains)
    couplings[:n, n:], couplings[n:, :n] = problem.U, problem.U.T
    inputs = np.concatenate([problem.I, np.zeros(problem.hidden)])
    root = math.sqrt(2 * problem.temperature * step) * np.real(np.asarray(sqrtm(np.linalg.inv(gains))))
    pull = gains @ couplings - np.eye(problem.size)

    def advance(x: Array) -> Array:
        return x + step * (x @ pull + inputs) + rng.standard_normal(x.shape) @ root

    return averaged(problem, advance, steps=steps, skipped=skipped, chains=chains)


def network_law(problem: Hopfield) -> LawRun:
    """Mean and covariance T H⁻¹ of a linear network, H its energy's Hessian: one factorisation.

    Raises
    ------
    BadInput
        The activations are not linear.
    """
    _check_linear(problem)
    cross = -problem.gain_v @ problem.U @ problem.gain_h
    hessian = np.block([[problem.gain_v, cross], [cross.T, problem.gain_h]])
    factor = cho_factor(hessian)
    pull = np.concatenate([problem.gain_v @ problem.I, np.zeros(problem.hidden)])
    return LawRun(cho_solve(factor, pull), problem.temperature * cho_solve(factor, np.eye(problem.size)), 0)


def _check_linear(problem: Hopfield) -> None:
    if problem.activation != "linear":
        raise BadInput(f"the activation is {problem.activation!r}, and this is for 'linear' alone.")


@dataclasses.dataclass(frozen=True, eq=False)
class Learning:
    """Course of learning.

    Parameters
    ----------
    couplings : array, shape (k + 1, n, m)
        U before every step, and after the last.
    norms : array, shape (k + 1,)
        Largest singular value of √G U √F: at 1 and above the energy of a linear network is no longer bounded below.
    saturating : bool
        Whether the network is a saturating one, whose energy is bounded whatever its couplings.
    """

    couplings: Array
    norms: Array
    saturating: bool = False

    @property
    def lost(self) -> int | None:
        """Step after which the energy was no longer bounded below; None if it always was."""
        above = np.flatnonzero((self.norms >= 1) & (not self.saturating))
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
    r"""Steps :math:`U \leftarrow U + \eta(\langle g f^\top\rangle_{data} - \langle g f^\top\rangle_{model})`.

    Parameters
    ----------
    network : Hopfield
        Linear or saturating, with a temperature above 0.
    data : array, shape (samples, n), or None
        Visible states to be learned. The first average is over them, with h from its law given v: its mean is Uᵀ g(v) in a
        linear network; of a saturating one ⟨f⟩ is a quadrature over each hidden unit alone. If None it is over the network's
        own law: what algorithm 14 and remark 17 print, to be used without a negative phase.
    steps : int
    rate : float
        η, positive.
    negative : bool
        Whether the second average, over the network's own law, is subtracted.
    recall : callable, optional
        Gives ⟨g fᵀ⟩ of a network's own law, shape (n, m): from a circuit, say. Of a linear network exact if not given; of a
        saturating one it must be: `analogflow.reference.correlation` is exact.

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
    saturating = network.activation == "tanh"
    if network.activation == "softmax" or network.temperature <= 0:
        faults.append(f"the network is {network!r}; give a linear or tanh one with a temperature above 0")
    elif saturating and recall is None:
        faults.append(
            "a tanh network has no closed form to recall; give recall=analogflow.reference.correlation, or a circuit's"
        )
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
        if seen is not None and saturating:
            given = _clamped(network, seen)
        else:
            given = own if moment is None else G @ moment @ G @ network.U @ F
        U = network.U + rate * (given - own if negative else given)
        couplings.append(U)
        norms.append(_norm(network, U))
        if norms[-1] >= 1 and not saturating:
            break
        network = network.with_couplings(U)
    return Learning(np.array(couplings), np.array(norms), saturating)


_REACH, _SPACING = 18.0, 0.05
"""The trapezoidal rule over x = F h is exponentially exact for a density that falls as e^{−2|x|}, √(F T) wide or more."""

_AT_ONCE = 1_000_000


def _clamped(network: Hopfield, seen: Array) -> Array:
    r"""⟨g fᵀ⟩ with v at the data: f of a unit has the density :math:`e^{(c f - \phi/F)/T}` in its field c = Uᵀ g.

    Here :math:`\phi = x \tanh x - \ln\cosh x` with f = tanh x.
    """
    g = np.tanh(seen @ network.gain_v)
    total = np.zeros(network.U.shape)
    for k, gain in enumerate(np.diag(network.gain_h)):
        count = math.ceil(_REACH / min(_SPACING, 0.4 * math.sqrt(gain * network.temperature)))
        x = np.linspace(-_REACH, _REACH, 2 * count + 1)
        f, log_cosh = np.tanh(x), np.logaddexp(x, -x) - np.log(2)
        for rows in np.array_split(g, math.ceil(len(g) * len(x) / _AT_ONCE)):
            fields = rows @ network.U[:, k]
            exponents = (fields[:, None] * f - (x * f - log_cosh) / gain) / network.temperature - 2 * log_cosh
            weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))
            total[:, k] += rows.T @ (weights @ f / weights.sum(axis=1))
    return total / len(g)


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
