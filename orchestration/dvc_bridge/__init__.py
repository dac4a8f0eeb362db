"""DVC pipelines as Dagster assets. Knows DVC and Dagster, and nothing of the project it serves.

`manifest` reads the repository, `versions` compares what was run with what there is, `translator`
names things, `assets` builds definitions, `resource` runs a stage through `runner`, `metadata` tells
what came out, `sync` and `sensors` follow what happens outside Dagster.
"""
