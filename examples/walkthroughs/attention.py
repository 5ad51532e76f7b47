"""Walk-through: tokens on a sphere gather at an eigenspace. Cells open in Jupyter (jupytext) and in editors."""

# %% [markdown]
# Self-attention in the limit of thin layers moves tokens on a sphere. With the matrices of the paper's Figure 3, cold
# tokens first gather at the dominant eigenspace E of VBᵀ.

# %%
import numpy as np

import analogflow as af
from analogflow.problems.attention import two_phases
from analogflow.reference.attention_theory import alignment, attraction_space

problem = two_phases(6, beta=20.0, time=3.0)
space = attraction_space(problem)
print("E:", space.basis.ravel().round(3), "gap", space.gap)

# %% [markdown]
# The sphere repels a token that is pulled inwards; the compiler measures it and adds a restoring term.

# %%
circuit = af.compile(af.flows.attention(problem))
print(circuit.history[2])

# %%
solution = af.solve(problem, engine="block")
path = solution.run.values["x"].reshape(-1, *problem.tokens.shape)
for k in np.linspace(0, len(path) - 1, 5).astype(int):
    print(f"t = {solution.run.time[k]:.2f}: alignment with E {alignment(path[k], space):.3f}")
print(solution.certificate)
assert solution.passed
