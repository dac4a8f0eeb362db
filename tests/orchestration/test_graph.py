"""dvc.yaml beside the declarations: what is missing is said in words."""

from pathlib import Path

import pytest
import yaml

from orchestration.graph import differences, with_code
from smar.declaration import Stage
from smar.stages import declared

TEXT = (Path(__file__).parents[2] / "dvc.yaml").read_text()
EXPORT = Stage(
    summary="The model for a browser.",
    reads=["models/retriever"],
    writes=["models/outline", "metrics/outline.json"],
    params=["threads"],
)


def test_a_stage_that_dvc_yaml_lacks_is_shown_as_it_may_stand_there():
    (line,) = differences(TEXT, declared() | {"outline": EXPORT})
    assert line.startswith(
        "stage outline is in smar/stages but not in dvc.yaml: add this under stages"
    )
    stanza = line.partition(":\n")[2]
    content = yaml.safe_load(f"stages:\n{stanza}")["stages"]["outline"]
    assert content["metrics"] == [{"metrics/outline.json": {"cache": False}}]
    pasted = TEXT.replace("\nartifacts:\n", f"{stanza}\n\nartifacts:\n")
    assert differences(pasted, declared() | {"outline": EXPORT}) == []


def test_a_stage_before_what_it_reads_is_named():
    head, embed, tail = TEXT.partition("  embed:\n")
    index = tail.index("  index:\n")
    moved = head.replace("  ingest:\n", f"{embed}{tail[:index]}  ingest:\n") + tail[index:]
    found = differences(moved, declared())
    assert found == [
        "stage embed stands in dvc.yaml before what writes data/accepted/items.parquet, "
        "data/features, data/images, models/retriever"
    ]


def test_a_stage_without_a_module_is_named():
    found = declared()
    rest = {name: stage for name, stage in found.items() if name != "drift"}
    (line,) = differences(TEXT, rest)
    assert line.startswith("stage drift is in dvc.yaml but not in smar/stages: add smar/stages/")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "      - data/features\n      - models/retriever\n      - smar/artifacts.py\n",
            "      - data/features\n      - smar/artifacts.py\n",
            "stage embed: models/retriever is in reads of smar/stages/embed.py but not under deps",
        ),
        (
            "      - threads\n      - embed\n",
            "      - threads\n      - drift\n      - embed\n",
            "stage embed: drift is under params in dvc.yaml but not in params of smar/stages/embed",
        ),
        (
            "      - metrics/embed.json:\n",
            "      - metrics/other.json:\n",
            "stage embed: metrics/embed.json is in writes of smar/stages/embed.py but not under",
        ),
        ("cmd: smar embed", "cmd: smar embeds", "stage embed: cmd is 'smar embeds' in dvc.yaml"),
    ],
)
def test_every_difference_is_said_with_its_place(old: str, new: str, message: str):
    assert TEXT.count(old) == 1
    found = differences(TEXT.replace(old, new), declared())
    assert any(line.startswith(message) for line in found), found


def test_code_is_written_where_a_stage_is_declared_and_left_where_not():
    strange = "stages:\n  strange:\n    cmd: x\n    deps:\n      - smar/own.py\n"
    assert with_code(strange) == strange
