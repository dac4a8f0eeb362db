"""Kinds: read without importing them, each saying all about itself, and named nowhere else."""

import doctest
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from smar.closure import closure
from smar.params import Params
from smar.params.kinds import FAMILIES, FUSIONS, GENERATORS, LOSSES, Family, Kind

ROOT = Path(__file__).parents[2]
KINDS = [(family, kind) for family in FAMILIES for kind in family.kinds.values()]
NAMES = [kind.module for _, kind in KINDS]
# Words that mean other things too: a way to weigh tasks, and two columns.
ALSO_OTHERWISE = {"learned", "attributes", "category", "field"}


@pytest.mark.parametrize(("family", "kind"), KINDS, ids=NAMES)
def test_kind_says_what_it_is_and_what_its_parameters_mean(family: Family, kind: Kind):
    assert kind.summary.endswith((".", ".)"))
    for name, field in kind.params.model_fields.items():
        assert field.description, (
            f"{kind.module}.Params.{name}: no text below it says what it means"
        )
        assert not field.is_required(), f"{kind.module}.Params.{name}: has no default"


@pytest.mark.parametrize(("family", "kind"), KINDS, ids=NAMES)
def test_what_is_read_of_a_kind_is_what_it_says_when_imported(family: Family, kind: Kind):
    module = kind.load()
    assert module.Params().model_dump() == kind.params().model_dump()
    assert {name: getattr(module, name, family.facts[name]) for name in family.facts} == kind.facts


@pytest.mark.parametrize(("family", "kind"), KINDS, ids=NAMES)
def test_examples_in_the_docstrings_of_a_kind_run(family: Family, kind: Kind):
    outcome = doctest.testmod(kind.load())
    assert outcome.attempted, f"{kind.module}: no docstring has an example"
    assert not outcome.failed


@pytest.mark.parametrize(("family", "kind"), KINDS, ids=NAMES)
def test_kind_imports_no_other_kind(family: Family, kind: Kind):
    others = {f"{one.module.replace('.', '/')}.py" for _, one in KINDS} - {
        f"{kind.module.replace('.', '/')}.py"
    }
    assert not others & set(closure(kind.module))


def test_no_other_file_names_a_kind():
    found = []
    for file in (ROOT / "smar").rglob("*.py"):
        if file.parent.name in {"params", "demo"}:  # the defaults; the words of things for sale
            continue
        text = file.read_text()
        found += [
            f"{file.relative_to(ROOT)}: {kind.name}"
            for family, kind in KINDS
            if file != family.folder / f"{kind.name}.py"
            and kind.name not in ALSO_OTHERWISE
            and re.search(rf"[\"']{kind.name}[\"']", text)
        ]
    assert not found


def test_every_kind_has_an_entry_that_dvc_can_track():
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    missing = [
        f"{family.section}.{kind.name}"
        for family, kind in KINDS
        if kind.name not in content[family.section]
    ]
    assert not missing, "run `smar params --upgrade`"


def test_a_file_with_a_class_params_is_a_kind_and_its_parameters_are_checked(tmp_path: Path):
    folder = tmp_path / "smar" / "losses"
    folder.mkdir(parents=True)
    (folder / "shared.py").write_text("import torch\n")
    (folder / "toy.py").write_text(
        '"""A toy."""\n'
        "from typing import Annotated\n\n"
        "import no_such_module\n"
        "from pydantic import Field\n"
        "from smar.params.section import Section\n\n"
        "NEEDS_SHOWN = True\n\n"
        "class Params(Section):\n"
        "    width: Annotated[int, Field(ge=1)] = 3\n"
        '    """How wide."""\n'
    )

    class Elsewhere(Family):
        folder = tmp_path / "smar" / "losses"

    family = Elsewhere("smar.losses", "loss.kind", "loss", LOSSES.facts)
    assert list(family) == ["toy"]
    kind = family["toy"]
    assert (kind.summary, kind.facts["NEEDS_SHOWN"]) == ("A toy.", True)
    assert kind.params.model_fields["width"].description == "How wide."
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        kind.params(width=0)


def test_parameters_are_known_without_importing_what_they_are_for():
    code = (
        "import sys\nfrom smar.params import load_params\nfrom pathlib import Path\n"
        "load_params(Path('params.yaml'))\n"
        "heavy = {'torch', 'pandas', 'numpy', 'transformers', 'faiss', 'great_expectations'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    started = time.process_time()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert time.process_time() - started < 1


def test_settings_leave_out_what_was_not_chosen():
    settings = Params().loss.settings()
    assert set(settings) == {"kind", "weights", Params().loss.kind}


def test_shares_of_generators_name_every_generator():
    assert set(Params().synthesize.shares) == set(GENERATORS)


def test_only_text_alone_leaves_pictures_out():
    assert [kind for kind in FUSIONS if not FUSIONS[kind].facts["SEES_PICTURES"]] == ["text_only"]
