"""Walk-through: a transport plan, its temperature, and what it is sensitive to. Cells open in Jupyter (jupytext)."""

# %% [markdown]
# Rows of the plan are softmax arrays with the rows' masses as tail currents; integrators make the columns right.

# %%
import numpy as np

import analogflow as af
from analogflow.reference import transport_limit, transport_reference

cost = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]])
row, column = [0.5, 0.3, 0.2], [0.2, 0.3, 0.5]

# %% [markdown]
# Cooling brings the plan to that of the linear programme.

# %%
for epsilon in (1.0, 0.3, 0.1, 0.03):
    solution = af.solve(af.Transport(cost, row, column, epsilon), engine="block")
    exact = transport_reference(solution.flow.problem)
    print(f"ε = {epsilon:4.2f}: cost {solution.certificate.answer['cost']:.6f}, gap of the reference {exact.gap:.1e}")
    assert solution.passed
print("cost of the linear programme:", transport_limit(solution.flow.problem).cost)

# %% [markdown]
# The netlist runs by itself: `ngspice -b transport.cir`.

# %%
print(solution.deck.write("transport.cir", force=True))
