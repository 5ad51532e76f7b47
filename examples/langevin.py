"""A double well at a temperature: mean and covariance of its Boltzmann distribution."""

import analogflow as af

solution = af.solve(af.Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], temperature=0.5), seed=1)
print(solution.certificate.answer, "found")
print(solution.certificate.reference, "exact")
for check in solution.certificate.checks:
    print(check.name, check.passed, check.detail)
assert solution.passed
