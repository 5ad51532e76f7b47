"""Walk-through: from a channel to a circuit whose noise is known. Cells open in Jupyter (jupytext) and in editors."""

# %% [markdown]
# A channel's capacity is the largest mutual information over its input distributions. A flow finds it: the replicator
# equation of the information that each input carries, here in the log domain.

# %%
import numpy as np

import analogflow as af
from analogflow.reference import capacity_reference

channel = af.Channel([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]])
exact = capacity_reference(channel)
print(f"{exact.capacity_nats:.12f} nat, certified to {exact.gap:.1e}")

# %% [markdown]
# `compile` says what each pass did. The circuit is integrators, crossbars, a logarithm and a softmax.

# %%
circuit = af.compile(af.flows.capacity(channel))
for step in circuit.history:
    print(step)
print(circuit.graph)

# %% [markdown]
# One run, held against the reference.

# %%
run = af.simulate(af.netlist(circuit, time_constants=200), engine="block", resting_speed=1e-9)
certificate = af.certify(channel, run)
print(certificate)
assert certificate.passed

# %% [markdown]
# How much of it survives noise? 500 circuits, each with noise of its own at every integrator.

# %%
forms = {form: af.compile(af.flows.capacity(channel, form=form)) for form in ("logdomain", "replicator", "normalised")}
for form, ideal in forms.items():
    noisy = af.ensemble(ideal, 500, noise=af.Noise(0.01, seed=1), time_constants=30)
    lost = exact.capacity_nats - noisy.final["capacity_nats"][noisy.ok]
    print(f"{form:12s} {noisy.ok.mean():6.1%} ran to the end; median of the loss {np.median(lost):.1e} nat")

# %% [markdown]
# What does each imperfection cost? Switched on one at a time, beside a first-order prediction.

# %%
flaws = af.Imperfections(mismatch=0.01, offset=1e-3, temperature_kelvin=310)
budget = af.error_budget(circuit, flaws, samples=64)
for entry in budget.effects:
    print(f"{entry.cause:12s} measured {entry.measured.loss:.1e} nat, predicted {entry.predicted.loss:.1e} nat")
