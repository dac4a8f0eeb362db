"""The runner of cases: right, wrong, refused, unjudged; any folder of the form."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cases.__main__ import main, verdict_of
from tests.cases.running import Outcome

SETTINGS = {
    "ingest.source": "feed",
    "ingest.feed.file": "feed.csv",
    "ingest.log.queries": "",
    "ingest.log.events": "log",
    "ingest.judgements.kind": "none",
}
LOG = (
    '{"query_id": "1", "user_query": "Hat", "query_response_hit_ids": ["a", "b"]}\n'
    '{"query_id": "1", "action_name": "click", "event_attributes": {"object": {"object_id": "b"}}}'
)
RIGHT = {
    "counts": {"items": 2, "searches": 1},
    "quarantined": {},
    "searches": {"shown": [["a", "b"]], "timestamp": [None]},
    "engagements": {"item_id": ["b"], "position": [None]},
}


def case(folder: Path, expect: dict[str, Any] | None, **settings: Any) -> None:
    raw = folder / "raw"
    raw.mkdir(parents=True)
    (raw / "feed.csv").write_text("id,title\na,Boot\nb,Hat\n")
    (raw / "log").write_text(LOG)
    content = {"what": "a hat", "settings": SETTINGS | settings}
    (folder / "case.yaml").write_text(
        yaml.safe_dump(content | ({"expect": expect} if expect else {}))
    )


def verdicts(text: str) -> list[str]:
    return [line.partition("verdict: ")[2] for line in text.splitlines() if "verdict: " in line]


def test_cases_of_a_folder_are_ingested_and_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    case(tmp_path / "a", RIGHT)
    case(tmp_path / "b", None)
    case(tmp_path / "c", {"refused": "ingest.log"}, **{"ingest.log.events": "lag"})
    assert main([str(tmp_path)]) == 0
    assert verdicts(capsys.readouterr().out) == ["right", "unjudged", "right"]
    case(tmp_path / "d", RIGHT | {"engagements": {"item_id": ["a"]}})
    case(tmp_path / "e", RIGHT, **{"ingest.log.events": "lag"})
    assert main([str(tmp_path), "d", "e"]) == 1
    said = capsys.readouterr().out
    assert verdicts(said) == ["wrong", "wrong"]
    assert "engagements.item_id begins ['b'], expected ['a']" in said
    assert "refused, expected to be read" in said


def test_folder_without_cases_is_no_success(tmp_path: Path):
    assert main([str(tmp_path)]) == 1
    assert main([]) == 2


def test_crash_and_speechless_refusal_are_wrong_whatever_is_known():
    assert verdict_of(Outcome(crash="Traceback\nKeyError: 'x'"), None)[0] == "wrong"
    assert verdict_of(Outcome(crash="KeyError: 'x'"), {"refused": ""})[0] == "wrong"
    assert verdict_of(Outcome(refusal="smar ingest: no"), None)[0] == "wrong"
    assert verdict_of(Outcome(refusal="smar ingest: set ingest.log.kind"), None)[0] == "unjudged"
