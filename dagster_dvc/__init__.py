"""DVC repositories as Dagster assets. Knows DVC and Dagster, and nothing of the projects it serves.

`loading` reads the repository into a `manifest`, `versions` compares what was run with what there
is, `translator` names things, `assets` builds definitions, `resources` runs a stage through
`runner`, `metadata` tells what came out, `sync` and `sensors` follow what happens outside Dagster.
"""

from dagster_dvc.component import DvcProjectComponent

__all__ = ["DvcProjectComponent"]
