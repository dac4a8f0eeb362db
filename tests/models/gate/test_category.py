"""SMAR's gate against its formula, with numbers that tell its parts from each other."""

import math

import pytest
import torch

from smar.models.gate.base import GateWidths
from smar.models.gate.category import KindGate, Params
from smar.models.gate.teaching import Lesson


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_loss_is_the_formula(weight: float):
    of_text, of_both = torch.tensor([1.0, 3.0]), torch.tensor([0.2, 0.1])
    logit, visual = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 1.0])
    gate = KindGate(GateWidths.example(), Params(weight=weight))
    lesson = Lesson(lambda: of_text, lambda: of_both, lambda: of_text * 9, logit, visual)
    expected = 0.0
    for row in range(2):
        chance = 1 / (1 + math.exp(-float(logit[row])))
        ranking = chance * float(of_both[row]) + (1 - chance) * float(of_text[row])
        expected += (ranking - weight * math.log(chance)) / 2
    assert float(gate.teach(lesson)) == pytest.approx(expected, abs=1e-6)
