"""The house rules that no single module can keep: one name for a stage, one truth for the graph."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from orchestration.graph import with_code
from smar import cli
from smar.data import schema
from smar.params import Params
from smar.paths import Paths

ROOT = Path(__file__).parent.parent
STAGES = list(cli.STAGES)
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
SHARED_SECTIONS = {"seed", "threads", "model", "loss", "gate", "curriculum"}


def test_stages_have_one_name_everywhere():
    modules = {path.stem for path in (ROOT / "smar/stages").glob("*.py")} - {"__init__"}
    sections = {field.alias or name for name, field in Params.model_fields.items()}
    assert set(STAGES) == modules == set(PIPELINE) == sections - SHARED_SECTIONS
    assert list(PIPELINE) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_stage_commands_and_descriptions_agree(stage: str):
    source = (ROOT / "smar" / "stages" / f"{stage}.py").read_text()
    assert PIPELINE[stage]["cmd"] == f"smar {stage}"
    assert ast.get_docstring(ast.parse(source)) == cli.STAGES[stage] == PIPELINE[stage]["desc"]


def test_stages_depend_on_exactly_the_code_they_import():
    text = (ROOT / "dvc.yaml").read_text()
    assert text == with_code(text), "run `make graph`"


@pytest.mark.parametrize("stage", STAGES)
def test_stage_tracks_exactly_the_parameters_it_reads(stage: str):
    source = (ROOT / "smar" / "stages" / f"{stage}.py").read_text()
    read = set(re.findall(r"\bparams\.(\w+?)_?\b(?!\()", source)) & {
        field.alias or name for name, field in Params.model_fields.items()
    }
    if "getattr(params, name)" in source:  # sections handed on by name
        read |= set(re.findall(r'"(model|loss|gate|curriculum|pretrain|finetune)"', source))
    assert set(PIPELINE[stage]["params"]) == read


def test_outputs_lie_where_the_library_looks():
    paths = Paths(Path())
    known = {
        str(value)
        for name in dir(Paths)
        if isinstance(getattr(Paths, name), property)
        for value in [getattr(paths, name)]
    } | {str(paths.ingested(table)) for table in schema.TABLES}
    for stage, content in PIPELINE.items():
        outs = [next(iter(out)) if isinstance(out, dict) else out for out in content["outs"]]
        assert set(outs) <= known, stage
        metrics = [next(iter(metric)) for metric in content["metrics"]]
        assert metrics == [str(paths.metrics(stage))]


def outs_of(stage: str) -> set[str]:
    """Return the outputs of a stage that DVC keeps."""
    outs = PIPELINE[stage]["outs"]
    return {next(iter(out)) if isinstance(out, dict) else out for out in outs}


def run_docstring(stage: str) -> str:
    """Return the docstring of a stage's `run`."""
    source = (ROOT / "smar" / "stages" / f"{stage}.py").read_text()
    run = next(
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "run"
    )
    return str(ast.get_docstring(run))


@pytest.mark.parametrize("stage", STAGES)
def test_stage_depends_on_exactly_the_data_it_reads(stage: str):
    read = run_docstring(stage).partition("Reads:")[2].partition("Writes:")[0]
    named = {
        name.rstrip("/") for name in re.findall(r"(?:data|models|reports|metrics)/[\w./]+", read)
    }
    named -= outs_of(stage)  # what the stage itself left there before
    listed = {dep for dep in PIPELINE[stage]["deps"] if not dep.startswith("smar/")}
    assert named == listed - {"${ingest.folder}"}


def test_nothing_is_made_from_rows_that_validation_did_not_accept():
    ingested = {str(Paths(Path()).ingested(table)) for table in schema.TABLES}
    readers = [stage for stage in STAGES if ingested & set(PIPELINE[stage]["deps"])]
    assert readers == ["validate"]
    later = STAGES[STAGES.index("validate") + 1 :]
    assert [stage for stage in later if "validate" not in makers_of(stage)] == []


def makers_of(stage: str) -> set[str]:
    """Return every stage that makes what a stage depends on, directly or not."""
    makers = {out: name for name in STAGES for out in outs_of(name)}
    direct = {makers[dep] for dep in PIPELINE[stage]["deps"] if dep in makers}
    return direct.union(*(makers_of(name) for name in direct))


def test_outputs_named_in_docstrings_are_those_of_the_pipeline():
    for stage in STAGES:
        written = run_docstring(stage).partition("Writes:")[2]
        named = {name.rstrip("/") for name in re.findall(r"[\w/]+(?:\.\w+)?/?", written)}
        content = PIPELINE[stage]
        listed = {
            next(iter(out)) if isinstance(out, dict) else out
            for key in ("outs", "metrics", "plots")
            for out in content.get(key, [])
        }
        assert named == listed, stage


def test_outputs_in_data_are_ignored_by_git():
    outs = {out for stage in STAGES for out in outs_of(stage) if out.startswith("data/")}
    ignored = {f"data{line}" for line in (ROOT / "data/.gitignore").read_text().split()}
    assert {str(Path(*Path(out).parts[:2])) for out in outs} == ignored


def test_library_imports_no_orchestrator_and_unpickles_nothing():
    banned = re.compile(
        r"^\s*(?:import|from) (?:dvc|dagster|pickle|joblib|shelve|dill|cloudpickle)\b"
        r"|torch\.load\(|read_pickle|allow_pickle=True|trust_remote_code=True|yaml\.load\(",
        re.MULTILINE,
    )
    for file in (ROOT / "smar").rglob("*.py"):
        assert not banned.search(file.read_text()), file


# What may import what: a room imports rooms of a lower rank, and never one of its own.
RANKS = {
    name: rank
    for rank, names in enumerate(
        [
            ("errors", "paths", "seeding", "closure"),
            ("artifacts",),
            ("params",),
            ("data",),
            ("sources", "demo", "synthetic", "losses", "pages"),
            ("models",),
            ("judging",),
            ("index",),
            ("service",),
            ("train", "validation", "evaluation", "monitoring"),
            ("release",),
            ("study",),
            ("stages",),
            ("cli",),
        ]
    )
    for name in names
}


def test_every_room_has_a_rank():
    rooms = {path.name.removesuffix(".py") for path in (ROOT / "smar").glob("[!_]*")}
    assert rooms == set(RANKS)


def test_imports_run_one_way():
    imported = re.compile(r"^\s*(?:from|import) smar\.(\w+)", re.MULTILINE)
    upwards = []
    for file in (ROOT / "smar").rglob("*.py"):
        own = file.relative_to(ROOT / "smar").parts[0].removesuffix(".py")
        if own in RANKS:  # all but __init__ and __main__
            others = set(imported.findall(file.read_text())) - {own}
            upwards += [f"{file.name}: smar.{o}" for o in others if RANKS[o] >= RANKS[own]]
            assert not re.search(r"^\s*from smar import", file.read_text(), re.MULTILINE), file
    assert not upwards
