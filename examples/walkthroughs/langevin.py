"""Walk-through: a Boltzmann distribution from noise, three ways. Cells open in Jupyter (jupytext) and in editors."""

# %% [markdown]
# Drift and noise that leave e^(−E/T)/Z alone, with a mobility that depends on the state. Three opinions on its moments:
# quadrature, a Fokker-Planck equation on a grid, and circuits.

# %%
import numpy as np

import analogflow as af
from analogflow.reference import boltzmann_law, fokker_planck

problem = af.Langevin("x**2 - 0.5*x", ["x"], temperature=0.5, mobility="1 + 0.5*x**2 + 0.3*x")
exact = boltzmann_law(problem)
print("quadrature     ", exact.mean, exact.covariance.ravel())

# %%
grid = fokker_planck(problem, 400)
mean, covariance = grid.moments(grid.stationary())
print("Fokker-Planck  ", mean, covariance.ravel())

# %%
circuit = af.compile(af.flows.langevin(problem))
many = af.ensemble(circuit, 2000, noise=af.Noise(0.0, seed=1, step=0.02), time_constants=6.0, step_accuracy=1e-3)
print("2000 circuits  ", many.final["x"].mean(), many.final["x"].var())
assert abs(many.final["x"].mean() - exact.mean[0]) < 4 * np.sqrt(exact.covariance[0, 0] / 2000)

# %% [markdown]
# Itô's term T dK/dx is often forgotten. This is what it does.

# %%
wrong = fokker_planck(problem, 400, drift_by_mobility=False)
print("without T dK/dx", *(value.ravel() for value in wrong.moments(wrong.stationary())))
