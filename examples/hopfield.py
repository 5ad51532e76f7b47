"""A Hopfield network recalls a rest from a cue, and with noise its law; and what learning needs its negative phase for."""

import numpy as np

import analogflow as af
from analogflow.digital import recall_and_learn

recalled = af.solve(af.Hopfield([[2.0, 0.5], [0.5, -1.5]], activation="tanh", start=[1.0, -0.5, 0.0, 0.0]))
print("rest      ", np.round(recalled.certificate.answer["mean"], 6), "energy", recalled.run.final["energy"])
assert recalled.passed

law = af.solve(af.Hopfield([[0.6]], I=[0.5], temperature=0.2), seed=1, time_constants=400.0, accuracy=0.5)
print("covariance", np.round(law.certificate.answer["covariance"], 4).tolist(), "found")
print("          ", np.round(law.certificate.reference["covariance"], 4).tolist(), "exact")
for check in law.certificate.checks:
    print(check.name, "-", check.verdict, "-", check.detail)
assert law.passed

pair = af.Hopfield([[0.3]], temperature=1.0)
alone = recall_and_learn(pair, None, steps=100, rate=0.05, negative=False)
print("without a negative phase: unbounded after", alone.lost, "steps, at U =", alone.couplings[-1])
