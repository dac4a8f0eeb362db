"""The one pipeline component of the project, for definitions that build on it."""

import dagster as dg

from orchestration.components.dvc_pipeline_component import DvcPipelineComponent


def pipeline_component(context: dg.ComponentLoadContext) -> DvcPipelineComponent:
    """Return the component that defs/pipeline/defs.yaml describes."""
    component = context.load_component("pipeline")
    if not isinstance(component, DvcPipelineComponent):
        raise TypeError(
            f"defs/pipeline: holds {type(component).__name__}, no DvcPipelineComponent."
        )
    return component
