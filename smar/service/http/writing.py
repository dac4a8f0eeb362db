"""Routes that keep what people do: UBI queries and events, grades."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from smar.errors import Problem, RequestError
from smar.service.event_log import EventLog
from smar.service.grades import HIGHEST, read_grades
from smar.service.http import openapi
from smar.service.http.problems import HttpError
from smar.service.http.reading import json_response, read_json
from smar.service.http.searching import service_of
from smar.service.ubi import checked_events, checked_queries

router = APIRouter()

_Checked = tuple[list[dict[str, Any]], list[tuple[str, str]]]


@router.post("/ubi_queries", openapi_extra=openapi.UBI_QUERIES, responses=openapi.KEPT)
async def ubi_queries(request: Request) -> Response:
    """Searches that another engine answered, as OpenSearch's ubi.js posts them."""
    return await _keep(request, checked_queries, "query")


@router.post("/ubi_events", openapi_extra=openapi.UBI_EVENTS, responses=openapi.KEPT)
async def ubi_events(request: Request) -> Response:
    """What shoppers did with what they found, as OpenSearch's ubi.js posts it."""
    return await _keep(request, checked_events, "event")


async def _keep(request: Request, check: Callable[[object], _Checked], kind: str) -> Response:
    """Write records; the response means that they are on the disk."""
    service = service_of(request)
    service.keys.check_events(request)
    records, problems = check(await read_json(request, is_strict=True))
    if problems:
        raise RequestError([Problem(pointer, words) for pointer, words in problems])
    if service.log is None:
        raise HttpError(503, "The service keeps no log: the setting `log` is false.")
    ticket = await asyncio.to_thread(service.log.append, records)
    await asyncio.wrap_future(service.log.synced(ticket))
    service.metrics.logged.labels(kind).inc(len(records))
    return json_response({"kept": len(records)})


@router.post("/judgements", openapi_extra=openapi.JUDGEMENTS, responses=openapi.KEPT)
async def judge(request: Request) -> Response:
    """Grades of hits, kept at once; the last grade of a query and an item counts."""
    service = service_of(request)
    service.keys.check(request, "write")
    grades = read_grades(await read_json(request, is_strict=True))
    items = service.live.current.items
    problems = [
        Problem(f"{place}.item_id", f"there is no item '{grade.item_id[:80]}'")
        for place, grade in enumerate(grades)
        if items.row(grade.item_id) < 0
    ]
    if problems:
        raise RequestError(problems)
    number = await asyncio.to_thread(service.grades.put, grades)
    return json_response({"kept": len(grades), "all": number})


@router.get("/judgements", responses=openapi.GRADES)
async def judgements(
    request: Request,
    q: Annotated[str, Query(max_length=500, description="Of this query; all without one.")] = "",
) -> Response:
    """The grades that were given."""
    service = service_of(request)
    service.keys.check(request, "write")
    found = await asyncio.to_thread(service.grades.read, q)
    grades = [{"query": g.query, "item_id": g.item_id, "grade": g.grade} for g in found]
    return json_response({"highest": HIGHEST, "judgements": grades})


@router.post("/judgements/hand_over", responses=openapi.KEPT)
async def hand_over(request: Request) -> Response:
    """Put all grades where ingest reads them: judged/judgements.csv in the raw folder."""
    service = service_of(request)
    service.keys.check(request, "write")
    await read_json(request, is_strict=True)
    number = await asyncio.to_thread(service.grades.hand_over)
    return json_response({"kept": number, "file": str(service.grades.handed.name)})


@router.post("/log/close", responses=openapi.KEPT)
async def close_log(request: Request) -> Response:
    """Close the open event files, so that ingest reads what was logged up to now."""
    service = service_of(request)
    service.keys.check(request, "admin")
    await read_json(request, is_strict=True)
    log: EventLog | None = service.log
    closed = [] if log is None else await asyncio.to_thread(log.close_all)
    names = [path.name for path in closed]
    return json_response({"file": names[0] if names else None, "files": names})
