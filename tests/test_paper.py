"""Licence, citation, workflow and containers say what the project says."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read_yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def test_licence_is_one_everywhere_and_whole():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert text.rstrip().endswith("limitations under the License.")
    assert [f"   {number}. " in text for number in range(1, 10)] == [True] * 9
    assert PROJECT["license"] == read_yaml("CITATION.cff")["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]


def test_citation_names_this_version():
    citation = read_yaml("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == PROJECT["version"]
    assert {"title", "message", "authors"} <= set(citation)


def test_workflow_calls_what_a_clone_has_to_pass_and_needs_no_secret():
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    job = yaml.safe_load(text)["jobs"]["run"]
    assert job["steps"][-1]["run"] == ".ci/run"
    assert "secrets." not in text
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert job["strategy"]["matrix"]["python"][0] == lowest
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def test_image_copies_only_what_its_context_lets_in():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")} - {"studies/*.py"}
    assert set(copied) == let_in
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("service", ["pipeline", "code", "webserver", "daemon", "reports"])
def test_every_service_works_in_the_one_environment(service: str):
    content = read_yaml("compose.yaml")["services"][service]
    assert content["image"] == "smar"
    assert content["environment"]["SMAR_POSTGRES_URL"].startswith("postgresql+psycopg2://smar:")
    mounted = [str(volume).split(":")[0] for volume in content["volumes"]]
    assert all((ROOT / path).exists() for path in mounted if path.startswith("./orchestration"))


def test_page_and_reports_are_bound_to_this_machine():
    services = read_yaml("compose.yaml")["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)
