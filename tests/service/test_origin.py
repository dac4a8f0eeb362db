"""What models/release holds of a release is the same wherever it was made."""

from dataclasses import replace
from pathlib import Path

from smar.artifacts import digest, read_manifest, verify_directory
from smar.paths import Paths
from smar.release.listing import list_releases, releases_table
from smar.service.origin import copy_release, is_same, told
from smar.service.pulled import adopt


def test_copy_is_whole_and_tells_nothing_of_its_origin(small_project: Path):
    paths = Paths(small_project)
    release = read_manifest(paths.releases / "v1", "release")
    copied = verify_directory(paths.release, "release")
    assert release.versions
    assert release.details["created"]
    assert release.details["times"]["latency_ms"] > 0
    assert (copied.versions, copied.git_commit) == ({}, "")
    assert not {"created", "times", "provenance"} & set(copied.details)
    assert (copied.files, copied.inputs) == (release.files, release.inputs)
    assert is_same(release, copied)
    assert not is_same(release, replace(copied, inputs={}))
    copy_release(paths.release, small_project / "again")
    assert digest(small_project / "again") == digest(paths.release)


def test_release_that_was_pulled_is_listed_without_a_date(small_project: Path):
    paths = Paths(small_project)
    (paths.releases).rename(small_project / "away")
    assert adopt(small_project) == "v1"
    row = list_releases(small_project)[0]
    assert (row["created"], row["git_commit"]) == ("", "")
    assert " -  " in releases_table([row])
    assert told(read_manifest(paths.releases / "v1", "release")) == "made elsewhere"
    assert adopt(small_project) == ""  # known, though it says less than the other clone's own
