"""Another release takes over while searches go on; a damaged one is refused."""

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from smar.artifacts import read_manifest
from smar.service import registry
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever
from tests.service.http.conftest import Client

Serve = Callable[..., Client]


def publish_again(root: Path) -> str:
    """Publish the current release once more, under the next number."""
    now = registry.current_version(root)
    source = root / "releases" / now

    def fill(folder: Path) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        (folder / "manifest.json").unlink()

    return registry.publish(root, fill, read_manifest(source, registry.KIND), expected=now)


def wait_for(is_so: Callable[[], bool], timeout_s: float = 20.0) -> float:
    """Wait until something is so, and return how long it took."""
    start = time.monotonic()
    while not is_so():
        assert time.monotonic() - start < timeout_s
        time.sleep(0.005)
    return time.monotonic() - start


def test_releases_are_switched_under_load_and_back_without_an_error(
    serve: Serve, small_project: Path
):
    client = serve(watch_s=0.02)
    answers: list[tuple[int, str]] = []
    stop = threading.Event()

    def shop() -> None:
        while not stop.is_set():
            response = client.get("/search?q=red+lamp&limit=3")
            answers.append((response.status_code, response.json().get("release", "")))

    threads = [threading.Thread(target=shop) for _ in range(2)]
    for thread in threads:
        thread.start()
    live = client.service.live
    assert publish_again(small_project) == "v2"
    wait_for(lambda: live.release == "v2")
    wait_for(lambda: answers[-1][1] == "v2")
    registry.rollback(small_project)
    back_s = wait_for(lambda: live.release == "v1")
    wait_for(lambda: answers[-1][1] == "v1")
    stop.set()
    for thread in threads:
        thread.join()
    assert {code for code, _ in answers} == {200}
    assert {release for _, release in answers} == {"v1", "v2"}
    assert back_s < 1
    listed = client.get("/releases").json()
    assert {"brand", "price", "category.lvl0"} <= set(listed["fields"])
    assert listed["releases"] == [
        {"release": "v1", "is_loaded": True}, {"release": "v2", "is_loaded": True},
    ]  # fmt: skip
    assert listed["answers"] == listed["current"] == "v1"
    assert client.post("/search", json={"query": "lamp", "release": "v2"}).json()["release"] == "v2"


def test_release_has_searched_and_counted_before_it_answers(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    asked: list[SearchRequest] = []
    answer = Retriever.answer_many

    def spy(retriever: Retriever, requests: Sequence[SearchRequest], **more: Any) -> Any:
        asked.extend(requests)
        return answer(retriever, requests, **more)

    monkeypatch.setattr(Retriever, "answer_many", spy)
    serve()
    assert any(request.query for request in asked)
    assert any(request.facets for request in asked)


def test_damaged_release_is_refused_and_the_old_one_stays(serve: Serve, small_project: Path):
    client = serve(watch_s=0.02)
    live = client.service.live
    # Damaged before it is current: the moment between is the watcher's.
    damaged = small_project / "releases" / "v2"
    shutil.copytree(small_project / "releases" / "v1", damaged)
    file = next(damaged.glob("model/**/*.safetensors"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)
    with registry.locked(small_project):
        registry.switch_to(small_project, "v2", "promote")
    wait_for(lambda: live.refused is not None)
    assert client.get("/search?q=lamp").json()["release"] == "v1"
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["warnings"] == ["release v2 was refused, v1 stays"]
    assert b'smar_release_switches_total{outcome="refused"} 1.0' in client.get("/metrics").content
    with registry.locked(small_project):
        registry.switch_to(small_project, "v1", "rollback")
    wait_for(lambda: live.refused is None)
    assert client.get("/readyz").json()["warnings"] == []


def test_fixed_release_stays_and_others_need_no_key_on_this_machine(
    serve: Serve, small_project: Path
):
    publish_again(small_project)
    client = serve(release="v1", watch_s=0.02)
    time.sleep(0.1)
    assert client.get("/search?q=lamp").json()["release"] == "v1"
    assert client.get("/search?q=lamp&release=v2").json()["release"] == "v2"


def test_release_to_compare_with_is_loaded_for_those_who_administer(
    serve: Serve, small_project: Path
):
    publish_again(small_project)
    client = serve(release="v1", host="0.0.0.0")  # noqa: S104 - nothing listens in this test
    assert client.get("/search?q=lamp&release=v2").status_code == 403
    assert client.get("/search?q=lamp&release=v1").status_code == 200
