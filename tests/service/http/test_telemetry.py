"""Where somebody listens, a search is a span as every other request is."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.whole

_SEARCHES = """
import json, sys
from pathlib import Path
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient
from smar.service.http.app import build_app
from smar.service.http.service import Service
from smar.service.http.settings import Settings
seen = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(seen))
trace.set_tracer_provider(provider)
service = Service(Path(sys.argv[1]), Settings(log_free_mb=0.0, encoder="torch"))
client = TestClient(build_app(service), "http://127.0.0.1")
for path in ("/search?q=lamp", "/search?q=lamp&limit=-1", "/suggest?q=la"):
    client.get(path)
service.close()
spans = [span for span in seen.get_finished_spans() if span.kind.name == "SERVER"]
print(json.dumps([[span.name, dict(span.attributes)] for span in spans]))
"""


def test_searches_are_spans_with_their_route(small_project: Path):
    if importlib.util.find_spec("opentelemetry.sdk") is None:
        pytest.skip("opentelemetry-sdk is not installed: pip install opentelemetry-sdk")
    command = [sys.executable, "-W", "ignore", "-c", _SEARCHES, str(small_project)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    spans = json.loads(result.stdout.splitlines()[-1])
    routes = [(name, says["http.route"], says["http.response.status_code"]) for name, says in spans]
    assert routes == [
        ("GET /search", "/search", 200),
        ("GET /search", "/search", 422),
        ("GET /suggest", "/suggest", 200),
    ]
