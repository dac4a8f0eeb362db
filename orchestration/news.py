"""What stages left that people want to be told, and ticks that failed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus

from orchestration.records import read_record
from smar.paths import Paths

_MOST_TICKS = 20


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One piece of news.

    Args:
        kind: What happened.
        subject: To which stage, schedule or sensor.
        reason: Why, in its own words.
        place: Where Dagster's page shows it.
        page: The report about it, "" for none.
        day: When, for what is told again another day.
    """

    kind: str
    subject: str
    reason: str
    place: str
    page: str = ""
    day: str = ""

    @property
    def key(self) -> str:
        """Return what tells it from other pieces: all that it says."""
        text = "\0".join((self.kind, self.subject, self.reason, self.day))
        return md5(text.encode(), usedforsecurity=False).hexdigest()


def of_stages(root: Path) -> Iterator[Piece]:
    """Yield what the stages of a project found that is news."""
    yield from _of_promote(read_record(Paths(root).outcome("promote")))
    drift = read_record(Paths(root).outcome("drift"))
    if drift.get("verdict", "keep") != "keep":
        yield Piece(
            kind="drift",
            subject="drift",
            reason=f"{drift['verdict']}: {'; '.join(drift.get('reasons', []))}",
            place="assets/drift",
            page="reports/drift/index.html",
        )
    rules = read_record(Paths(root).validation_report / "results.json").get("rules", [])
    broken = [rule for rule in rules if not rule["success"] and rule["severity"] == "warn"]
    for rule in broken:
        yield Piece(
            kind="warning",
            subject="validate",
            reason=f"{rule['table']}.{rule['column']}: expected {rule['expected']}; "
            f"{rule['observed']}",
            place="assets/validate",
            page="reports/validation/index.html",
        )


def _of_promote(outcome: dict[str, Any]) -> Iterator[Piece]:
    verdict, where = outcome.get("verdict"), {"place": "assets/promote"}
    page = "reports/promote/index.html"
    if verdict == "refused":
        reason = "; ".join(outcome.get("reasons", []))
        yield Piece(kind="refused candidate", subject="promote", reason=reason, page=page, **where)
    elif verdict == "promoted":
        reason = f"v{outcome['release']} is the current release"
        if "old" in outcome:
            reason += f" ({outcome['old']:.4f} before, {outcome['new']:.4f} now)"
        yield Piece(kind="new release", subject="promote", reason=reason, page=page, **where)


def failed_ticks(instance: dg.DagsterInstance, *, but: str) -> Iterator[Piece]:
    """Yield the last failed ticks of every schedule and sensor except one."""
    for state in instance.all_instigator_state():
        if state.instigator_name == but:
            continue
        ticks = instance.get_ticks(
            state.instigator_origin_id,
            state.selector_id,
            limit=_MOST_TICKS,
            statuses=[TickStatus.FAILURE],
        )
        for tick in ticks:
            error = tick.error.to_string().strip().splitlines() if tick.error else []
            words = error[0] if error else "no reason was given"
            kind = state.instigator_type.value.lower()
            yield Piece(
                kind="failed tick",
                subject=f"{kind} {state.instigator_name}",
                reason=words,
                place="automation",
                day=datetime.fromtimestamp(tick.timestamp, UTC).date().isoformat(),
            )
