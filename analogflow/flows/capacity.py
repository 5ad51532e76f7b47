"""The capacity-computing flow of a discrete memoryless channel, in four forms.

G. Beretta and M. Pelillo, Vector Flows That Compute the Capacity of Discrete Memoryless Channels, Entropy 27 (2025) 362.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy

from analogflow.checks import refuse_unknown
from analogflow.errors import BadInput
from analogflow.flows.flow import Flow
from analogflow.flows.invariants import CommonMode, Invariant, Simplex
from analogflow.graph import log, normalise, softmax
from analogflow.problems import Channel

__all__ = ["FORMS", "capacity"]


def divergences(z: Any, P: np.ndarray) -> Any:
    """D(P_i‖q) of each input from the output distribution q = Pᵀz, nats, shape (n,) (paper's w_i, equation 16)."""
    q = P.T @ z
    return xlogy(P, P).sum(1) - P @ log(q)


def replicator(z: Any, P: np.ndarray, gauge: Any) -> Any:
    """ż_i = z_i (w_i + a) − z_i Σ_k z_k (w_k + a); on the simplex the gauge a cancels, off it it decides who wins."""
    fitness = z * (divergences(z, P) + gauge)
    return fitness - z * fitness.sum()


def normalised(z: Any, P: np.ndarray) -> Any:
    """ż_i = ẑ_i (w_i(ẑ) − Σ_k ẑ_k w_k(ẑ)) with ẑ = z⁺/Σz⁺: the paper's Figure 2."""
    share = normalise(z)
    fitness = share * divergences(share, P)
    return fitness - share * fitness.sum()


def logdomain(u: Any, P: np.ndarray) -> Any:
    """u̇_i = w_i − Σ_k z_k w_k with z = softmax(u): the same orbits, which can not leave the simplex."""
    z = softmax(u)
    w = divergences(z, P)
    return w - z @ w


def accelerated(u: Any, P: np.ndarray) -> Any:
    """u̇ = s (w − Σ_k z_k w_k) with the speed s = ‖ż‖²_z/‖q̇‖²_q ≥ 1, limited: the step Matz and Duhamel take, at all times.

    Both norms are Fisher's, Σ ż²/z and Σ q̇²/q; that of the output is the smaller by data processing.
    """
    z = softmax(u)
    w = divergences(z, P)
    excess = w - z @ w
    moved = z * excess
    shifted = P.T @ moved
    speed = (excess @ moved + _REST) / ((shifted * shifted / (P.T @ z)).sum() + excess @ moved / _FASTEST + _REST)
    return speed * excess


def logdomain_with_costs(u: Any, price: Any, P: np.ndarray, cost: np.ndarray, limit: np.ndarray) -> Any:
    """The same with a price for each of several costs, one row each."""
    z = softmax(u)
    w = divergences(z, P) - cost.T @ np.maximum(price, 0)
    return w - z @ w, cost @ z - limit + np.maximum(-price, 0)


def logdomain_with_cost(u: Any, price: Any, P: np.ndarray, cost: np.ndarray, limit: float) -> Any:
    """The log-domain flow of w_i − s e_i, with a price s = max(r, 0), ṙ = Σ z e − E + max(−r, 0) (Blahut's constraint)."""
    z = softmax(u)
    w = divergences(z, P) - np.maximum(price, 0) * cost
    return w - z @ w, z @ cost - limit + np.maximum(-price, 0)


_REST, _FASTEST = 1e-9, 10.0
"""Below a squared speed of the first, and above the second, the accelerated form does not speed up."""

_EQUATIONS = {
    "accelerated": "du_i/dt = s (w_i - sum_k z_k w_k), z = softmax(u), s = |dz/dt|^2/|dq/dt|^2 (Fisher), at most 10",
    "with cost": "du_i/dt = w_i - s e_i - sum_k z_k (w_k - s e_k), s = max(r, 0), dr/dt = sum_k z_k e_k - E + max(-r, 0)",
    "with costs": "du_i/dt = w_i - c_i - sum_k z_k (w_k - c_k), c_i = sum_l s_l e_li, s_l = max(r_l, 0), "
    "dr_l/dt = sum_k z_k e_lk - E_l + max(-r_l, 0)",
    "printed": "dz_i/dt = z_i (w_i - 1) - z_i sum_k z_k (w_k - 1)",
    "replicator": "dz_i/dt = z_i (w_i + a) - z_i sum_k z_k (w_k + a)",
    "normalised": "dz_i/dt = s_i w_i(s) - s_i sum_k s_k w_k(s), s = max(z, 0)/sum max(z, 0)",
    "logdomain": "du_i/dt = w_i - sum_k z_k w_k, z = softmax(u)",
}
_DIVERGENCE_TEXT = "w_i = sum_j p_ij ln(p_ij/q_j), q_j = sum_i p_ij z_i"

FORMS: tuple[str, ...] = ("logdomain", "accelerated", "replicator", "normalised", "printed")
"""Forms of the flow, the default first."""


def capacity(channel: Channel, *, form: str = "logdomain") -> Flow:
    r"""Flow whose state settles at a capacity-achieving input distribution.

    .. math:: \dot u_i = w_i - \sum_k z_k w_k, \quad z = \operatorname{softmax}(u), \quad w_i = \sum_j p_{ij} \ln(p_{ij}/q_j)

    Parameters
    ----------
    channel : Channel, n inputs, m outputs
    form : {"logdomain", "accelerated", "replicator", "normalised", "printed"}
        "logdomain" can not leave the simplex; "accelerated" is the same with a speed that adapts; "replicator" is the
        paper's equation (7) with a gauge a = ½ that makes the simplex attract; "normalised" is the paper's Figure 2;
        "printed" is its Figure 1, whose simplex repels.

    Returns
    -------
    Flow
        State "u" (nats) or "z", shape (n,), of all inputs in the forms "replicator" and "printed" and of the available ones
        in the others; observables "z" (input distribution) and "capacity_nats" (mutual information at z). For a channel with
        k costs also the state "price", shape (k,), and the observable "mean_cost". Time in units of τ.

    Raises
    ------
    BadInput
        `form` is not one of these, or is not "logdomain" though the channel has a cost.

    Notes
    -----
    Unavailable inputs start at z_i = 0 and stay there in the replicator forms; in the others their branch is left out.
    Off the simplex σ = Σz obeys σ' = (1 − σ)σ(I(z/σ) − ln σ + a): a = −1, the printed circuit, repels at rate 1 − I when
    I < 1 nat.

    References
    ----------
    Beretta and Pelillo 2025: equation (7), Proposition 1 and Figures 1 and 2.
    """
    refuse_unknown(form, FORMS, "form", "the capacity flow")
    if channel.cost is not None and form != "logdomain":
        raise BadInput(
            f"form {form!r} of the capacity flow knows no cost; take the form 'logdomain', or leave the cost out."
        )
    # A restoring term would give the unavailable inputs of the normalised form weight, and a logarithm has none of 0.
    reduced = channel if form in ("replicator", "printed") else channel.reduced()
    P, start = reduced.transition, reduced.start()
    keeps: tuple[Invariant, ...] = (Simplex("z"),)
    states: dict[str, np.ndarray] = {"z": start}
    constants: dict[str, Any] = {"P": P}
    observables: dict[str, Callable[..., Any]] = {"capacity_nats": _information_of_state}
    function: Callable[..., Any] = replicator
    if channel.cost is not None:
        return _with_cost(channel, reduced)
    if form in ("logdomain", "accelerated"):
        function, states, keeps = _LOGARITHMIC[form], {"u": CommonMode("u").project(np.log(start))}, (CommonMode("u"),)
        observables = {"z": _shares, "capacity_nats": _information_of_shares}
    elif form == "normalised":
        function, observables = normalised, {"capacity_nats": _information_of_normalised}
    else:
        constants["gauge"] = -1.0 if form == "printed" else 0.5
    return Flow(
        function,
        states,
        keeps,
        constants,
        observables,
        answer="z",
        size=1.0,
        scale=1.0,
        gauge="gauge" if "gauge" in constants else "",
        mend=form != "printed",
        family="capacity",
        form=form,
        equations=f"{_EQUATIONS[form]};  {_DIVERGENCE_TEXT}",
        problem=channel,
    )


_LOGARITHMIC = {"logdomain": logdomain, "accelerated": accelerated}


def _with_cost(channel: Channel, reduced: Channel) -> Flow:
    several = reduced.costs.shape[0] > 1
    constants = {"P": reduced.transition, "cost": reduced.cost, "limit": reduced.cost_limit}
    if not several:
        constants |= {"cost": reduced.costs[0], "limit": float(reduced.cost_limits[0])}
    return Flow(
        logdomain_with_costs if several else logdomain_with_cost,
        {"u": CommonMode("u").project(np.log(reduced.start())), "price": np.zeros(len(reduced.costs))},
        (CommonMode("u"),),
        constants,
        {
            "z": lambda u, price, **_: softmax(u),
            "capacity_nats": lambda u, price, P, **_: softmax(u) @ divergences(softmax(u), P),
            "mean_cost": lambda u, price, P, cost, limit: cost @ softmax(u),
        },
        answer="z",
        size=1.0,
        scale=1.0,
        family="capacity",
        form="logdomain",
        equations=f"{_EQUATIONS['with costs' if several else 'with cost']};  {_DIVERGENCE_TEXT}",
        problem=channel,
    )


def _shares(u: Any, P: np.ndarray) -> Any:
    return softmax(u)


def _information_of_shares(u: Any, P: np.ndarray) -> Any:
    z = softmax(u)
    return z @ divergences(z, P)


def _information_of_normalised(z: Any, P: np.ndarray) -> Any:
    share = normalise(z)
    return (share * divergences(share, P)).sum()


def _information_of_state(z: Any, P: np.ndarray, gauge: Any) -> Any:
    return (z * divergences(z, P)).sum()


def xlogy(x: Any, y: Any) -> Any:  # stands last: netlists quote the lines above, which stay short
    """X ln y, and 0 where x is; of constants, which place no block."""
    return scipy.special.xlogy(x, y)
