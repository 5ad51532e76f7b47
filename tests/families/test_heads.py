"""Tokens that attend through several heads, masks and perceptrons: against code of our own, theorems, and both engines."""

import dataclasses
import math
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from analogflow import Attention, compile, flows, netlist, simulate, solve
from analogflow.block_engine import VectorField
from analogflow.cli import main
from analogflow.digital import attention_adaptive, attention_steps
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.families import FAMILIES
from analogflow.families.ends import RunEnds
from analogflow.flows import attention
from analogflow.problems.attention import uniform_tokens
from analogflow.problems.heads import Head
from analogflow.reference.attention import by_extrapolation, by_runge_kutta, velocity
from analogflow.reference.attention_theory import (
    attraction_space,
    causal_limit,
    concentration_bound,
    energy_direction,
    facing,
    log_energy,
    value_space,
)
from analogflow.simulators import ENGINES

EXAMPLE = Path(__file__).parents[2] / "examples" / "data" / "attention_heads.json"
N, D = 4, 3

engines = pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=pytest.mark.ngspice if name == "ngspice" else ()) for name in ENGINES]
)


def random_head(rng, rows):
    return {"Q": rng.normal(size=(2, D)), "K": rng.normal(size=(2, D)), "V": rng.normal(size=(rows, D))}


def perceptron(rng, activation):
    return {
        "W1": rng.normal(size=(5, D)), "b1": rng.normal(size=5), "W2": 0.5 * rng.normal(size=(D, 5)),
        "b2": rng.normal(size=D), "activation": activation,
    }  # fmt: skip


def problem_of(name, seed=3, time=1.0):
    rng = np.random.default_rng(seed)
    x = uniform_tokens(N, D, seed=seed)
    mask = (rng.random((N, N)) < 0.5) | np.eye(N, dtype=bool)
    pair = {"B": rng.normal(size=(D, D)), "V": rng.normal(size=(D, D))}
    given = {
        "queries and keys": dict(V=rng.normal(size=(D, D)), Q=rng.normal(size=(2, D)), K=rng.normal(size=(2, D))),
        "causal": dict(**pair, mask="causal"),
        "masked": dict(**pair, mask=mask),
        "heads": dict(heads=[random_head(rng, 1), random_head(rng, 2)], output=rng.normal(size=(D, 3))),
        "mean of heads": dict(heads=[random_head(rng, D), pair], output="mean"),
        "tanh": dict(**pair, mlp=perceptron(rng, "tanh")),
        "relu": dict(**pair, mlp=perceptron(rng, "relu")),
        "all": dict(
            heads=[random_head(rng, 2), pair], output=rng.normal(size=(D, 2 + D)), mask=mask, mlp=perceptron(rng, "relu")
        ),
    }[name]
    return Attention(x, beta=2.0, time=time, **given)


NAMES = ("queries and keys", "causal", "masked", "heads", "mean of heads", "tanh", "relu", "all")


def looped(problem, x):
    """The rate, token by token and head by head, as the equations are printed."""
    rates = np.zeros_like(x)
    heads = problem.heads or (Head(problem.V, problem.B, problem.Q, problem.K),)
    for i in range(len(x)):
        values = []
        for head in heads:
            weights = {}
            for j in range(len(x)):
                sees = problem.mask is None or (j <= i if isinstance(problem.mask, str) else problem.mask[i, j] == 1)
                if sees:
                    score = x[i] @ head.B @ x[j] if head.B is not None else (head.Q @ x[i]) @ (head.K @ x[j])
                    weights[j] = math.exp(problem.beta * score)
            total = sum(weights.values())
            values.append(head.V @ sum(weight / total * x[j] for j, weight in weights.items()))
        if problem.output is None or isinstance(problem.output, str):
            drive = sum(values) / (len(values) if problem.output == "mean" else 1)
        else:
            drive = problem.output @ np.concatenate(values)
        if problem.mlp is not None:
            sigma = math.tanh if problem.mlp.activation == "tanh" else lambda u: max(u, 0.0)
            hidden = [sigma(row @ x[i] + b) for row, b in zip(problem.mlp.W1, problem.mlp.b1, strict=True)]
            drive = drive + problem.mlp.W2 @ hidden + problem.mlp.b2
        rates[i] = drive - (x[i] @ drive) * x[i]
    return rates


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_flow_graph_reference_and_digital_rates_are_those_of_plain_loops(name, seed):
    problem = problem_of(name, seed)
    x = uniform_tokens(N, D, seed=seed + 100)
    wanted = looped(problem, x)
    flow = attention(problem)
    np.testing.assert_allclose(flow.rates(x=x)["x"], wanted, atol=1e-13)
    np.testing.assert_allclose(VectorField(flow.graph())(0.0, x.ravel()).reshape(N, D), wanted, atol=1e-13)
    np.testing.assert_allclose(velocity(problem, x), wanted, atol=1e-13)


@pytest.mark.few(4)
@pytest.mark.parametrize("name", NAMES)
def test_both_integrations_and_digital_ones_end_where_an_integration_of_the_loops_does(name):
    problem = problem_of(name)
    run = solve_ivp(
        lambda _, y: looped(problem, y.reshape(N, D)).ravel(), (0, problem.time), problem.tokens.ravel(), method="Radau",
        rtol=1e-9, atol=1e-11,
    )  # fmt: skip
    end = run.y[:, -1].reshape(N, D)
    for found in (
        by_runge_kutta(problem, problem.time)[0],
        by_extrapolation(problem, problem.time)[0],
        attention_adaptive(problem, 1e-10).tokens,
    ):
        np.testing.assert_allclose(found, end, atol=1e-7)
    for order in ("simultaneous", "in place"):
        assert abs(attention_steps(problem, 1e-3, order=order).tokens - end).max() < 2e-2


@pytest.mark.few(10)
@engines
@pytest.mark.parametrize("name", NAMES)
def test_circuits_arrive_where_the_reference_says(name, engine):
    solution = solve(problem_of(name), engine=engine)
    assert solution.certificate.reference_gap <= 1e-11
    assert solution.certificate.errors["tokens"] <= 1e-6
    assert solution.certificate.errors["sphere"] <= 1e-6
    assert solution.passed


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))])
def test_kinks_of_rectified_units_leave_the_integrations_in_agreement(seed):
    rng = np.random.default_rng(seed)
    mlp = {"W1": rng.normal(size=(8, D)), "b1": rng.normal(size=8), "W2": rng.normal(size=(D, 8)), "activation": "relu"}
    problem = Attention(uniform_tokens(6, D, seed=seed), np.eye(D), rng.normal(size=(D, D)), 2.0, 2.0, mlp=mlp)
    assert abs(by_runge_kutta(problem, 2.0)[0] - by_extrapolation(problem, 2.0)[0]).max() <= 1e-11


def test_zero_temperature_takes_heads_and_a_perceptron():
    rng = np.random.default_rng(1)
    heads = [{"Q": rng.normal(size=(D, D)), "K": rng.normal(size=(D, D)), "V": np.eye(D)} for _ in range(2)]
    problem = Attention(uniform_tokens(N, D, seed=1), beta=math.inf, heads=heads, mlp=perceptron(rng, "tanh"))
    solution = solve(problem, engine="block")
    assert solution.flow.form == "zero-temperature"
    assert solution.passed
    rate = np.zeros((N, D))
    for i, x in enumerate(problem.tokens):
        drive = problem.mlp.W2 @ np.tanh(problem.mlp.W1 @ x + problem.mlp.b1) + problem.mlp.b2
        for head in problem.heads:
            query = head.K.T @ (head.Q @ x)
            drive = drive + head.V @ query / np.linalg.norm(query)
        rate[i] = drive - (x @ drive) * x
    np.testing.assert_allclose(solution.flow.rates(x=problem.tokens)["x"], rate, atol=1e-13)
    with pytest.raises(BadInput, match="mask means nothing at zero temperature"):
        attention(problem_of("masked"), form="zero-temperature")


def same_flow(one, other):
    for seed in range(3):
        x = uniform_tokens(N, D, seed=seed)
        np.testing.assert_allclose(attention(one).rates(x=x)["x"], attention(other).rates(x=x)["x"], atol=1e-13)


def test_one_head_split_into_two_queries_and_keys_of_one_product_and_no_mask_at_all_are_the_same_flow():
    rng = np.random.default_rng(0)
    x, B, V, part = uniform_tokens(N, D, seed=0), *rng.normal(size=(3, D, D))
    plain = Attention(x, B, V, 2.0)
    same_flow(plain, Attention(x, beta=2.0, heads=[{"B": B, "V": part}, {"B": B, "V": V - part}]))
    same_flow(plain, Attention(x, beta=2.0, heads=[{"B": B, "V": V}] * 3, output="mean"))
    same_flow(plain, Attention(x, beta=2.0, heads=[{"B": B, "V": np.eye(D)[:2]}, {"B": B, "V": np.eye(D)[2:]}], output=V))
    turned = np.linalg.qr(part)[0]
    for Q, K in ((np.eye(D), B), (B.T, np.eye(D)), (turned @ B.T, turned)):
        same_flow(plain, Attention(x, V=V, beta=2.0, Q=Q, K=K))
    same_flow(plain, Attention(x, B, V, 2.0, mask=np.ones((N, N))))
    same_flow(Attention(x, B, V, 2.0, mask="causal"), Attention(x, B, V, 2.0, mask=np.tri(N)))


@pytest.mark.slow
@engines
def test_causal_tokens_all_go_to_the_first(engine):
    rng = np.random.default_rng(4)
    problem = Attention(
        uniform_tokens(N, D, seed=4), V=np.eye(D), beta=1.0, time=20.0, mask="causal",
        Q=0.5 * rng.normal(size=(2, D)), K=0.5 * rng.normal(size=(2, D)),
    )  # fmt: skip
    end = solve(problem, engine=engine)
    assert end.passed
    np.testing.assert_allclose(end.certificate.answer["tokens"], np.tile(problem.tokens[0], (N, 1)), atol=1e-3)
    np.testing.assert_array_equal(causal_limit(problem), problem.tokens[0])
    # Without the mask the first token moves too.
    free = solve(dataclasses.replace(problem, mask=None), engine=engine)
    assert abs(np.array(free.certificate.answer["tokens"])[0] - problem.tokens[0]).max() > 0.1


def test_what_a_token_sees_alone_moves_it():
    problem = problem_of("causal")
    others = problem.tokens.copy()
    others[2:] = uniform_tokens(2, D, seed=9)
    moved = dataclasses.replace(problem, tokens=others)
    one, other = solve(problem, engine="block"), solve(moved, engine="block")
    answers = [np.array(each.certificate.answer["tokens"]) for each in (one, other)]
    np.testing.assert_allclose(answers[0][:2], answers[1][:2], atol=1e-8)
    assert abs(answers[0][2:] - answers[1][2:]).max() > 1e-2


def side_check(solution):
    return [check for check in solution.certificate.checks if check.name == "no token turns from the side that all began on"]


def on_one_side(**more):
    x = uniform_tokens(N, D, seed=5)
    x = x * np.where(x[:, :1] < 0, -1, 1)
    rng = np.random.default_rng(0)
    return Attention(x, beta=3.0, time=2.0, Q=rng.normal(size=(2, D)), K=rng.normal(size=(2, D)), **more)


def test_tokens_of_one_side_stay_there_whatever_scores_and_masks_are_and_the_check_can_fail():
    problem = on_one_side(V=2 * np.eye(D), mask="causal")
    w = facing(problem)
    assert (problem.tokens @ w > 0).all()
    solution = solve(problem, engine="block")
    (check,) = side_check(solution)
    assert check.passed
    assert solution.passed
    # The circuit of another flow, whose values are turned round, judged as if it were this one.
    away = solve(on_one_side(V=-2 * np.eye(D), mask="causal"), engine="block")
    path = away.run.values["x"][None]
    family, reference = FAMILIES["attention"], FAMILIES["attention"].reference(problem, problem.time)
    ends = RunEnds({"x": path[:, -1]}, {"x": path}, away.run.time[None], problem.time)
    held = family.held(problem, reference, family.errors(problem, reference, ends), ends, 1e-3)
    assert not next(part for part in held if "side" in part.name).passed.all()


@pytest.mark.parametrize(
    "more", [dict(V=-np.eye(D)), dict(V=np.diag([1.0, 1, 2])), dict(V=np.eye(D), mlp={"W1": np.eye(D), "W2": np.eye(D)})]
)
def test_the_side_is_not_asked_about_where_nothing_keeps_tokens_on_it(more):
    assert facing(on_one_side(**more)) is None


def test_the_side_is_not_asked_about_of_tokens_all_around():
    x = np.concatenate([np.eye(D), -np.eye(D)])
    assert facing(Attention(x, np.eye(D), np.eye(D), 1.0)) is None
    assert not side_check(solve(Attention(x, np.eye(D), np.eye(D), 1.0), engine="block"))


@pytest.mark.parametrize("name", ["causal", "heads", "tanh"])
def test_theory_of_one_head_is_not_claimed_for_more(name):
    problem = problem_of(name)
    with pytest.raises(BadInput, match=r"the theory is of one head without mask and perceptron, and this problem has"):
        attraction_space(problem)
    for asked in (value_space, lambda p: concentration_bound(p, 1.0), lambda p: log_energy(p, p.tokens)):
        with pytest.raises(BadInput, match="what its flow does is known from its paths alone"):
            asked(problem)
    with pytest.warns(AssumptionWarning, match="no energy is known"):
        assert energy_direction(problem) == 0
    with pytest.raises(BadInput, match="where tokens gather is known for the mask 'causal', one head and a V that is 1"):
        causal_limit(problem)


def test_theory_of_queries_and_keys_is_that_of_their_product():
    rng = np.random.default_rng(2)
    Q, V, x = rng.normal(size=(D, D)), rng.normal(size=(D, D)), uniform_tokens(N, D, seed=2)
    apart, product = Attention(x, V=V, beta=2.0, Q=Q, K=Q), Attention(x, Q.T @ Q, V, 2.0)
    assert log_energy(apart, x) == pytest.approx(log_energy(product, x), rel=1e-14)
    np.testing.assert_allclose(apart.attraction, product.attraction)
    climbing = Attention(x, V=Q.T @ Q, beta=2.0, Q=Q, K=Q)
    assert energy_direction(climbing) == 1
    with pytest.warns(AssumptionWarning, match="B is not symmetric"):
        assert energy_direction(Attention(x, V=Q.T @ V, beta=2.0, Q=Q, K=V)) == 0


@pytest.mark.ngspice
def test_a_netlist_of_the_example_runs_alone(tmp_path):
    path = tmp_path / "a.cir"
    assert main(["netlist", "attention", str(EXAMPLE), "-o", str(path)]) == 0
    done = subprocess.run(["ngspice", "-b", "-n", str(path)], capture_output=True, text=True, timeout=60)
    printed = [float(line.split(" = ")[1]) for line in done.stdout.splitlines() if line.startswith("answer_x")]
    expected = next(line for line in path.read_text().splitlines() if line.startswith("* expected:"))
    wanted = [float(x) for x in expected.split(" = ")[1].split(",")[:8]]
    assert printed
    np.testing.assert_allclose(printed[:8], wanted, atol=1e-6)


@pytest.mark.ngspice
@pytest.mark.slow
def test_op_amps_carry_a_masked_head():
    problem = Attention(uniform_tokens(3, 2, seed=1), np.eye(2), np.eye(2), 1.0, mask="causal")
    assert solve(problem, technology="opamp").passed


def test_translinear_circuits_are_refused_in_one_sentence(capsys):
    assert main(["solve", "attention", str(EXAMPLE), "--technology", "translinear"]) == 2
    assert "does not carry the attention flow" in capsys.readouterr().err


def test_old_problems_are_the_same_netlist():
    rng = np.random.default_rng(0)
    problem = Attention(uniform_tokens(3, 2, seed=0), *rng.normal(size=(2, 2, 2)), 1.0)
    assert attention(problem).function.__name__ == "softmax_attention"
    assert attention(problem).constants.keys() == {"B", "V", "beta"}
    assert attention(problem, form="zero-temperature").constants.keys() == {"B", "V"}


def test_run_of_a_problem_with_all_keys_follows_the_loops_along_its_path():
    problem = problem_of("all")
    run = simulate(netlist(compile(flows.attention(problem)), time_constants=1.0), engine="block")
    for k in np.linspace(0, len(run.time) - 1, 5).astype(int)[1:]:
        end = by_runge_kutta(problem, float(run.time[k]))[0]
        np.testing.assert_allclose(run.values["x"][k].reshape(N, D), end, atol=1e-6)
