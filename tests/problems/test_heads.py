"""What is a problem of several heads, masks and perceptrons, what is not, and how a file holds one."""

import json
import math

import numpy as np
import pytest

from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.families import FAMILIES
from analogflow.families.files import keys_of, problem_of_keys
from analogflow.problems import Attention
from analogflow.problems.heads import Head, Perceptron

I2 = np.eye(2).tolist()
TOKENS = [[1, 0], [0.6, 0.8], [0, 1]]
HEAD = {"Q": I2, "K": I2, "V": I2}
MLP = {"W1": [[1, 2]], "W2": [[1], [0]]}
PLAIN = {"tokens": TOKENS, "B": I2, "V": I2, "beta": 1.0}

BAD = {
    "neither B nor Q": (dict(B=None), r"needs the matrix B of the scores or the matrices Q and K, and has neither"),
    "Q alone": (dict(B=None, Q=I2), r"the matrices Q and K, and has one of them; give B, or Q and K"),
    "B and Q": (dict(Q=I2, K=I2), r"and has both; give B, or Q and K"),
    "no V": (dict(V=None), r"needs the value matrix V; give one"),
    "no beta": (dict(beta=None), r"beta is None; give a positive inverse temperature"),
    "Q of another width": (
        dict(B=None, Q=[[1, 2, 3]], K=[[1, 2]]),
        r"Q has shape \(1, 3\) where tokens have 2 coordinates; giv",
    ),
    "Q and K of unlike rows": (dict(B=None, Q=[[1, 2]], K=I2), r"Q has shape \(1, 2\) and K \(2, 2\): scores are products"),
    "Q not finite": (dict(B=None, Q=[[1, math.nan]], K=[[1, 2]]), r"Q has nan in row 1, column 2; give finite numbers"),
    "V without output": (dict(V=[[1, 2]]), r"V has shape \(1, 2\) where tokens have 2 coordinates; .* or an output matrix"),
    "output of another shape": (
        dict(V=[[1, 2]], output=I2),
        r"output has shape \(2, 2\); give 2 rows, one for each coordina",
    ),
    "output unknown": (dict(output="product"), r"output is 'product'; take 'sum' or 'mean', or give a matrix"),
    "output not finite": (dict(output=[[1, math.inf], [0, 1]]), r"output has inf in row 1, column 2; give finite numbers"),
    "heads and B": (dict(heads=[HEAD]), r"heads and B are given; put B into a head"),
    "no heads": (dict(B=None, V=None, heads=[]), r"heads must be a list of heads"),
    "heads a text": (dict(B=None, V=None, heads="two"), r"heads must be a list of heads"),
    "a head a number": (dict(B=None, V=None, heads=[3]), r"head 1: it is 3; give its matrices by name"),
    "a head of a wrong name": (
        dict(B=None, V=None, heads=[HEAD, {**HEAD, "W": I2}]),
        r"heads: head 2: unknown key 'W'; a head has the keys Q, K, V, B",
    ),
    "a head of a wrong shape": (
        dict(B=None, V=None, heads=[{**HEAD, "V": np.eye(3)}]),
        r"heads: head 1: V has shape \(3, 3\) where tokens have 2 coordinates",
    ),
    "mask unknown": (dict(mask="causl"), r"mask is 'causl'; take 'causal', or give one row and one column for each token"),
    "mask of another shape": (dict(mask=I2), r"mask has shape \(2, 2\); give one row and one column for each token \(3\)"),
    "mask of a part": (dict(mask=[[1, 0, 0], [0.5, 1, 0], [1, 1, 1]]), r"mask has 0\.5 in row 2, column 1; give 0 or 1"),
    "mask of nan": (dict(mask=[[1, 0, math.nan], [1, 1, 0], [1, 1, 1]]), r"mask has nan in row 1, column 3"),
    "a blind token": (
        dict(mask=[[1, 0, 0], [0, 0, 0], [1, 1, 1]]),
        r"mask: row 2 is 0 throughout, so that token 2 sees none",
    ),
    "mask in the cold": (dict(beta=math.inf, mask="causal"), r"mask means nothing at zero temperature"),
    "mlp a number": (dict(mlp=3), r"mlp is 3; give its arrays by name"),
    "mlp of a wrong name": (
        dict(mlp={**MLP, "w3": 1}),
        r"mlp: unknown key 'w3'; it has the keys W1, b1, W2, b2, activation",
    ),
    "mlp without W2": (dict(mlp={"W1": [[1, 2]]}), r"mlp needs W1 and W2, and has no W2"),
    "mlp of unknown units": (dict(mlp={**MLP, "activation": "gelu"}), r"activation is 'gelu'; take 'tanh' or 'relu'"),
    "mlp of wide W1": (dict(mlp={**MLP, "W1": [[1, 2, 3]]}), r"mlp: W1 has shape \(1, 3\); give an array of shape \(1, 2\)"),
    "mlp of wide W2": (dict(mlp={**MLP, "W2": I2}), r"mlp: W2 has shape \(2, 2\); give an array of shape \(2, 1\)"),
    "mlp of long b1": (dict(mlp={**MLP, "b1": [1, 2]}), r"mlp: b1 has shape \(2,\); give an array of shape \(1,\)"),
    "mlp of nan": (dict(mlp={**MLP, "b2": [math.nan, 0]}), r"mlp: b2 has nan in entry 1; give finite numbers"),
    "mlp too strong": (
        dict(mlp={"W1": [[1e4, 0]], "W2": [[1e4], [0]], "activation": "relu"}),
        r"the drive may reach 1e\+08",
    ),
    "a cold singular head": (
        dict(B=None, V=None, beta=math.inf, heads=[HEAD, {**HEAD, "Q": [[1, 0]], "K": [[1, 0]]}]),
        r"the matrix of the scores of head 2 is singular",
    ),
}


@pytest.mark.parametrize("reason", BAD)
def test_what_is_no_problem_is_refused_with_what_is_allowed(reason):
    changed, message = BAD[reason]
    with pytest.raises(BadInput, match=message) as refused:
        Attention(**{**PLAIN, **changed})
    assert str(refused.value).endswith(".")
    assert ".." not in str(refused.value)


def test_a_file_with_a_fault_is_refused_in_one_sentence(tmp_path, capsys):
    path = tmp_path / "p.json"
    path.write_text(json.dumps({**PLAIN, "time": 1.0, "mask": [[1, 0, 0], [0, 0, 0], [1, 1, 1]]}))
    assert main(["solve", "attention", str(path), "--engine", "block"]) == 2
    said = capsys.readouterr().err
    assert "row 2 is 0 throughout" in said
    assert str(path) in said


WHOLE = {
    "queries and keys": {"tokens": TOKENS, "V": I2, "beta": 2.0, "time": 1.0, "Q": [[1, 2]], "K": [[0, 1]]},
    "all": {
        "tokens": TOKENS, "beta": 2.0, "time": 0.5,
        "heads": [{"Q": [[1, 2]], "K": [[0, 1]], "V": [[1, 0]]}, {"B": I2, "V": I2}],
        "output": [[1, 0, 0], [0, 1, 1]], "mask": [[1, 0, 0], [0, 1, 1], [1, 1, 1]],
        "mlp": {"W1": [[1, 2]], "b1": [0.5], "W2": [[1], [0]], "b2": [0, 0.25], "activation": "relu"},
    },
    "named": {"tokens": TOKENS, "beta": 2.0, "time": 0.5, "heads": [HEAD, HEAD], "output": "mean", "mask": "causal"},
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_reads_back_what_it_holds(name):
    problem = problem_of_keys("attention", WHOLE[name], "here")
    kept = json.loads(json.dumps(keys_of(problem)))
    assert kept == WHOLE[name]
    assert problem_of_keys("attention", kept, "here").fingerprint == problem.fingerprint


def test_every_new_key_changes_the_fingerprint_and_none_changes_that_of_an_old_problem():
    old = Attention(TOKENS, I2, I2, 1.0)
    assert old.fingerprint == "02f28a1765fb8ed0"
    more = (dict(mask="causal"), dict(mlp=MLP), dict(output="mean"), dict(output=I2), dict(mask=np.ones((3, 3))))
    prints = {Attention(**PLAIN, **one).fingerprint for one in more} | {old.fingerprint}
    assert len(prints) == 1 + len(more)


def test_records_are_read_only_and_may_be_handed_over():
    problem = problem_of_keys("attention", WHOLE["all"], "here")
    again = Attention(
        TOKENS, beta=2.0, time=0.5, heads=list(problem.heads), output=problem.output, mask=problem.mask, mlp=problem.mlp
    )
    assert again.fingerprint == problem.fingerprint
    assert isinstance(again.heads[0], Head)
    assert isinstance(again.mlp, Perceptron)
    assert not any(array.flags.writeable for array in (again.heads[0].Q, again.output, again.mask, again.mlp.W1))


def test_the_leading_part_of_a_problem_has_the_leading_part_of_its_mask():
    smaller = FAMILIES["attention"].smaller
    problem = problem_of_keys("attention", WHOLE["all"], "here")
    part, _ = smaller(problem, 2)
    assert part.mask.tolist() == [[1, 0], [0, 1]]
    blind = Attention(**PLAIN, mask=[[0, 0, 1], [1, 1, 1], [1, 1, 1]])
    assert smaller(blind, 2) is None
    assert smaller(Attention(**PLAIN, mask="causal"), 2)[0].mask == "causal"
