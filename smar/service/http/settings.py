"""What a running service may be told: serve.yaml beside params.yaml, and options of `smar serve`.

They are no part of params.yaml, for they change no output of the pipeline: no stage becomes stale.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError

from smar.errors import ParamsError, list_problems
from smar.params.section import Count, NonNegative, Positive, Section

Runtime = Literal["auto", "onnx", "torch"]

FILE = "serve.yaml"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ApiKey(Section):
    """A key, by its hash: the file holds no secret."""

    name: Annotated[str, Field(min_length=1)]
    """Who holds it; the access log names it."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of the key: `printf %s KEY | sha256sum`."""
    scopes: list[Literal["write", "admin"]] = ["write"]
    """write: events and judgements; admin: releases, metrics and the log's files."""


class Settings(Section):
    """Settings of the service."""

    host: str = "127.0.0.1"
    """Address to listen on; this machine alone by default."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen on; 0 takes a free one."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that answer on the port; each has a queue, a rate of clients and a log file."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Of a search, in each process; 0 = the processors by the workers."""
    release: str = "auto"
    """As of `smar search`; a fixed version is not switched."""
    encoder: Runtime = "auto"
    """What encodes queries: torch; onnx, which is faster and waits some seconds for the graph of a
    release that was not served before; auto: torch until there is a graph, or where none can be."""
    hosts: list[str] = []
    """Names that a request's Host may be; [] = this machine's on loopback, any elsewhere."""
    origins: list[str] = []
    """Origins of other pages that may call (CORS), such as https://shop.example; ["*"] = any."""
    keys: list[ApiKey] = []
    """Keys of the write and admin routes; without one they answer on loopback alone."""
    events_need_key: bool = True
    """Whether UBI records need a key too; false for a shop whose pages post them from browsers."""
    log: bool = True
    """Whether searches and events are logged for the next training."""
    log_folder: str = "auto"
    """Where closed event files go, below ingest.folder; auto: where ingest reads, else aside."""
    log_file_mb: Count = 256
    """An event file is closed when it is as large."""
    log_file_s: Positive = 86400.0
    """Or as old in seconds; at midnight (UTC) in any case."""
    log_total_gb: Positive = 50.0
    """Most of all event files together; beyond it events are refused."""
    log_free_mb: NonNegative = 256.0
    """Left free on the disk."""
    access_log: bool = True
    """A line of JSON for every request; it names no client and no query."""
    access_log_text: bool = False
    """Whether the access log also says what was searched for."""
    per_client_s: NonNegative = 50.0
    """Searches and writes of one client a second; 0 = no limit."""
    per_client_burst: Count = 100
    """Those it may send at once."""
    max_body_kb: Count = 256
    """Of a request's body."""
    body_s: Positive = 10.0
    """A client may take to send it, and as long for the request's head."""
    max_waiting: Count = 256
    """Searches that wait for their turn; further ones are told to come back."""
    max_batch: Count = 32
    """Searches that are answered together."""
    deadline_s: Positive = 2.0
    """A search that has waited as long is not begun any more."""
    stop_s: Positive = 10.0
    """Requests under way have so long to end when the service stops."""
    watch_s: Positive = 0.2
    """Between two looks at which release is current."""
    releases_kept: Annotated[int, Field(ge=1, le=8)] = 2
    """Releases in memory: the current one, and those to go back to or to compare with."""

    @property
    def is_loopback(self) -> bool:
        """Whether other machines cannot reach the service."""
        return self.host in _LOOPBACK

    @property
    def allowed_hosts(self) -> list[str]:
        """Names that a request's Host may be; [] for any."""
        return self.hosts or ([*_LOOPBACK, "[::1]"] if self.is_loopback else [])


def read_settings(root: Path, file: Path | None, options: Mapping[str, Any]) -> Settings:
    """Return the settings of a file, changed by options that are given.

    Args:
        root: The project's root folder.
        file: The file; None for serve.yaml of the project, which need not be there.
        options: Values by name; None for those that are not given.

    Raises:
        ParamsError: If the file cannot be read or says what cannot be; lists all problems.
    """
    path = file or root / FILE
    content: Any = {}
    if file is not None or path.is_file():
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ParamsError(f"{path}: cannot be read: {error}.") from error
        if not isinstance(content, dict):
            raise ParamsError(f"{path}: expected names with values, such as `port: 8000`.")
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**{str(name): value for name, value in content.items()} | given)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}, got {each['input']!r:.60}"
            for each in error.errors()
        ]
        headline = f"{path}: the service cannot start with these settings:"
        raise ParamsError(list_problems(headline, problems)) from error
