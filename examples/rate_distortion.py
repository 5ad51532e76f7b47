"""A point of the rate-distortion curve by a circuit, certified from both sides."""

import numpy as np

import analogflow as af

problem = af.RateDistortion([0.4, 0.3, 0.2, 0.1], 1 - np.eye(4), beta=3.0)
solution = af.solve(problem)
print(solution.certificate)
print("rate:", solution.certificate.answer["rate_nats"], "nat at distortion", solution.certificate.answer["distortion"])
solution.deck.write("rate_distortion.cir", force=True)
assert solution.passed
