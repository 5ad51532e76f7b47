"""A transport plan between two histograms, at a fixed temperature."""

import numpy as np

import analogflow as af

problem = af.Transport([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5], 0.2)
solution = af.solve(problem)
print(solution.certificate)
print(np.array(solution.certificate.answer["plan"]).round(4))
solution.deck.write("transport.cir", force=True)
assert solution.passed
