"""What a stage says of itself, once: the command line, digests, checks and tests take it from here.

Importing a stage's module is cheap, so that declarations can be read without the libraries that
its work needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from smar.artifacts import digest


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage as it stands in dvc.yaml, its code dependencies left out.

    Args:
        summary: One line: what comes out.
        reads: Data that it reads, as under `deps`; `${...}` is a value of params.yaml.
        writes: All that it writes, as under `outs`, `metrics` and `plots`.
        params: Parameters that it takes, as under `params`.
    """

    summary: str
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    params: Sequence[str] = ()

    def digests(self, root: Path) -> dict[str, str]:
        """Return the digest of everything that the stage reads, by its name in `reads`.

        Raises:
            ArtifactError: If a file is missing, or a directory has no manifest.
        """
        return {name: digest(root / name) for name in self.reads}


def in_order(stages: Mapping[str, Stage]) -> dict[str, Stage]:
    """Return stages so that each comes after those that write what it reads, else by name.

    Raises:
        ValueError: If stages read each other's outputs in a circle; names them.
    """
    waiting = dict(sorted(stages.items()))
    ordered: dict[str, Stage] = {}
    while waiting:
        unwritten = {name: set(stage.writes) for name, stage in waiting.items()}
        ready = [
            name
            for name, stage in waiting.items()
            if not any(set(stage.reads) & unwritten[other] for other in waiting if other != name)
        ]
        if not ready:
            raise ValueError(
                f"stages {', '.join(waiting)} read what each other write, in a circle: mend reads "
                "and writes of their declarations in smar/stages/."
            )
        ordered[ready[0]] = waiting.pop(ready[0])
    return ordered
