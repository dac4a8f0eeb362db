"""What runs in a worker of a cluster: a function over shards, in the versions of the stage."""

import platform
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from smar.closure import PACKAGE
from smar.errors import ClusterError, SmarError, list_problems

# All that computes what a worker sends back, in any of the stages.
_LIBRARIES = (
    "numpy", "pandas", "pyarrow", "scipy", "numba",
    "pillow", "pillow-heif",
    "torch", "transformers", "tokenizers", "timm",
    "faiss-cpu", "bm25s", "PyStemmer", "regex", "rapidfuzz",
)  # fmt: skip


@cache
def facts() -> dict[str, str]:
    """Return what has to be the same in every process for results to be the same."""
    code = sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        code.update(f"{file.relative_to(PACKAGE)}\n".encode() + file.read_bytes())
    found = {"python": platform.python_version(), "smar": code.hexdigest()[:12]}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


class Worker:
    """What runs in a worker's process.

    Args:
        prepare: Returns the function over shards.
        expected: The `facts` of the process that hands out the shards.
    """

    def __init__(
        self, prepare: Callable[[], Callable[[Any], Any]], expected: Mapping[str, str]
    ) -> None:
        self._prepare, self._expected = prepare, expected
        self._function: Callable[[Any], Any] | None = None

    def answer(self) -> None:
        """Do nothing: who gets an answer knows that there is a worker."""

    def run(self, shard: Any) -> Any:
        """Return what the function makes of a shard.

        Raises:
            ClusterError: If this machine has other versions, or not what the function needs.
        """
        if self._function is None:
            check_versions(self._expected)
            try:
                self._function = self._prepare()
            except (SmarError, OSError) as error:
                raise ClusterError(
                    f"{platform.node()}, a machine of the Ray cluster, cannot begin: {error} "
                    "Workers need the project under the same path as here, with the same content."
                ) from error
        return self._function(shard)


def check_versions(expected: Mapping[str, str]) -> None:
    """Raise if this process differs in its `facts`.

    Raises:
        ClusterError: With all that differs.
    """
    found = facts()
    problems = [
        f"{name} {found.get(name, 'none')}, where the stage runs {expected.get(name, 'none')}"
        for name in dict.fromkeys([*found, *expected])
        if expected.get(name) != found.get(name)
    ]
    if problems:
        headline = (
            f"{platform.node()}, a machine of the Ray cluster, runs other versions, so results "
            "could differ; nothing was changed. Install the same smar[cluster] everywhere:"
        )
        raise ClusterError(list_problems(headline, problems))
