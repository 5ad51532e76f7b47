"""Tokens on a sphere that attend to each other, until time 1."""

import numpy as np

import analogflow as af
from analogflow.problems.attention import two_phases

solution = af.solve(two_phases(4, beta=5.0, time=1.0))
print(solution.certificate)
print(np.array(solution.certificate.answer["tokens"]).round(4))
solution.deck.write("attention.cir", force=True)
assert solution.passed
