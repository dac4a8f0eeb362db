"""The section `cluster`."""

from typing import Annotated, Literal

from pydantic import Field

from smar.params.section import Count, Section


class ClusterParams(Section):
    """Where work that falls into shards is done. It decides where and how fast, never what."""

    kind: Literal["local", "ray"] = "local"
    """local: by the process of the stage; ray: by processes of a Ray cluster (smar[cluster])."""
    address: str = ""
    """Of the cluster: auto or HOST:PORT where this machine belongs to one, ray://HOST:10001 from
    outside; "" = one of this machine alone, which ends with the stage. Workers see the project
    under the same path."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that take shards; 0 = as many as the cluster has CPUs for."""

    ranks: Count = 1
    """Processes that train one model together, of this machine or of the Ray cluster, a GPU each
    where there are as many: they share every step, whose gradients are those of one process."""

    def threads(self, asked: int) -> int:
        """Return the CPU threads of a process that takes shards; 0 = as many as it may use.

        Args:
            asked: What `threads` of params.yaml says.
        """
        return asked if self.kind == "local" else asked or 1
