"""Every form a stage can have is read as DVC reads it, and broken files are named."""

from pathlib import Path

import pytest

from dagster_dvc.errors import DuplicateError, ManifestError
from dagster_dvc.paths import overlaps
from dagster_dvc.repository import Repository, load_manifest
from dagster_dvc.tests.support import run, write_pipeline


def test_plain_stages_come_in_order_with_everything_dvc_knows(repository: Path):
    manifest = load_manifest(repository)
    assert list(manifest.stages) == ["prepare", "total", "page"]
    total = manifest.stages["total"]
    assert total.desc == "Their sum."
    assert total.cmd == "python code/total.py"
    assert total.upstream == ("prepare",)
    assert total.params == {"params.yaml": {"scale": 10}}
    assert [(out.path, out.kind, out.is_cached) for out in total.outs] == [
        ("total.txt", "data", True),
        ("metrics.json", "metric", False),
    ]
    assert total.lock is None
    assert "raw.txt" in manifest.sources
    assert "total.txt" not in manifest.sources


def test_lock_is_read_after_a_run_directories_included(repository: Path):
    run(repository, "dvc", "repro")
    manifest = load_manifest(repository)
    total, page = manifest.stages["total"].lock, manifest.stages["page"].lock
    assert total
    assert total.params == {"params.yaml": {"scale": 10}}
    assert total.deps["numbers.txt"].md5 == "6ddb4095eb719e2a9f0a3f95677d24e0"  # md5 of "1\n2\n"
    assert page
    assert page.outs["site"].md5.endswith(".dir")
    assert page.outs["site"].num_files == 1


def test_foreach_matrix_vars_several_commands_and_frozen(empty: Path):
    (empty / "raw").mkdir()
    (empty / "raw" / "a.txt").write_text("a\n")
    (empty / "params.yaml").write_text("sizes: [1, 2]\n")
    write_pipeline(
        empty,
        {
            "vars": [{"folder": "out"}],
            "stages": {
                "first": {
                    "cmd": ["mkdir -p ${folder}", "cp raw/a.txt ${folder}/first.txt"],
                    "deps": ["raw"],
                    "outs": ["${folder}/first.txt"],
                },
                "each": {
                    "foreach": ["x", "y"],
                    "do": {
                        "cmd": "cp ${folder}/first.txt ${item}.txt",
                        "deps": ["${folder}/first.txt"],
                        "outs": ["${item}.txt"],
                    },
                },
                "grid": {
                    "matrix": {"size": "${sizes}", "kind": ["p"]},
                    "cmd": "cp x.txt ${item.kind}${item.size}.txt",
                    "deps": ["x.txt"],
                    "outs": ["${item.kind}${item.size}.txt"],
                },
                "still": {
                    "cmd": "cp y.txt still.txt",
                    "deps": ["y.txt"],
                    "outs": ["still.txt"],
                    "frozen": True,
                },
            },
        },
    )
    stages = load_manifest(empty).stages
    assert set(stages) == {"first", "each@x", "each@y", "grid@1-p", "grid@2-p", "still"}
    assert stages["first"].lines == ("mkdir -p out", "cp raw/a.txt out/first.txt")
    assert stages["each@y"].upstream == ("first",)
    assert stages["each@y"].template == "each"
    assert stages["grid@2-p"].outs[0].path == "p2.txt"
    assert stages["still"].is_frozen
    assert stages["still"].upstream == ()


def test_files_tracked_by_dvc_are_sources(repository: Path):
    run(repository, "dvc", "add", "-q", "raw.txt")
    source = load_manifest(repository).sources["raw.txt"]
    assert source.tracked_by == "raw.txt.dvc"


def test_stages_of_a_folder_have_its_name(repository: Path):
    (repository / "sub").mkdir()
    write_pipeline(
        repository / "sub",
        {"stages": {"copy": {"cmd": "cp ../total.txt c.txt", "deps": ["../total.txt"],
                             "outs": ["c.txt"]}}},
    )  # fmt: skip
    stage = load_manifest(repository).stages["sub/dvc.yaml:copy"]
    assert stage.deps == ("total.txt",)
    assert stage.outs[0].path == "sub/c.txt"
    assert stage.upstream == ("total",)


def test_folder_without_dvc_is_refused(tmp_path: Path):
    with pytest.raises(ManifestError, match=r"not a DVC repository.*Run `dvc init`"):
        load_manifest(tmp_path)


def test_repository_of_data_alone_has_sources_and_no_stages(empty: Path):
    (empty / "data.csv").write_text("1\n")
    run(empty, "dvc", "add", "-q", "data.csv")
    manifest = load_manifest(empty)
    assert manifest.stages == {}
    assert manifest.sources["data.csv"].tracked_by == "data.csv.dvc"


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("dvc.yaml", "stages: [", r"repository/dvc\.yaml: .*Next: mend it"),
        ("dvc.yaml", "stages:\n  a:\n    command: x\n", r"repository/dvc\.yaml: .*Next: mend it"),
        ("dvc.lock", "stages: [", r"repository/dvc\.lock: .*git checkout dvc\.lock"),
        ("params.yaml", "scale: [", r"params\.yaml"),
    ],
)
def test_broken_file_is_named_with_the_next_step(
    repository: Path, file: str, text: str, message: str
):
    (repository / file).write_text(text)
    with pytest.raises(ManifestError, match=message):
        load_manifest(repository)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "params.yaml: not found. Bring it back with"),
        ("other: 1\n", "params.yaml: lacks scale"),
    ],
)
def test_stage_without_its_parameters_says_so_and_stops_no_other(
    repository: Path, text: str | None, message: str
):
    (repository / "params.yaml").unlink()
    if text is not None:
        (repository / "params.yaml").write_text(text)
    stages = load_manifest(repository).stages
    assert stages["total"].problem.startswith(message)
    assert stages["prepare"].problem == stages["page"].problem == ""


def test_key_that_stands_for_several_stops_no_other_stage(empty: Path):
    """DVC lists the stage, and says so only when it runs it."""
    (empty / "params.yaml").write_text("lr_a: 1\nlr_b: 2\nsize: 3\n")
    write_pipeline(
        empty,
        {
            "stages": {
                "a": {"cmd": "true", "params": ["lr*"]},
                "b": {"cmd": "true", "params": ["s*"]},
            }
        },
    )
    repository = Repository(empty)
    stages = repository.manifest.stages
    assert stages["a"].problem.startswith("params.yaml: dpath.get() globs must match only one leaf")
    assert (stages["b"].problem, stages["b"].params) == ("", {"params.yaml": {"s*": 3}})
    assert {change.stage for change in repository.changes()} == {"a", "b"}


def test_item_that_does_not_resolve_stops_no_other(empty: Path):
    made = {"cmd": "cp ${item.x} ${item.y}", "outs": ["${item.y}"]}
    items = {"one": {"x": 1, "y": "o"}, "two": {"x": 2}}
    stages = {
        "each": {"foreach": items, "do": made},
        "grid": {"matrix": {"a": [1, 2]}, "cmd": "echo ${item.a} ${gone}"},
        "none": {"foreach": "${no.such}", "do": {"cmd": "echo"}},
        "plain": {"cmd": "true"},
    }
    write_pipeline(empty, {"stages": stages})
    found = load_manifest(empty).stages
    assert {name for name, stage in found.items() if not stage.problem} == {"each@one", "plain"}
    assert "Could not find 'item.y'" in found["each@two"].problem
    assert {"grid@1", "grid@2", "none"} <= set(found)
    assert found["each@two"].template == "each"


def test_all_shared_outputs_are_listed_at_once(repository: Path):
    stage = {"cmd": "true", "outs": ["total.txt", "numbers.txt"]}
    (repository / "sub").mkdir()
    outs = {"outs": ["../total.txt", "../numbers.txt"]}
    write_pipeline(repository / "sub", {"stages": {"again": stage | outs}})
    with pytest.raises(DuplicateError) as caught:
        load_manifest(repository)
    message = str(caught.value)
    assert "numbers.txt is written by prepare and sub/dvc.yaml:again" in message
    assert "total.txt is written by total and sub/dvc.yaml:again" in message


def test_unknown_stage_is_refused_with_the_known_ones(repository: Path):
    with pytest.raises(ManifestError, match="no stage 'sum'; there are: prepare, total, page"):
        load_manifest(repository).stage("sum")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("a", "a", True), ("a/b", "a", True), ("a", "a/b/c", True), ("a", "ab", False)],
)
def test_paths_overlap_by_folders_not_by_letters(one: str, other: str, expected: bool):
    assert overlaps(one, other) is expected
