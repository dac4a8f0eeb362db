"""What docs/security.md promises: input is data, never code, and never a way out of its folder."""

import ast
import pickle
import re
import socket
import struct
import subprocess
import sys
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smar.errors import DataError, ParamsError
from smar.models.backbone import load_pretrained
from smar.models.pretrained import Checkpoint
from smar.models.tokenizer import pretrained_tokenizer
from smar.params import FeedParams, ImageStoreParams
from smar.sources.feed import read_feed
from smar.sources.pictures import PictureFile, pack_images
from smar.sources.quarantine import Quarantine

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    file
    for folder in ("smar", "orchestration", "benchmarks", "studies")
    for file in (ROOT / folder).rglob("*.py")
)

# Source ------------------------------------------------------------------------------------------

BANNED_MODULES = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal",
    "jsonpickle", "zipfile", "tarfile", "xml", "lxml", "imp",
}  # fmt: skip
# Only the library reads what comes from outside; it has no business on the network.
BANNED_IN_LIBRARY = {
    "urllib.request", "http.client", "requests", "httpx", "aiohttp", "ftplib", "smtplib",
}  # fmt: skip
BANNED_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load",
    "torch.jit.load", "pd.read_pickle", "pandas.read_pickle", "yaml.load",
    "yaml.full_load", "yaml.unsafe_load", "yaml.load_all", "shutil.unpack_archive", "Markup",
}  # fmt: skip
# Calls that are safe with an argument of this value only.
NEEDED = {
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "from_pretrained": ("trust_remote_code", False),
    "from_config": ("trust_remote_code", False),
    "Environment": ("autoescape", True),
}


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(source: str, *, is_library: bool = True) -> Iterator[str]:
    """Yield what a source does that it must not do."""
    banned = BANNED_MODULES | (BANNED_IN_LIBRARY if is_library else set())
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name in banned or name.split(".")[0] in banned:
                yield f"imports {name}"
        if isinstance(node, ast.Call):
            yield from dangers_of_call(node)


def dangers_of_call(node: ast.Call) -> Iterator[str]:
    name = dotted(node.func)
    last = name.rpartition(".")[2]
    if name in BANNED_CALLS or last in {"read_pickle", "to_pickle", "unpack_archive"}:
        yield f"calls {name}"
    given = {word.arg: word.value for word in node.keywords}
    needed = NEEDED.get(name) or NEEDED.get(last)
    if needed:
        value = given.get(needed[0])
        if not (isinstance(value, ast.Constant) and value.value is needed[1]):
            yield f"calls {name} without {needed[0]}={needed[1]}"
    for word in ("allow_pickle", "trust_remote_code", "shell"):
        value = given.get(word)
        if value is not None and not (isinstance(value, ast.Constant) and value.value is False):
            yield f"calls {name} with {word}"


# Drawings are put together as SVG; every text in them is escaped (tested with the evaluation).
# Of a kind's own source, a file of the package, its parameters are run without importing torch.
ALLOWED = {
    ("smar/params/kinds.py", "calls compile"),
    ("smar/params/kinds.py", "calls exec"),
    ("smar/pages/plots.py", "calls Markup"),
    # The command that downloads a feed's pictures; no stage imports it.
    ("smar/sources/picture_fetching.py", "imports http.client"),
    # A script that an export carries: it talks to the engine whose address its user gives.
    ("smar/export/targets/_lucene.py", "imports urllib.request"),
}


def test_no_source_unpickles_extracts_evaluates_or_fetches():
    found: dict[str, list[str]] = {}
    for file in SOURCES:
        name = str(file.relative_to(ROOT))
        is_library = file.is_relative_to(ROOT / "smar")
        found[name] = [
            problem
            for problem in dangers(file.read_text(), is_library=is_library)
            if (name, problem) not in ALLOWED
        ]
    assert {file: problems for file, problems in found.items() if problems} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "def f():\n    from xml.etree import ElementTree",
        "from urllib import request",
        "import torch\ntorch.load('x')",
        "np.load('x')",
        "np.load('x', allow_pickle=True)",
        "np.load('x', allow_pickle=flag)",
        "pd.read_pickle('x')",
        "frame.to_pickle('x')",
        "yaml.load(text, Loader=yaml.Loader)",
        "AutoModel.from_pretrained(name)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "Environment(loader=x)",
        "Environment(autoescape=False)",
        "subprocess.run(x, shell=True)",
        "shutil.unpack_archive('x')",
        "eval(text)",
    ],
)
def test_the_search_finds(source: str):
    assert list(dangers(source))


def test_pretrained_weights_are_safetensors_only():
    without_weights = ("AutoConfig", "AutoTokenizer")
    calls = [
        node
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and dotted(node.func).endswith(".from_pretrained")
        and not dotted(node.func).startswith(without_weights)
    ]
    assert calls
    for call in calls:
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert given.get("use_safetensors") == "True"


def test_templates_mark_no_data_as_safe():
    templates = sorted((ROOT / "smar").rglob("*.j2"))
    assert templates
    for file in templates:
        for marked in re.findall(r"\{\{([^}]*\|\s*safe[^}]*)\}\}", file.read_text()):
            literals = re.sub(r"'[^']*'", "", marked)
            assert set(re.findall(r"\w+", literals)) <= {"if", "else", "is_stopped", "safe"}, file
        assert "autoescape false" not in file.read_text()


# Hub models --------------------------------------------------------------------------------------


class Exploit:
    """What a pickle can do: anything."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def test_model_folder_with_its_own_code_runs_none_of_it(tmp_path: Path):
    proof = tmp_path / "ran"
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "evil.py").write_text(f"import pathlib\npathlib.Path({str(proof)!r}).touch()\n")
    (folder / "config.json").write_text(
        '{"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModel":'
        ' "evil.Model", "AutoTokenizer": ["evil.Slow", "evil.Fast"]}}'
    )
    evil = Checkpoint("evil", folder)
    with pytest.raises(ParamsError, match="cannot be loaded"):
        load_pretrained(evil, "text")
    with pytest.raises(ParamsError, match="no tokenizer can be loaded"):
        pretrained_tokenizer(evil, 8)
    assert not proof.exists()


def test_pickled_weights_are_not_opened(tmp_path: Path):
    proof = tmp_path / "ran"
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert", "hidden_size": 24}')
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Exploit(proof)))
    with pytest.raises(ParamsError, match=r"safetensors"):
        load_pretrained(Checkpoint("pickled", folder), "text")
    assert not proof.exists()
    # The file is dangerous to whoever unpickles it: without this the refusal above proves nothing.
    unpickle = [sys.executable, "-m", "pickle", str(folder / "pytorch_model.bin")]
    subprocess.run(unpickle, check=True, stdout=subprocess.DEVNULL)
    assert proof.exists()


def test_array_with_objects_is_not_unpickled(tmp_path: Path):
    proof = tmp_path / "ran"
    np.save(tmp_path / "x.npy", np.array([Exploit(proof)], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        np.load(tmp_path / "x.npy", allow_pickle=False)
    assert not proof.exists()


# Feeds -------------------------------------------------------------------------------------------

PICTURES = ImageStoreParams(height=20, width=10, max_pixels=5_000)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A feed's folder with a picture inside and one outside."""
    folder = tmp_path / "raw"
    (folder / "images").mkdir(parents=True)
    (tmp_path / "raw-secret").mkdir()
    for place in (folder / "images" / "good.png", tmp_path / "outside.png",
                  tmp_path / "raw-secret" / "x.png"):  # fmt: skip
        Image.new("RGB", (10, 20), "red").save(place)
    (folder / "linked").symlink_to(tmp_path)
    return folder


def pack(raw: Path, link: str) -> tuple[list[int], str]:
    quarantine, target = Quarantine(), raw.parent / "packed"
    target.mkdir(exist_ok=True)
    files = [PictureFile("good", 1, "images/good.png"), PictureFile("bad", 2, link)]
    ids, *_ = pack_images(raw, files, target, PICTURES, quarantine)
    reasons = quarantine.frame()["reason"]
    return ids, "" if reasons.empty else str(reasons[0])


@pytest.mark.parametrize(
    "link",
    [
        "../outside.png",
        "images/../../outside.png",
        "linked/outside.png",
        "../raw-secret/x.png",
        "/etc/hostname",
        "{raw}/../outside.png",
        "~/outside.png",
        "..\\outside.png",
        "file:///etc/hostname",
        "FILE:../outside.png",
        "%2e%2e/outside.png",
        "http://169.254.169.254/latest/meta-data",
        "HTTPS://example.com/a.png",
        "ftp://example.com/a.png",
        "s3://bucket/a.png",
        "//example.com/a.png",
        "\\\\example.com\\share\\a.png",
        "data:image/png;base64,AAAA",
        "images/good.png\0.jpg",
        "images",
        "/dev/zero",
    ],
)
def test_picture_link_reaches_nothing_outside_the_folder(raw: Path, link: str):
    ids, reason = pack(raw, link.replace("{raw}", str(raw)))
    assert ids == [0, -1]
    assert reason


def png_of(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and holds no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", b"no pixels"), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("size", [(100, 51), (8_000, 8_000), (60_000, 60_000)])
def test_picture_bomb_is_refused_by_its_header(raw: Path, size: tuple[int, int]):
    """Decoded, these would be "corrupt": they hold no pixels."""
    (raw / "bomb.png").write_bytes(png_of(*size))
    assert pack(raw, "bomb.png")[1] == "has more than 5000 pixels"
    (raw / "small.png").write_bytes(png_of(50, 50))
    assert pack(raw, "small.png")[1] == "is corrupt"


def test_picture_that_needs_another_program_is_not_opened(raw: Path):
    Image.new("RGB", (10, 20), "red").save(raw / "a.eps")
    (raw / "a.eps").rename(raw / "a.jpg")
    assert pack(raw, "a.jpg") == ([0, -1], "is not a picture")


@pytest.mark.parametrize(
    "declaration",
    [
        "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "boom"}">' for n in range(10)),
        '<!ENTITY a9 SYSTEM "file:///etc/hostname">',
        '<!ENTITY a9 SYSTEM "http://example.com/x">',
        '<!ENTITY % p SYSTEM "http://example.com/x"> %p;',
    ],
    ids=["billion laughs", "file", "address", "parameter"],
)
def test_xml_entities_are_not_expanded(tmp_path: Path, declaration: str):
    (tmp_path / "feed.xml").write_text(
        f"<!DOCTYPE x [{declaration}]><rss><item><id>1</id><title>&a9;</title></item></rss>"
    )
    with pytest.raises(DataError, match="cannot be read as xml"):
        read_feed(tmp_path, FeedParams(file="feed.xml", columns={}), Quarantine())


# The guard of these tests ------------------------------------------------------------------------


def with_socket(use: Callable[[socket.socket], object], kind: int = socket.SOCK_STREAM) -> None:
    with socket.socket(type=kind) as opened:
        use(opened)


def without_proxy() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.mark.refused_by_guard
@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.create_connection(("192.0.2.1", 80), 0.1),
        lambda: with_socket(lambda s: s.connect_ex(("192.0.2.1", 80))),
        lambda: with_socket(lambda s: s.sendto(b"x", ("192.0.2.1", 53)), socket.SOCK_DGRAM),
        lambda: socket.getaddrinfo("example.com", 443),
        lambda: socket.gethostbyname("example.com"),
        lambda: without_proxy().open("http://example.com", timeout=0.1),
    ],
    ids=["connect", "connect_ex", "sendto", "getaddrinfo", "gethostbyname", "urlopen"],
)
def test_no_test_reaches_the_network(reach):
    with pytest.raises((PermissionError, OSError), match="a test tried to reach"):
        reach()


def test_own_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address, 1) as client:
            assert client.getpeername() == address
