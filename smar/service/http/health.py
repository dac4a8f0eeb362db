"""Routes for those who run the service: health, readiness, releases, metrics."""

import asyncio

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from smar.service.http import openapi
from smar.service.http.reading import json_response
from smar.service.http.searching import service_of
from smar.service.registry import current_version

router = APIRouter()


@router.get("/healthz", responses=openapi.STATES)
async def healthz() -> Response:
    """Whether the process lives."""
    return json_response({"status": "alive"})


@router.get("/readyz", responses=openapi.STATES)
async def readyz(request: Request) -> Response:
    """Whether searches are answered, and what is not as it should be."""
    service = service_of(request)
    live, warnings = service.live, []
    if refused := live.refused:
        warnings.append(f"release {refused.release} was refused, {live.release} stays")
    if service.log is not None and (reason := await asyncio.to_thread(service.log.room)):
        warnings.append(f"searches are not logged: {reason}")
    full = service.batcher.waiting >= service.settings.max_waiting
    if full:
        warnings.append("the queue is full")
    ready = not (service.is_stopping or full)
    content = {
        "status": "ready" if ready else "not ready",
        "release": live.release or None,
        "items": len(live.current.items),
        "encoder": live.current.tower.runtime,
        "warnings": warnings,
    }
    return json_response(content, 200 if ready else 503)


@router.get("/releases", responses=openapi.RELEASES)
async def releases(request: Request) -> Response:
    """The releases on the disk, which of them answers, and the fields that its items have."""
    live = service_of(request).live
    known = [{"release": v, "is_loaded": live.is_loaded(v)} for v in live.versions()]
    content = {
        "answers": live.release or None,
        "current": current_version(service_of(request).root) or None,
        "releases": known,
        "fields": live.current.fields.names,
    }
    return json_response(content)


@router.get("/metrics", response_class=Response, responses=openapi.METRICS)
async def metrics(request: Request) -> Response:
    """Counts for Prometheus."""
    service = service_of(request)
    service.keys.check(request, "admin")
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
