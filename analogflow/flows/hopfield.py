"""Continuous Hopfield networks: two layers that relax into the valleys of an energy, and with noise into its stationary law.

The network is that of D. Krotov and J. Hopfield (2020); the noise follows theorem 16 of notes on relaxation, corrected.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from analogflow.checks import refuse_unknown
from analogflow.flows.flow import Averaging, Flow
from analogflow.graph import softmax, white_noise
from analogflow.problems import Hopfield

__all__ = ["FORMS", "INDEPENDENT", "hopfield", "noise_rate"]

FORMS: tuple[str, ...] = ("relaxation",)
"""Forms of the flow, the default first."""

INDEPENDENT = 600.0
"""Length of a run with noise, in relaxation times of the slowest state: about as many independent squares of it."""

_LONGEST, _SATURATING = 3000.0, 600.0
"""Length of a run with noise in τ, at most, and where the activations are tanh."""

_FORGOTTEN = 12.0
"""Relaxation times skipped at the start: it is forgotten to e^-12."""

_STARTS, _WIDE = 63, 2.0
"""Starts of chains, and widths of a law by which they are spread."""

_KNOTS, _SHARP_KNOTS = 0.05, 0.04
"""Distance of the noise's knots in τ. Where the noise is multiplied by cosh, rates are large in the tails."""


def linear(v: Any, h: Any, U: np.ndarray, I: np.ndarray, G: np.ndarray, F: np.ndarray) -> tuple[Any, Any]:  # noqa: E741
    """v̇ = U F h − v + I, ḣ = Uᵀ G v − h."""
    return (U @ F) @ h - v + I, (U.T @ G) @ v - h


def saturating(v: Any, h: Any, U: np.ndarray, I: np.ndarray, G: np.ndarray, F: np.ndarray) -> tuple[Any, Any]:  # noqa: E741
    """v̇ = U tanh(F h) − v + I, ḣ = Uᵀ tanh(G v) − h, with diagonal G and F."""
    return U @ np.tanh(np.diag(F) * h) - v + I, U.T @ np.tanh(np.diag(G) * v) - h


def dense(v: Any, h: Any, U: np.ndarray, I: np.ndarray, G: np.ndarray, F: np.ndarray) -> tuple[Any, Any]:  # noqa: E741
    """v̇ = U softmax(β h) − v + I, ḣ = Uᵀ G v − h, with F a multiple β of 1."""
    return U @ softmax(F[0, 0] * h) - v + I, (U.T @ G) @ v - h


def noisy_linear(v: Any, h: Any, temperature: float, **constants: Any) -> tuple[Any, Any]:
    """The linear rates with noises of covariance 2T G⁻¹ and 2T F⁻¹: they stand for K_v and K_h, the rates do not."""
    rates = linear(v, h, **constants)
    return (
        rates[0] + _spread(v, constants["G"], temperature),
        rates[1] + _spread(h, constants["F"], temperature),
    )


def _spread(x: Any, gain: np.ndarray, temperature: float) -> Any:
    """Noise of covariance 2T gain⁻¹: a crossbar of independent sources, or those alone where the gain is diagonal."""
    if not np.count_nonzero(gain - np.diag(np.diag(gain))):
        return white_noise(x, np.sqrt(2 * temperature / np.diag(gain)))
    values, vectors = np.linalg.eigh(gain)
    return ((vectors * np.sqrt(2 * temperature / values)) @ vectors.T) @ white_noise(x)


def noisy_saturating(v: Any, h: Any, temperature: float, **constants: Any) -> tuple[Any, Any]:
    """The saturating rates with noise √(2T K) ξ, K = cosh²(G v)/G, and Itô's correction −T sinh(G v) cosh(G v)."""
    rates = saturating(v, h, **constants)
    return (
        rates[0] + _heated(v, np.diag(constants["G"]), temperature),
        rates[1] + _heated(h, np.diag(constants["F"]), temperature),
    )


def _heated(x: Any, gain: np.ndarray, temperature: float) -> Any:
    rising, falling = np.exp(gain * x), np.exp(-gain * x)
    cosh, sinh = 0.5 * (rising + falling), 0.5 * (rising - falling)
    return cosh * (white_noise(x, np.sqrt(2 * temperature / gain)) - temperature * sinh)


_EQUATIONS = {
    ("linear", False): "dv/dt = U F h - v + I;  dh/dt = U^T G v - h",
    ("tanh", False): "dv/dt = U tanh(F h) - v + I;  dh/dt = U^T tanh(G v) - h",
    ("softmax", False): "dv/dt = U softmax(beta h) - v + I;  dh/dt = U^T G v - h",
    ("linear", True): "dv = (U F h - v + I) dt + (2T/G)^1/2 dW;  dh = (U^T G v - h) dt + (2T/F)^1/2 dW",
    ("tanh", True): (
        "dv = (U tanh(F h) - v + I) dt + (2T/G)^1/2 cosh(G v) dW (Ito);"
        "dh = (U^T tanh(G v) - h) dt + (2T/F)^1/2 cosh(F h) dW (Ito)"
    ),
}


def hopfield(problem: Hopfield, *, form: str = "relaxation") -> Flow:
    r"""Flow that goes down the energy of a Hopfield network, and at a temperature above 0 samples its stationary law.

    .. math:: dv = (U f(h) - v + I)\,dt + \sqrt{2T}\,dW_v, \quad dh = (U^\top g(v) - h)\,dt + \sqrt{2T}\,dW_h, \quad
              dW \sim N(0, K\,dt)

    with :math:`K_v = (\partial^2 L_v)^{-1}`, :math:`K_h = (\partial^2 L_h)^{-1}`, in Itô's reading.

    Parameters
    ----------
    problem : Hopfield, n visible and m hidden states
    form : {"relaxation"}

    Returns
    -------
    Flow
        States "v", shape (n,), and "h", shape (m,). Observables "energy" E(v, h) and, at temperature 0, "descent":
        −v̇ᵀ ∂²L_v v̇ − ḣᵀ ∂²L_h ḣ, which dE/dt is; of a problem with memories ξ also "overlap" ξ·g(v)/ξ·ξ with each. Time
        in units of τ.

    Raises
    ------
    BadInput
        `form` is not known.

    Notes
    -----
    The noise stands for K, the drift does not: K ∂²L cancels in −K ∂E, so that the mobility in front of the drift that
    theorem 16 prints is wrong. With linear activations the law is that of the density e^{−E/T} in (v, h): Gaussian, with the
    covariance T H⁻¹ of the energy's Hessian H.

    With g = tanh(G v) that density can not be normalised: E tends to a constant far out. The drift T div K that belongs to
    it, T sinh(2 G v), carries the state away in finite time. Without that term the law is e^{−E/T} dg df: the density
    e^{−E/T} in the activations, which are bounded. This is what the flow samples. The noise is linear between its knots, so
    that Itô's correction −T sinh(G v) cosh(G v) is part of the equations; it keeps the state from the tails.

    References
    ----------
    D. Krotov and J. Hopfield, Large Associative Memory Problem in Neurobiology and Machine Learning, 2020. Relaxation (notes
    without author): definition 15; theorem 16, corrected.
    """
    refuse_unknown(form, FORMS, "form", "the hopfield flow")
    noisy = problem.temperature > 0
    constants: dict[str, Any] = {"U": problem.U, "I": problem.I, "G": problem.gain_v, "F": problem.gain_h}
    observables: dict[str, Callable[..., Any]] = {"energy": _ENERGIES[problem.activation]}
    if (memories := problem.memories) is not None:
        scaled = memories / (memories**2).sum(axis=1)[:, None]
        observables["overlap"] = _overlap(scaled, saturating=problem.activation == "tanh")
    if noisy:
        constants["temperature"] = problem.temperature
    else:
        observables["descent"] = _DESCENTS[problem.activation]
    return Flow(
        _FUNCTIONS[problem.activation, noisy],
        {"v": problem.start[: problem.visible], "h": problem.start[problem.visible :]},
        (),
        constants,
        observables,
        rests=("v", "h"),
        family="hopfield",
        form=form,
        equations=_EQUATIONS[problem.activation, noisy],
        problem=problem,
        averaging=_averaging(problem) if noisy else None,
    )


def _overlap(scaled: np.ndarray, *, saturating: bool) -> Callable[..., Any]:
    """Overlap of g(v) with memories: a crossbar beside the loop."""

    def overlap(v: Any, h: Any, G: np.ndarray, **rest: Any) -> Any:
        return scaled @ np.tanh(np.diag(G) * v) if saturating else (scaled @ G) @ v

    return overlap


def _averaging(problem: Hopfield) -> Averaging:
    """Linear rates are 1 ± σ with the singular values σ of √G U √F; those of tanh are not known beforehand."""
    starts = tuple(map(tuple, _starts(problem).tolist()))
    if problem.activation == "tanh":
        return Averaging(_SATURATING, 2 * _FORGOTTEN, _SHARP_KNOTS / noise_rate(problem), starts)
    slowest = 1 - problem.norm
    # The colder, the smaller what is left of the start must be beside the fluctuations.
    away = float(abs(problem.I).max() + abs(problem.start).max()) / slowest
    forgotten = _FORGOTTEN + max(0.0, float(np.log(max(away, 1e-300)) - 0.5 * np.log(problem.temperature)))
    time = min((INDEPENDENT + forgotten) / slowest, _LONGEST)
    return Averaging(time, min(forgotten / slowest, 0.2 * time), _KNOTS, starts)


def noise_rate(problem: Hopfield) -> float:
    """Rate in 1/τ at which a tanh network loses what it was: by its decay, or by noise that takes it through its range.

    A state's noise is √(2T/G) cosh(G v), so that G v spreads by 2TG in one τ before it meets a saturation.
    """
    return max(1.0, problem.temperature * float(max(np.diag(problem.gain_v).max(), np.diag(problem.gain_h).max())))


def _starts(problem: Hopfield) -> np.ndarray:
    """Where chains begin: farther apart than the law is wide, or at corners of the box that holds all rests of tanh."""
    rng, (n, m), U = np.random.default_rng(0), problem.U.shape, problem.U
    if problem.activation == "tanh":
        g, f = rng.choice([-1.0, 1.0], size=(_STARTS, n)), rng.choice([-1.0, 1.0], size=(_STARTS, m))
        return np.concatenate([problem.I + f @ U.T, g @ U], axis=1)
    G, F = problem.gain_v, problem.gain_h
    hessian = np.block([[G, -G @ U @ F], [-F @ U.T @ G, F]])
    mean = np.linalg.solve(hessian, np.concatenate([G @ problem.I, np.zeros(m)]))
    widths = np.linalg.cholesky(problem.temperature * np.linalg.inv(hessian))
    return mean + _WIDE * rng.normal(size=(_STARTS, n + m)) @ widths.T


def _linear_energy(v: Any, h: Any, U: np.ndarray, I: np.ndarray, G: np.ndarray, F: np.ndarray, **rest: Any) -> Any:  # noqa: E741
    """½ vᵀG v − Iᵀ G v + ½ hᵀF h − vᵀG U F h."""
    return v @ ((0.5 * G) @ v - (G @ U @ F) @ h) - (G @ I) @ v + h @ ((0.5 * F) @ h)


def _log_cosh(x: Any) -> Any:
    """|x| + ln(1 + e^{−2|x|}) − ln 2, finite wherever x goes."""
    size = np.maximum(x, 0.0) + np.maximum(-x, 0.0)
    return size + np.log(1.0 + np.exp(-2.0 * size)) - np.log(2.0)


def _saturating_energy(v: Any, h: Any, U: np.ndarray, I: np.ndarray, G: np.ndarray, F: np.ndarray, **rest: Any) -> Any:  # noqa: E741
    """(v − I)·g − Σ ln cosh(G v)/G + h·f − Σ ln cosh(F h)/F − gᵀ U f."""
    gains = np.diag(G), np.diag(F)
    g, f = np.tanh(gains[0] * v), np.tanh(gains[1] * h)
    potentials = (1 / gains[0]) @ _log_cosh(gains[0] * v) + (1 / gains[1]) @ _log_cosh(gains[1] * h)
    return g @ (v - I - U @ f) + h @ f - potentials


def _linear_descent(v: Any, h: Any, G: np.ndarray, F: np.ndarray, **constants: Any) -> Any:
    v_rate, h_rate = linear(v, h, G=G, F=F, **constants)
    return -(v_rate @ (G @ v_rate)) - h_rate @ (F @ h_rate)


def _saturating_descent(v: Any, h: Any, G: np.ndarray, F: np.ndarray, **constants: Any) -> Any:
    """∂²L_v is G (1 − g²)."""
    v_rate, h_rate = saturating(v, h, G=G, F=F, **constants)
    g, f = np.tanh(np.diag(G) * v), np.tanh(np.diag(F) * h)
    return -((1.0 - g * g) * np.diag(G)) @ (v_rate * v_rate) - ((1.0 - f * f) * np.diag(F)) @ (h_rate * h_rate)


def _dense_energy(v: Any, h: Any, U: np.ndarray, I: np.ndarray, G: np.ndarray, F: np.ndarray, **rest: Any) -> Any:  # noqa: E741
    """½ vᵀG v − Iᵀ G v + h·f − ln Σ exp(β h)/β − (G v)ᵀ U f.

    The two terms of h are −ln Σ exp(β (h − h·f))/β, whose exponents never exceed the logarithm of their number.
    """
    beta = float(F[0, 0])
    f = softmax(beta * h)
    spread = (1 / beta) * np.log(np.exp(beta * (h - h @ f)).sum())
    return v @ ((0.5 * G) @ v - (G @ U) @ f) - (G @ I) @ v - spread


def _dense_descent(v: Any, h: Any, G: np.ndarray, F: np.ndarray, **constants: Any) -> Any:
    """−v̇ᵀ G v̇ − β (Σ f ḣ² − (f·ḣ)²): ∂²L_h is the covariance β (diag f − f fᵀ)."""
    v_rate, h_rate = dense(v, h, G=G, F=F, **constants)
    f = softmax(float(F[0, 0]) * h)
    away = h_rate - f @ h_rate
    return -(v_rate @ (G @ v_rate)) - float(F[0, 0]) * (f @ (away * away))


_FUNCTIONS: dict[tuple[str, bool], Callable[..., Any]] = {
    ("linear", False): linear,
    ("tanh", False): saturating,
    ("softmax", False): dense,
    ("linear", True): noisy_linear,
    ("tanh", True): noisy_saturating,
}
_ENERGIES = {"linear": _linear_energy, "tanh": _saturating_energy, "softmax": _dense_energy}
_DESCENTS = {"linear": _linear_descent, "tanh": _saturating_descent, "softmax": _dense_descent}
