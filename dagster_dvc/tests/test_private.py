"""Every use of what DVC and Dagster do not document: why, and what is expected of it.

These fail first, and by name, where an installed version differs.
"""

import ast
import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from dagster_dvc import private
from dagster_dvc.tests.support import write_pipeline

PRIVATE = Path(private.__file__).parent
# "module:name" -> the parameters it is called with, and why it is used.
USES: dict[str, tuple[tuple[str, ...], str]] = {
    "dagster._core.definitions.data_version:CODE_VERSION_TAG": ((), "tags of events without a run"),
    "dagster._core.definitions.data_version:DATA_VERSION_TAG": ((), "the same"),
    "dagster._core.definitions.data_version:DATA_VERSION_IS_USER_PROVIDED_TAG": ((), "the same"),
    "dagster._core.definitions.data_version:DEFAULT_DATA_VERSION": (
        (), "what Dagster takes for the version of what it never made: no difference"),
    "dagster._core.definitions.data_version:NULL_EVENT_POINTER": ((), "an input without an event"),
    "dagster._core.definitions.data_version:get_input_data_version_tag": (
        ("input_key",), "which version of an input DVC read: the order of events says another"),
    "dagster._core.definitions.data_version:get_input_event_pointer_tag": (
        ("input_key",), "goes with it"),
    "dagster._core.definitions.assets.definition.assets_definition"
    ":stringify_asset_key_to_input_name": (
        ("asset_key",), "whether keys may have a dot"),
    "dagster._core.definitions.unresolved_asset_job_definition:UnresolvedAssetJobDefinition": (
        (), "the type that the public `define_asset_job` returns"),
    "dagster._core.errors:DagsterExecutionInterruptedError": (
        (), "how a step is told to stop: its processes have to be stopped with it"),
    "dagster._core.execution.retries:RetryMode": ((), "an argument of the executor"),
    "dagster._core.executor.multiprocess:MultiprocessExecutor": (
        ("retries", "max_concurrent", "start_method"), "the public one cannot fork"),
    "dagster.components.utils.translation:TranslationFn": ((), "templates of YAML over a spec"),
    "dagster.components.utils.translation:TranslationFnResolver": (
        ("template_vars_for_translation_fn",), "the same"),
    "dvc.cli:main": (("argv",), "a command without starting Python again"),
    "dvc.cli.parser": ((), "DVC's parser of arguments, which is made once for all stages"),
    "dvc.logger": ((), "what such a command prints"),
    "dvc.logger:setup": (("level",), "the same"),
    "dvc.dependency:DatasetDependency": ((), "its path is an address"),
    "dvc.dependency:ParamsDependency": ((), "parameters are told from files by their class"),
    "dvc.dvcfile:ProjectFile": ((), "whose schema is compiled once"),
    "dvc.dvcfile:load_file": (("repo", "path"), "the stages of a file of which one is broken"),
    "dvc.exceptions:DvcException": ((), "the base of DVC's own reasons"),
    "dvc.output": ((), "where a file system is made for every path"),
    "dvc.parsing:EntryDefinition": ((), "tells a plain stage from a template"),
    "dvc.parsing:ResolveError": ((), "one stage of a file cannot be resolved"),
    "dvc.repo:Repo": (("root_dir",), "everything starts from it"),
    "dvc.repo.graph:build_graph": (("stages",), "DVC's reason against a graph"),
    "dvc.repo.index:Index": ((), "where a file is read: errors of Python are that file's"),
    "dvc.repo.index:collect_files": (
        ("repo", "onerror"), "which files count: .dvcignore and git leave some out"),
    "dvc.repo.reproduce:get_active_graph": (("graph",), "how `dvc repro` takes frozen stages"),
    "dvc.schema": ((), "the schema of a stage, to compile it once"),
    "dvc.stage.loader:StageLoader": ((), "what dvc.lock says, without reading all again"),
    "dvc.utils.hydra:apply_overrides": (("path", "overrides"), "a parameter, comments kept"),
    "dvc.utils.serialize:parse_yaml": (("text", "path", "typ"), "what libyaml stands in for"),
    "dvc.dvcfile": ((), "where dvc.lock is written"),
    "dvc.utils.serialize:dump_yaml": (("path", "data", "fs"), "how it is written"),
    "dvc.utils.serialize:modify_yaml": (("path", "fs"), "what is done instead of for dvc.lock"),
    "dvc.utils.serialize._yaml": ((), "where files of parameters are parsed, for every stage"),
    "dvc.utils.strictyaml": ((), "where parsing is called; errors with text, line and key"),
    "dvc.utils.strictyaml:determine_linecol": (("data", "paths"), "the line of a broken key"),
    "dvc_data.hashfile.build:build": (
        ("odb", "path", "fs", "name", "ignore", "dry_run"), "DVC's hash of a folder"),
}  # fmt: skip
# What is read of DVC's objects, and of which.
ATTRIBUTES = {
    "repo": ["cache", "fs", "dvcignore", "close"],
    "stage": ["path", "name", "cmd", "desc", "meta", "frozen", "always_changed", "is_callback",
              "is_import", "is_repo_import", "is_versioned_import", "deps", "outs", "tracked_vars",
              "changed_stage", "cmd_changed", "dvcfile"],
    "out": ["def_path", "fs_path", "protocol", "metric", "plot", "use_cache", "persist", "status",
            "get_hash", "hash_info", "ignore"],
    "params": ["params", "read_params", "stage", "repo", "status"],
    "dvcfile": ["contents", "stages", "resolver"],
}  # fmt: skip


def _imported() -> set[str]:
    found = set()
    for file in PRIVATE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {a.name for a in node.names if a.name.partition(".")[0] == "dvc"}
            elif isinstance(node, ast.ImportFrom):
                module = str(node.module)
                if module.partition(".")[0] in {"dvc", "dvc_data", "dagster"}:
                    found |= {f"{module}:{alias.name}" for alias in node.names}
    return found


def test_every_use_is_listed():
    listed = {use.replace(":", ".") for use in USES} - {"dvc.logger.setup"}
    assert {use.replace(":", ".") for use in _imported()} == listed


@pytest.mark.parametrize("use", USES)
def test_it_is_there_as_it_is_used(use: str):
    module, _, name = use.partition(":")
    found: Any = import_module(module)
    found = getattr(found, name) if name else found
    parameters, reason = USES[use]
    assert reason
    if parameters:
        taken = inspect.signature(found).parameters
        is_open = any(p.kind is p.VAR_KEYWORD for p in taken.values())
        assert is_open or set(parameters) <= set(taken)


@pytest.fixture(scope="module")
def objects(initialised_once: Path) -> dict[str, Any]:
    """DVC's objects of a repository of one stage."""
    stage = {"cmd": "touch x", "deps": ["raw.txt"], "params": ["lr"], "outs": ["x"]}
    write_pipeline(initialised_once, {"stages": {"a": stage}})
    (initialised_once / "params.yaml").write_text("lr: 1\n")
    repo = Repo(str(initialised_once))
    stage = next(iter(repo.index.stages))
    params = next(dep for dep in stage.deps if type(dep).__name__ == "ParamsDependency")
    (out,) = stage.outs
    return {"repo": repo, "stage": stage, "out": out, "params": params, "dvcfile": stage.dvcfile}


@pytest.mark.parametrize(
    ("kind", "attribute"), [(kind, name) for kind, names in ATTRIBUTES.items() for name in names]
)
def test_object_has_what_is_read_of_it(objects: dict[str, Any], kind: str, attribute: str):
    assert hasattr(objects[kind], attribute)


def test_index_of_a_file_holds_stages_and_plots(objects: dict[str, Any]):
    from dvc.repo.index import collect_files

    ((path, index),) = collect_files(objects["repo"], lambda *_: None)
    assert path.endswith("dvc.yaml")
    assert [stage.name for stage in index.stages] == ["a"]
    assert index._plots == {}


def test_changed_stage_and_status_say_what_they_did(objects: dict[str, Any]):
    stage = objects["stage"]
    assert stage.changed_stage() is False
    stage.cmd_changed = True
    assert stage.changed_stage() is True
    assert objects["out"].status() == {"x": "deleted"}
    assert objects["params"].status() == {"params.yaml": "new"}
    assert objects["params"].read_params() == {"lr": 1}


def test_stage_takes_in_what_dvc_lock_says(objects: dict[str, Any]):
    from dvc.stage.loader import StageLoader

    md5 = "d41d8cd98f00b204e9800998ecf8427e"
    outs = [{"path": "x", "hash": "md5", "md5": md5, "size": 0}]
    StageLoader.fill_from_lock(objects["stage"], {"cmd": "touch x", "outs": outs})
    assert objects["out"].hash_info.value == md5


def test_schema_that_is_compiled_once_is_dvc_s_own():
    from dvc import schema
    from dvc.dvcfile import ProjectFile

    assert ProjectFile.SCHEMA is schema.COMPILED_MULTI_STAGE_SCHEMA
    assert set(schema.FOREACH_IN) == {"foreach", "do"}
    assert {"stages", "vars", "plots"} <= set(schema.MULTI_STAGE_SCHEMA)
    plain, template = {"a": {"cmd": "x"}}, {"a": {"foreach": [1], "do": {"cmd": "x"}}}
    from dagster_dvc.private.speed import _compiled_schema

    for content in (plain, template, {"a": {"cmd": 3}}, {"a": {"do": {"cmd": "x"}}}, {"a": 3}):
        results = []
        for compiled in (ProjectFile.SCHEMA, _compiled_schema()):
            try:
                results.append(str(compiled({"stages": content})))
            except Exception as error:  # noqa: BLE001 - both have to raise the same
                results.append(repr(error))
        assert results[0] == results[1]


def test_repro_says_what_the_runner_listens_for(objects: dict[str, Any]):
    """The runner tells what DVC did from what it prints."""
    from dvc.stage import run, utils
    from dvc.stage.exceptions import StageCmdFailedError

    assert "didn't change, skipping" in inspect.getsource(import_module("dvc.stage"))
    assert "is cached - skipping run" in inspect.getsource(import_module("dvc.stage.cache"))
    assert "Running stage '%s':" in inspect.getsource(run)
    assert str(StageCmdFailedError("false", 1)).endswith("exited with 1")
    assert utils
    assert "Unable to acquire lock" in inspect.getsource(import_module("dvc.lock"))
    assert "is busy, it is being blocked by" in inspect.getsource(import_module("dvc.rwlock"))


def test_lock_file_has_the_form_that_is_read(objects: dict[str, Any]):
    """dvc.lock is read without DVC, so that nothing waits for its lock."""
    from dvc import schema

    text = "schema: '2.0'\nstages: {a: {cmd: x, outs: [{path: x, hash: md5, md5: {md5}}]}}\n"
    text = text.replace("{md5}", "d41d8cd98f00b204e9800998ecf8427e")
    assert schema.COMPILED_LOCKFILE_SCHEMA(yaml.safe_load(text))["stages"]


@pytest.mark.parametrize("path", ["a", "a b/c.csv", "../x", "/x/y", "é/ü", ".", "a//b/", "-x"])
def test_file_system_that_paths_share_is_the_one_dvc_would_make(empty: Path, path: str):
    """A file system for every path takes a quarter of the time of reading many stages."""
    from dvc.fs import get_cloud_fs
    from dvc.repo import Repo

    from dagster_dvc.private.speed import _shared_fs

    with Repo(str(empty)) as repo:
        shared = _shared_fs(get_cloud_fs)
        shared(repo.config, url="first")
        plain, own = get_cloud_fs(repo.config, url=path), shared(repo.config, url=path)
    assert own[1:] == plain[1:]
    assert type(own[0](**own[1])) is plain[0]


@pytest.mark.parametrize("url", ["s3://b/k", "https://h/x", "remote://r/x", "~/x", "C:\\x"])
def test_address_has_a_file_system_of_its_own(url: str):
    from dagster_dvc.private.speed import _shared_fs

    asked: list[Any] = []
    _shared_fs(lambda config, **kwargs: asked.append(kwargs))({}, url=url)
    assert asked == [{"url": url}]


def test_parser_of_dvc_is_made_before_a_process_is_copied():
    """Making it takes a third of a small stage's time; DVC asks the module for it."""
    from dvc.cli import parse_args
    from dvc.commands.repro import CmdRepro

    from dagster_dvc.private import actions

    actions.get_ready()
    actions.get_ready()
    (parser,) = actions._ready
    assert parser.parse_args(["repro", "--single-item", "x"]).func is CmdRepro
    assert "from .parser import get_main_parser" in inspect.getsource(parse_args)
