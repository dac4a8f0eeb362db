"""The one pipeline component of the project, for definitions that build on it."""

import dagster as dg

from dagster_dvc import DvcProjectComponent


def pipeline_component(context: dg.ComponentLoadContext) -> DvcProjectComponent:
    """Return the component that defs/pipeline/defs.yaml describes."""
    component = context.load_component("pipeline")
    if not isinstance(component, DvcProjectComponent):
        raise TypeError(f"defs/pipeline: holds {type(component).__name__}, no DvcProjectComponent.")
    return component
