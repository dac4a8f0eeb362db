"""The house rules that no single module can keep: one name for a stage, one truth for the graph."""

import re
from pathlib import Path

import pytest

from orchestration.graph import differences, with_code
from smar.data import schema
from smar.params import Params
from smar.paths import Paths
from smar.stages import declared

ROOT = Path(__file__).parent.parent
STAGES = declared()
SHARED_SECTIONS = {"seed", "threads", "model", "fusion", "loss", "gate", "curriculum", "clicks"}
SHARED_SECTIONS |= {"cluster"}


def test_dvc_yaml_is_what_the_stages_declare():
    parted = differences((ROOT / "dvc.yaml").read_text(), STAGES)
    assert not parted, "\n".join(parted)


def test_sections_of_params_belong_to_a_stage_or_are_shared():
    sections = {field.alias or name for name, field in Params.model_fields.items()}
    lost = sections - SHARED_SECTIONS - set(STAGES)
    assert not lost, f"no stage is named like the sections {lost} of smar/params"
    for name, stage in STAGES.items():
        for entry in stage.params:
            section = entry.partition(".")[0]
            assert section in sections, f"stage {name}: smar/params has no section {section}"
            assert section in SHARED_SECTIONS | set(STAGES), section


def test_stages_depend_on_exactly_the_code_they_import():
    text = (ROOT / "dvc.yaml").read_text()
    assert text == with_code(text), "run `make graph`"


@pytest.mark.parametrize("stage", STAGES)
def test_stage_declares_exactly_the_parameters_it_reads(stage: str):
    source = (ROOT / "smar" / "stages" / f"{stage}.py").read_text()
    read = set(re.findall(r"\bparams\.(\w+?)_?\b(?!\()", source)) & {
        field.alias or name for name, field in Params.model_fields.items()
    }
    if "getattr(params, name)" in source:  # sections handed on by name
        read |= set(re.findall(r'"(model|loss|gate|curriculum|pretrain|finetune)"', source))
    declared = {entry.partition(".")[0] for entry in STAGES[stage].params}
    read -= {"cluster"}  # decides where, never what
    assert declared == read, f"smar/stages/{stage}.py: params of STAGE beside what run uses"


def test_what_a_stage_reads_is_written_by_another():
    written = {name for stage in STAGES.values() for name in stage.writes}
    for name, stage in STAGES.items():
        lost = [entry for entry in stage.reads if entry not in written and "$" not in entry]
        assert not lost, f"stage {name} reads {', '.join(lost)}, which no stage writes"


def test_outputs_that_others_read_lie_where_the_library_looks():
    paths = Paths(Path())
    known = {
        str(value)
        for name in dir(Paths)
        if isinstance(getattr(Paths, name), property)
        for value in [getattr(paths, name)]
    }
    known |= {str(paths.ingested(table)) for table in schema.TABLES}
    known |= {str(paths.outcome(name)) for name in STAGES}
    for stage in STAGES.values():
        assert {entry for entry in stage.reads if "$" not in entry} <= known


@pytest.mark.parametrize("stage", STAGES)
def test_stage_keeps_its_figures_under_its_name(stage: str):
    figures = ("metrics/", "reports/outcomes/")
    found = [entry for entry in STAGES[stage].writes if entry.startswith(figures)]
    assert found == [str(Paths(Path()).outcome(stage)), str(Paths(Path()).metrics(stage))]


def test_nothing_is_made_from_rows_that_validation_did_not_accept():
    ingested = {str(Paths(Path()).ingested(table)) for table in schema.TABLES}
    assert [name for name, stage in STAGES.items() if ingested & set(stage.reads)] == ["validate"]
    names = list(STAGES)
    later = names[names.index("validate") + 1 :]
    assert [stage for stage in later if "validate" not in makers_of(stage)] == []


def makers_of(stage: str) -> set[str]:
    """Return every stage that makes what a stage reads, directly or not."""
    makers = {out: name for name, content in STAGES.items() for out in content.writes}
    direct = {makers[entry] for entry in STAGES[stage].reads if entry in makers}
    return direct.union(*(makers_of(name) for name in direct))


@pytest.mark.parametrize("stage", STAGES)
def test_outputs_in_data_are_ignored_by_git(stage: str):
    ignored = {f"data{line}" for line in (ROOT / "data/.gitignore").read_text().split()}
    outs = {str(Path(*Path(out).parts[:2])) for out in STAGES[stage].writes if "data/" in out}
    assert outs <= ignored, f"add {outs - ignored} to data/.gitignore"


def test_what_commands_of_the_readme_write_is_ignored_by_git():
    written = re.findall(r"--html (\S+)", (ROOT / "README.md").read_text())
    ignored = set((ROOT / ".gitignore").read_text().split())
    assert written
    assert {f"/{name}" for name in written} <= ignored


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
            (
                "errors",
                "logs",
                "paths",
                "seeding",
                "closure",
                "content_keys",
                "replace",
                "experiment",
                "kept_files",
                "scratch",
                "huge_pages",
                "kept_memory",
                "later",
            ),
            ("artifacts", "checks", "object_store"),
            ("declaration", "params", "provenance", "verified"),
            ("data", "shards"),
            ("sources", "demo", "synthetic", "losses", "pages"),
            ("models", "planning"),
            ("judging", "features"),
            ("index",),
            ("service",),
            ("train", "validation", "evaluation", "monitoring", "datasets", "export"),
            ("release",),
            ("stages",),
            ("running",),
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
