"""Messages to people: what failed, why in its own words, and where to look.

`failure_notice` follows Dagster's runs; `news` follows what stages left, whoever ran them, and the
ticks of schedules and sensors. Both post JSON to the webhook in SMAR_WEBHOOK: `text` (as Slack,
Mattermost and Teams take it), and its parts `kind`, `subject`, `reason`, `link`.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import dagster as dg

from orchestration.news import Piece, failed_ticks, of_stages
from orchestration.project import ROOT

VARIABLE = "SMAR_WEBHOOK"
_TIMEOUT_S = 10
_MOST = 1500  # characters of a reason
_DVC = re.compile(r"^(ERROR: |Running stage |> |'.*' didn't change)")
_ASSET_JOB = "__ASSET_JOB"  # what Dagster calls a run of Materialize


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message.

    Args:
        kind: "failed run", "refused candidate", "new release", "drift", "warning", "failed tick".
        subject: The stage, schedule or sensor.
        reason: Why, in its own words.
        link: Where to look.
        run_id: The run, "" where none is at fault.
    """

    kind: str
    subject: str
    reason: str
    link: str
    run_id: str = ""

    def body(self) -> dict[str, str]:
        """Return what is posted."""
        text = f"{self.kind}: {self.subject}: {self.reason}\n{self.link}"
        return {"text": text} | asdict(self)


def build_failure_notice() -> dg.SensorDefinition:
    """Return a sensor that posts failed runs to the webhook, if there is one."""

    @dg.run_failure_sensor(
        name="failure_notice",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Posts failed runs to the webhook in {VARIABLE}; without it does nothing.",
    )
    def failure_notice(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        url = os.environ.get(VARIABLE, "")
        if not url:
            return dg.SkipReason(f"{VARIABLE} is not set")
        run = context.dagster_run
        failed = {
            str(event.step_key): _reason(event) for event in context.get_step_failure_events()
        }
        whole = context.failure_event.message or "the run ended without a word"
        name = "a run of Materialize" if run.job_name == _ASSET_JOB else f"job {run.job_name}"
        for subject, reason in (failed or {name: whole}).items():
            post(
                url,
                Notice(
                    kind="failed run",
                    subject=f"stage {subject} ({name})" if failed else subject,
                    reason=reason,
                    link=f"{ui_url()}/runs/{run.run_id}",
                    run_id=run.run_id,
                ),
            )
        context.log.info("told %s of run %s", urlsplit(url).hostname, run.run_id)
        return None

    return failure_notice


def build_news(interval_s: int = 60) -> dg.SensorDefinition:
    """Return a sensor that posts what people want to know although nothing failed.

    The first look remembers what there is and tells nothing: it is no news.
    """

    @dg.sensor(
        name="news",
        minimum_interval_seconds=interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Posts refused candidates, new releases, drift, warnings of validate and "
        f"failed ticks to the webhook in {VARIABLE}; without it does nothing.",
    )
    def news(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        found = [*of_stages(ROOT), *failed_ticks(context.instance, but="news")]
        known = None if context.cursor is None else set(json.loads(context.cursor))
        new = [] if known is None else [piece for piece in found if piece.key not in known]
        url = os.environ.get(VARIABLE, "")
        for piece in new if url else []:
            post(url, _notice(piece))
        # After all were delivered: what could not be is tried again at the next look.
        context.update_cursor(json.dumps(sorted({piece.key for piece in found})))
        if not url:
            return dg.SkipReason(f"{VARIABLE} is not set")
        told = ", ".join(f"{piece.kind} {piece.subject}" for piece in new)
        return dg.SkipReason(f"told: {told}" if told else "nothing new")

    return news


def post(url: str, notice: Notice) -> None:
    """Send a notice.

    Raises:
        ValueError: If the address is not http or https.
        OSError: If it cannot be delivered; Dagster shows that on the sensor.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError(f"{VARIABLE}: '{url}' is no http or https address.")
    request = Request(  # noqa: S310 - the scheme is checked above
        url, json.dumps(notice.body()).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
        pass


def ui_url() -> str:
    """Return where Dagster's page is for people."""
    port = os.environ.get("SMAR_UI_PORT", "3000")
    return os.environ.get("SMAR_UI_URL", f"http://127.0.0.1:{port}").rstrip("/")


def _notice(piece: Piece) -> Notice:
    reports = os.environ.get("SMAR_REPORTS_URL", "").rstrip("/")
    link = f"{reports}/{piece.page}" if reports and piece.page else f"{ui_url()}/{piece.place}"
    reason = piece.reason[:_MOST]
    return Notice(kind=piece.kind, subject=piece.subject, reason=reason, link=link)


def _reason(event: Any) -> str:
    """Return why a step failed, in the words of the stage where it said some."""
    data = event.step_failure_data
    said = data.user_failure_data.description if data.user_failure_data else None
    if said is None:
        error = data.error
        while error is not None and error.cause is not None:  # Dagster's own words stand outside
            error = error.cause
        return (error.message.strip() if error else str(event.message))[:_MOST]
    head, _, output = said.partition("\n\n")
    return (own_words(output) or head)[:_MOST]


def own_words(output: str) -> str:
    """Return the message with which a stage ended, "" if it had none.

    It begins with `smar STAGE:`, and DVC's words follow; without one it is the last line that is
    not DVC's.
    """
    lines = [line for line in output.splitlines() if line.strip() and not _DVC.match(line)]
    starts = [place for place, line in enumerate(lines) if re.match(r"smar \w+: ", line)]
    return "\n".join(lines[starts[-1] :] if starts else lines[-1:]).strip()
