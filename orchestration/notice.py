"""A message to people when a run fails."""

import json
import os
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import dagster as dg

VARIABLE = "SMAR_WEBHOOK"
_TIMEOUT_S = 10


def build_failure_notice() -> dg.SensorDefinition:
    """Return a sensor that posts failed runs to the webhook in SMAR_WEBHOOK, if it is set.

    The body is JSON: `text` (as Slack, Mattermost and Teams take it), `job`, `run_id`, `error`.
    """

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
        post(url, run.job_name, run.run_id, context.failure_event.message or "")
        context.log.info("told %s of run %s", urlsplit(url).hostname, run.run_id)
        return None

    return failure_notice


def post(url: str, job: str, run_id: str, error: str) -> None:
    """Send the notice.

    Raises:
        ValueError: If the address is not http or https.
        OSError: If it cannot be delivered; Dagster shows that on the sensor.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError(f"{VARIABLE}: '{url}' is no http or https address.")
    body = {"text": f"{job} failed: {error}", "job": job, "run_id": run_id, "error": error}
    request = Request(  # noqa: S310 - the scheme is checked above
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
        pass
