"""Walk-through: a rate-distortion curve, and how fast its points are found. Cells open in Jupyter (jupytext)."""

# %% [markdown]
# At slope −β the optimal reproduction distribution minimises Φ = R + βD. Blahut's step taken continuously is a gradient
# flow of Φ; here its log-domain form is compiled.

# %%
import numpy as np

import analogflow as af
from analogflow.reference import rate_distortion_curve, rate_distortion_relaxation

source, distortion = [0.4, 0.3, 0.2, 0.1], 1 - np.eye(4)
for point in rate_distortion_curve(source, distortion, [1.0, 2.0, 3.0, 5.0]):
    print(f"β = {point.beta}: D = {point.distortion:.4f}, R between {point.lower:.10f} and {point.upper:.10f} nat")

# %% [markdown]
# The rates at which the flow relaxes are squared canonical correlations of the optimal test channel.

# %%
problem = af.RateDistortion(source, distortion, 3.0)
rates = rate_distortion_relaxation(problem)
print("rates on the support", rates.rates, "off it", rates.escape)

# %%
solution = af.solve(problem, engine="block")
print(solution.certificate)
print("settled after", solution.settling_time, "τ; the slowest rate is", rates.slowest)
assert solution.passed

# %% [markdown]
# Noise: 200 circuits of each form.

# %%
for form in ("logdomain", "gibbs"):
    circuit = af.compile(af.flows.rate_distortion(problem, form=form))
    noisy = af.ensemble(circuit, 200, noise=af.Noise(0.01, seed=1), time_constants=20)
    lost = noisy.final["phi"][noisy.ok] - solution.certificate.reference["rate_nats"]
    lost = lost - 3.0 * solution.certificate.reference["distortion"]
    print(f"{form:10s} {noisy.ok.mean():6.1%} ran to the end; median loss {np.median(lost):.1e} nat")
