"""The house rules that no single module can keep: one name for a stage, one truth for the graph."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from smar import cli
from smar.params import Params
from smar.paths import Paths

ROOT = Path(__file__).parent.parent
STAGES = list(cli.STAGES)
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
# What these say reaches a stage as parameter values and paths, which DVC tracks by themselves, or
# as the text of an error; as dependencies they would make every new parameter retrain the model.
SEEN_OTHERWISE = {"smar/params.py", "smar/paths.py", "smar/errors.py"}
SHARED_SECTIONS = {"seed", "threads", "model", "loss", "gate"}


@cache
def imports_of(file: Path) -> frozenset[Path]:
    """Return the files of smar that a file imports, anywhere in it."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            found |= files_of(name)
    return frozenset(found)


def files_of(module: str) -> set[Path]:
    """Return the file of a module of smar, with the packages above it; empty for others."""
    parts = module.split(".")
    if parts[0] != "smar":
        return set()
    candidates = [ROOT.joinpath(*parts[:n]) / "__init__.py" for n in range(1, len(parts) + 1)]
    candidates.append(ROOT.joinpath(*parts).with_suffix(".py"))
    return {path for path in candidates if path.is_file()}


def closure(stage: str) -> list[str]:
    """Return every file of smar that a stage's module needs."""
    start = ROOT / "smar" / "stages" / f"{stage}.py"
    seen, waiting = set(), [start]
    while waiting:
        file = waiting.pop()
        if file not in seen and file != ROOT / "smar/__init__.py":  # imports lazily, for users
            seen.add(file)
            waiting += imports_of(file)
    # Package files without an import cannot change a result.
    kept = {file for file in seen if file.name != "__init__.py" or imports_of(file)}
    # A module that names a template needs its package's templates.
    for file in [file for file in kept if ".j2" in file.read_text()]:
        kept |= set((file.parent / "templates").glob("*.j2"))
    return sorted(
        name
        for name in (str(path.relative_to(ROOT)) for path in kept)
        if name not in SEEN_OTHERWISE
    )


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


@pytest.mark.parametrize("stage", STAGES)
def test_stage_depends_on_exactly_the_code_it_imports(stage: str):
    listed = sorted(dep for dep in PIPELINE[stage]["deps"] if dep.startswith("smar/"))
    expected = closure(stage)
    lines = "\n".join(f"      - {dep}" for dep in expected)
    assert listed == expected, f"deps of {stage} in dvc.yaml should be:\n{lines}"


@pytest.mark.parametrize("stage", STAGES)
def test_stage_tracks_exactly_the_parameters_it_reads(stage: str):
    source = (ROOT / "smar" / "stages" / f"{stage}.py").read_text()
    read = set(re.findall(r"\bparams\.(\w+?)_?\b(?!\()", source)) & {
        field.alias or name for name, field in Params.model_fields.items()
    }
    if "getattr(params, name)" in source:  # sections handed on by name
        read |= set(re.findall(r'"(model|loss|gate|pretrain|finetune)"', source))
    assert set(PIPELINE[stage]["params"]) == read


def test_outputs_lie_where_the_library_looks():
    paths = Paths(Path())
    known = {
        str(value)
        for name in dir(Paths)
        if isinstance(getattr(Paths, name), property)
        for value in [getattr(paths, name)]
    }
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
    order_only = {"reports/validation"} - named  # a failed validation stops what follows
    assert named == listed - order_only - {"${ingest.folder}"}


def test_nothing_is_made_from_data_that_failed_validation():
    later = STAGES[STAGES.index("validate") + 1 :]
    assert [stage for stage in later if not needs("reports/validation", stage)] == []


def needs(path: str, stage: str) -> bool:
    """Return whether a stage, or one whose outputs it reads, depends on a path."""
    deps = PIPELINE[stage]["deps"]
    makers = {out: name for name in STAGES for out in outs_of(name)}
    return path in deps or any(needs(path, makers[dep]) for dep in deps if dep in makers)


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
    assert {f"data{line}" for line in (ROOT / "data/.gitignore").read_text().split()} == outs


def test_library_imports_no_orchestrator_and_unpickles_nothing():
    banned = re.compile(
        r"^\s*(?:import|from) (?:dvc|dagster|pickle|joblib|shelve|dill|cloudpickle)\b"
        r"|torch\.load\(|read_pickle|allow_pickle=True|trust_remote_code=True|yaml\.load\(",
        re.MULTILINE,
    )
    for file in (ROOT / "smar").rglob("*.py"):
        assert not banned.search(file.read_text()), file


def test_imports_run_one_way():
    ranks = {
        "errors": 0, "params": 0, "artifacts": 0, "paths": 0, "seeding": 0,
        "data": 1, "queries": 1, "losses": 1, "models": 1,
        "index": 2, "train": 2, "evaluation": 2, "service": 2, "release": 2, "monitoring": 2,
        "stages": 3, "cli": 4,
    }  # fmt: skip
    for file in (ROOT / "smar").rglob("*.py"):
        relative = file.relative_to(ROOT / "smar")
        own = ranks.get(relative.parts[0].removesuffix(".py"))
        if own is None:  # __init__ and __main__
            continue
        for imported in imports_of(file):
            part = imported.relative_to(ROOT / "smar").parts[0].removesuffix(".py")
            assert ranks.get(part, 0) <= own, f"{relative} imports {part}"
