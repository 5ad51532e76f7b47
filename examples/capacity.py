"""The capacity of a channel by a circuit: solve, certify, write the netlist and a figure."""

import analogflow as af

channel = af.Channel([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]])
solution = af.solve(channel)
print(solution.certificate)
print("capacity:", solution.certificate.answer["capacity_nats"], "nat")
solution.deck.write("capacity.cir", force=True)
af.save_figure(af.plot_capacity(solution), "capacity.svg", force=True)
assert solution.passed
