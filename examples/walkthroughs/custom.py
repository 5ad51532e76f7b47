"""Walk-through: a flow of one's own, from a function to a circuit. Cells open in Jupyter (jupytext) and in editors."""

# %% [markdown]
# Oja's rule turns weights to the dominant eigenvector of a covariance. The function is the ODE and the circuit.

# %%
import numpy as np

import analogflow as af

covariance = np.array([[2.0, 0.6, 0.1], [0.6, 1.0, 0.3], [0.1, 0.3, 0.5]])


def oja(w, covariance):
    y = covariance @ w
    return y - (w @ y) * w


flow = af.Flow(
    oja,
    states={"w": np.array([0.6, 0.0, 0.8])},
    constants={"covariance": covariance},
    keeps=(af.Sphere("w", 3),),
    observables={"quotient": lambda w, covariance: w @ (covariance @ w)},
    form="oja",
)

# %%
solution = af.solve(flow, engine="block")
values, vectors = np.linalg.eigh(covariance)
print("found", solution.run.final["w"], "exact", vectors[:, -1])
print("quotient", solution.certificate.answer["quotient"], "largest eigenvalue", values[-1])
assert solution.passed

# %% [markdown]
# The same circuit with 1 % mismatch, 200 times.

# %%
real = af.ensemble(solution.circuit, 200, imperfections=af.Imperfections(mismatch=0.01), time_constants=30)
angle = np.degrees(np.arccos(abs(real.final["w"] @ vectors[:, -1]) / np.linalg.norm(real.final["w"], axis=1)))
print(f"angle to the eigenvector: median {np.median(angle):.2f}°, 95 % below {np.quantile(angle, 0.95):.2f}°")
