"""Lotka and Volterra: equations of one's own, from text."""

import analogflow as af

problem = af.Equations(
    states={"prey": 1.2, "predator": 0.6},
    constants={"growth": 0.8, "bite": 1.0, "gain": 0.9, "death": 0.5},
    equations={"prey": "prey * (growth - bite * predator)", "predator": "predator * (gain * prey - death)"},
    conserved={"level": "gain * prey - death * log(prey) + bite * predator - growth * log(predator)"},
    time=20.0,
)
solution = af.solve(problem)
print(solution.certificate)
solution.deck.write("lotka_volterra.cir", force=True)
assert solution.passed
