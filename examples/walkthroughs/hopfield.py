"""Walk-through: a Hopfield network's energy, valleys, law and learning. Cells open in Jupyter (jupytext) and in editors."""

# %% [markdown]
# Two layers with couplings U. Without noise the energy falls to a valley; which one, the cue decides.

# %%
import numpy as np

import analogflow as af
from analogflow.digital import recall_and_learn
from analogflow.reference import correlation, hopfield_reference, log_likelihood

for cue in ([1.0, 1.0], [-1.0, -1.0]):
    run = af.solve(af.Hopfield([[3.0]], activation="tanh", start=cue), engine="block").run
    print("cue", cue, "rest", run.final["v"], run.final["h"], "energy", run.final["energy"])
    assert np.diff(run.values["energy"][:, 0]).max() <= 1e-8

# %% [markdown]
# With noise the answer is a law. For tanh it is e^(−E/T) in the activations: many circuits against quadrature.

# %%
problem = af.Hopfield([[0.9]], I=[0.4], activation="tanh", temperature=0.3)
exact = hopfield_reference(problem)
circuit = af.compile(af.flows.hopfield(problem))
many = af.ensemble(circuit, 1000, noise=af.Noise(0.0, seed=1, step=0.02), time_constants=8.0, step_accuracy=1e-3)
print("quadrature   ", exact.mean, exact.covariance.ravel())
states = np.concatenate([many.final["v"], many.final["h"]], axis=1)
print("1000 circuits", states.mean(axis=0), np.cov(states.T).ravel())
assert (abs(states.mean(axis=0) - exact.mean) < 4 * np.sqrt(np.diag(exact.covariance) / 1000)).all()

# %% [markdown]
# Learning with both phases: the visible layer takes on the covariance of the data.

# %%
network = af.Hopfield(np.array([[0.1, 0.0], [0.0, -0.1]]), gain_v=2.0, temperature=1.0)
data = np.random.default_rng(0).multivariate_normal([0.0, 0.0], [[1.0, 0.4], [0.4, 0.8]], 4000)
learned = recall_and_learn(network, data, steps=4000, rate=0.01)
print("data   ", (data.T @ data / len(data)).ravel())
print("network", hopfield_reference(network.with_couplings(learned.couplings[-1])).covariance[:2, :2].ravel())

# %% [markdown]
# Data in two lumps: a linear network learns their covariance, one saturating unit both lumps. Likelihoods in nats a datum.

# %%
lumps = np.random.default_rng(3).choice([-1.0, 1.0], (300, 1)) * [1.0, 0.8]
lumps = lumps + 0.4 * np.random.default_rng(4).normal(size=(300, 2))
linear = af.Hopfield([[0.4, 0.1], [0.1, 0.4]], temperature=0.06)
tanh = af.Hopfield([[0.2], [0.1]], gain_v=[1.2, 0.9], activation="tanh", temperature=0.2)
linear = linear.with_couplings(recall_and_learn(linear, lumps, steps=6000, rate=0.01).couplings[-1])
tanh = tanh.with_couplings(recall_and_learn(tanh, lumps, steps=100, rate=0.4, recall=correlation).couplings[-1])
print("linear", log_likelihood(linear, lumps), "tanh", log_likelihood(tanh, lumps))
assert log_likelihood(tanh, lumps) > log_likelihood(linear, lumps) + 0.3
