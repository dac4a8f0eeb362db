"""Downloads a feed's pictures beside the feed: the one thing in smar that follows links of a feed.

It is a command of its own. The pipeline reads what it left, and never fetches.
"""

import hashlib
import http.client
import ipaddress
import logging
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from smar.object_store import StoreError, is_object
from smar.replace import write_file
from smar.sources.picture_files import (
    FETCHED,
    FETCHED_LIST,
    LIST_COLUMNS,
    ending_of,
    fetched_file,
    read_rows,
)
from smar.sources.picture_stores import read_object

logger = logging.getLogger(__name__)

_ENDINGS = {
    "image/jpeg": ".jpg", "image/jpg": ".jpg", "image/pjpeg": ".jpg", "image/png": ".png",
    "image/webp": ".webp", "image/gif": ".gif", "image/avif": ".avif", "image/heic": ".heic",
    "image/heif": ".heic", "image/bmp": ".bmp", "image/tiff": ".tif", "image/jp2": ".jp2",
    "image/x-icon": ".ico", "image/vnd.microsoft.icon": ".ico",
}  # fmt: skip
_VAGUE = {"application/octet-stream", "binary/octet-stream", ""}
_MAX_REDIRECTS = 5
_TRIES = 3
_SAVE_EVERY_S = 10.0
_BLOCK = 2**16
_USER_AGENT = "smar-fetch-pictures"
_WAIT_AT_MOST_S = 60.0


@dataclass(frozen=True)
class FetchLimits:
    """How downloads behave.

    Args:
        per_host: Connections to one host at a time.
        delay_s: Pause between two requests of one connection.
        max_bytes: A picture with more is left out.
        timeout_s: Of a connection and of each read.
        allow_private: Let addresses of private networks be reached, for a server of your own.
        stores: Buckets, or folders of them, of object stores that may be read.
    """

    per_host: int = 2
    delay_s: float = 0.1
    max_bytes: int = 20 * 2**20
    timeout_s: float = 20.0
    allow_private: bool = False
    stores: Sequence[str] = ()


class _FetchError(Exception):
    """Why a picture is not there; `wait_s` is 0 or more if it is worth trying again."""

    def __init__(self, reason: str, wait_s: float = -1.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def fetch_pictures(folder: Path, urls: Iterable[str], limits: FetchLimits) -> dict[str, int]:
    """Download pictures into `folder`/fetched_pictures and list them in pictures.tsv there.

    What is there already, whole, is not asked for again; what failed before is. A run that was
    stopped goes on where it was. Only http and https are followed, only to public addresses, which
    are checked where the connection is made, after every redirect too. Objects are read in the
    stores that the limits name.

    Args:
        folder: Of the feed.
        urls: Pictures; repeated ones are fetched once.
        limits: How polite, how much.

    Returns:
        Numbers of pictures: fetched, kept from before, failed.
    """
    listed = {row["url"]: row for row in read_rows(folder)}
    wanted = list(dict.fromkeys(urls))
    kept = {url for url in wanted if _is_there(folder, listed.get(url))}
    by_host: dict[str, list[str]] = defaultdict(list)
    for url in wanted:
        if url not in kept:
            by_host[_host(url)].append(url)
    lanes = [
        lane
        for of_host in by_host.values()
        for number in range(limits.per_host)
        if (lane := of_host[number :: limits.per_host])
    ]
    lock = Lock()
    with ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(lambda lane: _fetch_lane(folder, lane, limits, listed, lock), lanes))
    _save(folder, listed, lock)
    done = len(wanted) - len(kept)
    failed = [url for url in wanted if listed.get(url, {}).get("problem")]
    for url in failed[:10]:
        logger.warning("not fetched: %s: %s", url, listed[url]["problem"])
    return {"fetched": done - len(failed), "kept": len(kept), "failed": len(failed)}


def _is_there(folder: Path, row: dict[str, str] | None) -> bool:
    if not row or not row["file"]:
        return False
    path = folder / row["file"]
    return path.is_file() and path.stat().st_size == int(row["bytes"] or -1)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _fetch_lane(
    folder: Path,
    urls: Sequence[str],
    limits: FetchLimits,
    listed: dict[str, dict[str, str]],
    lock: Lock,
) -> None:
    """Fetch one after the other; the list is saved now and then, for a run that is stopped."""
    saved_at = time.monotonic()
    for number, url in enumerate(urls):
        if number:
            time.sleep(limits.delay_s)
        row = dict.fromkeys(LIST_COLUMNS, "") | {"url": url}
        try:
            content, ending = _with_patience(url, limits)
        except _FetchError as error:
            row["problem"] = str(error)
        else:
            row["file"] = fetched_file(url, ending)
            row["sha256"] = hashlib.sha256(content).hexdigest()
            row["bytes"] = str(len(content))
            (folder / row["file"]).parent.mkdir(parents=True, exist_ok=True)
            with write_file(folder / row["file"]) as temporary:
                temporary.write_bytes(content)
        with lock:
            listed[url] = row
        if time.monotonic() - saved_at > _SAVE_EVERY_S:
            _save(folder, listed, lock)
            saved_at = time.monotonic()


def _save(folder: Path, listed: dict[str, dict[str, str]], lock: Lock) -> None:
    """Write the list whole."""
    with lock:
        rows = list(listed.values())
        (folder / FETCHED).mkdir(exist_ok=True)
        with write_file(folder / FETCHED / FETCHED_LIST) as temporary:
            lines = ["\t".join(row[name] for name in LIST_COLUMNS) for row in rows]
            temporary.write_text("\n".join(["\t".join(LIST_COLUMNS), *lines, ""]), encoding="utf-8")


def _with_patience(url: str, limits: FetchLimits) -> tuple[bytes, str]:
    for attempt in range(_TRIES):
        try:
            return _fetch(url, limits)
        except _FetchError as error:
            if error.wait_s < 0 or attempt == _TRIES - 1:
                raise
            time.sleep(min(max(error.wait_s, limits.delay_s * 2**attempt), _WAIT_AT_MOST_S))
    raise AssertionError("unreachable")


def _fetch(url: str, limits: FetchLimits) -> tuple[bytes, str]:
    """Return the bytes of a picture and the ending of its type, after redirects."""
    if is_object(url):
        return _stored(url, limits)
    place = f"https:{url}" if url.startswith("//") else url
    for _ in range(_MAX_REDIRECTS + 1):
        parts = _parse(place)
        connection = _connect(parts, limits)
        answer = None
        try:
            path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
            query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
            connection.request("GET", path + query, headers={"User-Agent": _USER_AGENT,
                               "Accept": "image/*", "Accept-Encoding": "identity"})  # fmt: skip
            answer = connection.getresponse()
            target = answer.headers.get("Location")
            if answer.status in {301, 302, 303, 307, 308} and target:
                place = urljoin(place, target)
                continue
            return _content(answer, limits)
        except (OSError, http.client.HTTPException) as error:
            raise _FetchError(f"connection failed: {type(error).__name__}", 1.0) from error
        finally:
            if answer:
                answer.close()
            connection.close()
    raise _FetchError(f"more than {_MAX_REDIRECTS} redirects")


def _stored(url: str, limits: FetchLimits) -> tuple[bytes, str]:
    """Return the bytes of a picture in an object store and the ending of its type."""
    try:
        content, ending = read_object(url, limits.stores, limits.max_bytes)
    except StoreError as error:
        raise _FetchError(str(error), 1.0 if error.is_passing else -1.0) from error
    ending = ending_of(content) or ending
    if not ending or not content:
        raise _FetchError("is no picture")
    return content, ending


def _parse(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_usable = None
    if not is_usable or any(char.isspace() or char < " " for char in url.strip()):
        if is_usable and " " in url.strip():  # a space in a path is quoted
            return urlsplit(url.strip())
        raise _FetchError("is no http or https URL")
    return parts


def _connect(parts: SplitResult, limits: FetchLimits) -> http.client.HTTPConnection:
    """Return a connection to an address that was checked; the name is not looked up again."""
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    try:
        name = host.encode("idna").decode()
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _FetchError("host is unknown", 1.0) from error
    addresses = [str(entry[4][0]) for entry in found]
    if not limits.allow_private and not all(_is_public(address) for address in addresses):
        raise _FetchError("address is private; smar fetch-pictures --allow-private reaches it")
    sock = None
    try:
        sock = socket.create_connection((addresses[0], port), limits.timeout_s)
        if parts.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=name)
    except OSError as error:
        if sock:
            sock.close()
        raise _FetchError(f"connection failed: {type(error).__name__}", 1.0) from error
    connection = http.client.HTTPConnection(
        parts.netloc.rpartition("@")[2], timeout=limits.timeout_s
    )
    connection.sock = sock
    return connection


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (mapped is None or mapped.is_global)


def _content(answer: http.client.HTTPResponse, limits: FetchLimits) -> tuple[bytes, str]:
    if answer.status != 200:
        is_busy = answer.status in {429, 500, 502, 503, 504}
        after = answer.headers.get("Retry-After", "")
        wait_s = float(after) if after.isdecimal() else 1.0
        raise _FetchError(f"status {answer.status}", wait_s if is_busy else -1.0)
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in _ENDINGS and kind not in _VAGUE:
        raise _FetchError(f"is {kind}, no picture")
    length = answer.headers.get("Content-Length", "")
    too_large = _FetchError(f"is larger than {limits.max_bytes} bytes")
    if length.isdecimal() and int(length) > limits.max_bytes:
        raise too_large
    content = bytearray()
    while block := answer.read(_BLOCK):
        content += block
        if len(content) > limits.max_bytes:
            raise too_large
    if length.isdecimal() and len(content) != int(length):
        raise _FetchError("ended too soon", 1.0)
    ending = _ENDINGS.get(kind) or ending_of(content)
    if not ending or not content:
        raise _FetchError("is no picture")
    return bytes(content), ending
