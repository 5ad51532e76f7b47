"""Boltzmann distributions: coupled variables, and a double well that is crossed too rarely to tell."""

import analogflow as af

coupled = af.Langevin("0.5*x**2 + y**4/4 + 0.5*x*y", ["x", "y"], temperature=0.4, mobility=[1.0, 1.5])
well = af.Langevin("(x**2 - 1)**2 + 0.3*x", ["x"], temperature=0.5)
for problem, time in ((coupled, 900.0), (well, 60.0)):
    solution = af.solve(problem, seed=1, time_constants=time)
    print(solution.certificate.answer, "found")
    print(solution.certificate.reference, "exact")
    for check in solution.certificate.checks:
        print(check.name, "-", check.verdict, "-", check.detail)
    assert solution.passed == (problem is coupled)
