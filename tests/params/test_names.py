"""Names read from the source of other rooms are the ones that those rooms use."""

import pytest
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from smar.judging.metrics import METRICS
from smar.params import Params, names
from smar.validation.shop import contracts


def test_metrics_and_rules_are_those_that_exist():
    assert set(names.metrics()) == set(METRICS)
    known = {
        f"{contract.table}.{rule.name}"
        for contract in contracts(Params().validate_)
        for rule in contract.rules
    }
    assert known <= set(names.rules())


@pytest.mark.parametrize("architecture", ["bert", "vit", "distilbert", "xlm-roberta", "dinov2"])
def test_architectures_are_those_of_transformers(architecture: str):
    assert architecture in CONFIG_MAPPING_NAMES
    assert architecture in names.architectures()


def test_a_lost_constant_is_named():
    with pytest.raises(LookupError, match="assigns no NOTHING"):
        names.constants("judging/metrics.py", "NOTHING")
