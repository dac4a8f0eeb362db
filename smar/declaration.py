"""What a stage says of itself, once: the command line, digests, checks and tests take it from here.

Importing a stage's module is cheap, so that declarations can be read without the libraries that
its work needs.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smar.artifacts import digest, write_json
from smar.checks import Check, Checked, as_records
from smar.errors import ArtifactError, CheckError, list_problems

logger = logging.getLogger(__name__)

OF_RUN = "run"
"""Key of an outcome under which it tells what that run did, not what it made: how much it could
take over from runs before. Equal works may have come about in different runs."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage as it stands in dvc.yaml, its code dependencies left out.

    Args:
        summary: One line: what comes out.
        reads: Data that it reads, as under `deps`; `${...}` is a value of params.yaml.
        writes: All that it writes, as under `outs` and `metrics`.
        params: Parameters that it takes, as under `params`.
        compared: Its figures that people compare between runs, by name: what `metrics` holds. A
            group gives all of its own. Times are not among them: they are the machine's.
        unused_kinds: Sections of params.yaml whose chosen kind it does not use, though it imports
            what could load it.
        in_ranks: Whether several processes can run it together (`smar.train.ranks`).
        checks: What it checks of its own work before that replaces what lay there, by name.
    """

    summary: str
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    params: Sequence[str] = ()
    compared: Sequence[str] = ()
    unused_kinds: Sequence[str] = ()
    in_ranks: bool = False
    checks: Mapping[str, Check] = field(default_factory=dict)

    def digests(self, root: Path) -> dict[str, str]:
        """Return the digest of everything that the stage reads, by its name in `reads`.

        What a parameter names is left out: the stage itself knows what there is to say of it.

        Raises:
            ArtifactError: If a file is missing, or a directory has no manifest.
        """
        return {name: digest(root / name) for name in self.reads if "$" not in name}

    def expect(self, root: Path, digests: Mapping[str, str]) -> None:
        """Raise unless a project holds what the stage read elsewhere.

        Args:
            root: The project, as another machine sees it.
            digests: What the stage found where it runs, as of `digests`.

        Raises:
            ArtifactError: If something is missing or differs; names it.
        """
        here = self.digests(root)
        parted = [name for name in here if here[name] != digests.get(name)]
        if parted:
            raise ArtifactError(f"{root}: {', '.join(parted)} differ here from those of the stage.")

    def with_checks(
        self, outcome: Path, figures: Mapping[str, Any], found: Sequence[Checked]
    ) -> dict[str, Any]:
        """Return a stage's figures with what its checks found; call it before writing the rest.

        What failed without stopping the stage is logged.

        Args:
            outcome: The stage's outcome; it is written here if the stage stops.
            figures: Its figures.
            found: The outcome of every declared check, or of those up to one that stops the stage.

        Raises:
            CheckError: If a blocking check failed; names all of them.
        """
        content = dict(figures) | {"checks": as_records(found, self.checks)}
        failed = [checked for checked in found if not checked.passed]
        for checked in failed:
            if not self.checks[checked.name].blocking:
                logger.warning("%s: %s", checked.name, checked.text)
        stops = [c for c in failed if self.checks[c.name].blocking]
        if stops:
            write_json(outcome, content)
            headline = (
                f"{len(stops)} of {len(found)} checks stop the stage; what it made before is as it "
                f"was. See checks in {outcome}:"
            )
            raise CheckError(list_problems(headline, [f"{c.name}: {c.text}" for c in stops]))
        return content

    def write_outcome(self, root: Path, outcome: Mapping[str, Any]) -> None:
        """Write a stage's whole outcome, and the few figures of it that people compare.

        Args:
            root: The project.
            outcome: Everything worth keeping about the run; what it has not of `compared` (a share
                of words that nothing chose) is left out.
        """
        found: dict[str, Any] = {}
        for name in self.compared:
            value = outcome.get(name)
            found |= value if isinstance(value, Mapping) else {} if value is None else {name: value}
        for place in self.writes:
            if place.startswith("reports/outcomes/"):
                write_json(root / place, outcome)
            elif place.startswith("metrics/"):
                write_json(root / place, found)


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
