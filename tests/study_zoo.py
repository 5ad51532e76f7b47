"""Studies made up from known laws, and the yardstick their intervals are held against."""

from concurrent.futures import Executor, Future

import numpy as np
import xarray
from scipy import stats

__all__ = ["ALARM", "AtOnce", "least_hits", "most_hits", "synthetic_study"]

ALARM = 1e-6
"""False-alarm rate of every test that counts how often an interval covers, or a test rejects."""


def least_hits(trials: int, rate: float) -> int:
    """A count of successes, each of at least this rate, falls below it with a probability of at most ALARM."""
    return int(stats.binom.ppf(ALARM, trials, rate))


def most_hits(trials: int, rate: float) -> int:
    """A count of successes, each of at most this rate, rises above it with a probability of at most ALARM."""
    return int(stats.binom.isf(ALARM, trials, rate))


def synthetic_study(
    *,
    forms=("logdomain", "replicator"),
    noise=(0.0, 0.001, 0.003, 0.01, 0.03),
    mismatch=(0.0, 0.003, 0.01, 0.03),
    samples=100,
    seed=0,
):
    """A study of two forms in the agreed layout.

    Error: the length of σ·x_k + δ·y_k in three dimensions, times 1 for the first form and 2 for the next, and so on; x_k and
    y_k are normal and the same under every condition. A sample fails where σ |x_k,0| > 0.05. The support is lost where the
    error exceeds 0.05, another optimum is found for one sample in 50.
    """
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, samples, 3))
    jitter = np.exp(0.05 * rng.normal(size=(len(forms), samples)))
    sigma, delta = np.array(noise)[:, None, None, None], np.array(mismatch)[None, :, None, None]
    length = np.sqrt(((sigma * x + delta * y) ** 2).sum(axis=-1))
    factors = (1.0 + np.arange(len(forms)))[:, None] * jitter
    error = factors[:, None, None, :] * length + 1e-9
    failed = np.broadcast_to((sigma[..., 0] * abs(x[:, 0]) > 0.05), error.shape)
    verdict = np.where(error > 0.05, "support lost", np.where(np.arange(samples) % 50 == 49, "other optimum", "confirmed"))
    verdict = np.where(failed, "not settled", verdict)
    dims = ("problem", "form", "technology", "noise", "mismatch", "temperature", "sample")

    def full(values):
        return dims, values[None, :, None, :, :, None, :]

    return xarray.Dataset(
        {
            "outcome": full(np.where(failed, "NOT_SETTLED", "SETTLED").astype(object)),
            "reason": full(np.where(failed, "still moves at the end", "").astype(object)),
            "error": (*full(np.where(failed, np.nan, error)), {"units": "nat"}),
            "error_simplex": full(np.where(failed, np.nan, 1e-6 * error)),
            "settling_time": (*full(np.where(failed, np.nan, 20 + 100 * error)), {"units": "τ"}),
            "verdict": full(verdict.astype(object)),
        },
        coords={
            "problem": ["paper"],
            "form": list(forms),
            "technology": ["ideal"],
            "noise": ("noise", list(noise), {"units": "1/√τ"}),
            "mismatch": list(mismatch),
            "temperature": ("temperature", [300.0], {"units": "K"}),
            "sample": np.arange(samples),
        },
    )


class AtOnce(Executor):
    """Computes where it is called."""

    def submit(self, function, /, *arguments, **keywords):
        future: Future = Future()
        try:
            future.set_result(function(*arguments, **keywords))
        except Exception as fault:  # noqa: BLE001
            future.set_exception(fault)
        return future
