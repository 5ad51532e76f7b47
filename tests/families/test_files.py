"""A file's keys become a problem, or a sentence with the file's name, whatever a family's problem raises."""

import dataclasses

import numpy as np
import pytest

from analogflow import families
from analogflow.errors import BadInput
from analogflow.families.files import read_problem


@dataclasses.dataclass(frozen=True, eq=False)
class Careless:
    """Converts what it is given, without a look at it."""

    matrix: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "matrix", np.asarray(self.matrix, dtype=float))
        if self.matrix.ndim == 1:
            {}["row"]
        if self.matrix.size == 0:
            raise BadInput("Careless: matrix is empty.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"matrix": "x"}', r"^'.*own\.json': the keys are not a careless one \(ValueError: .*'x'.*\)\.$"),
        ('{"matrix": {"a": 1}}', r"^'.*own\.json': the keys are not a careless one \(TypeError: .*\)\.$"),
        ('{"matrix": [1, 2]}', r"^'.*own\.json': the keys are not a careless one \(KeyError: 'row'\)\.$"),
        ('{"matrix": [[]]}', r"^'.*own\.json': Careless: matrix is empty\.$"),
    ],
)
def test_what_a_problem_raises_by_itself_is_a_sentence(monkeypatch, tmp_path, text, said):
    careless = families.Family(
        name="careless", problem=Careless, noun="a careless one", keys=("matrix",), needed={"matrix": "numbers"},
        flow=lambda problem: problem, forms=("only",),
    )  # fmt: skip
    monkeypatch.setitem(families.FAMILIES._entries, "careless", careless)
    path = tmp_path / "own.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=said):
        read_problem("careless", path)
