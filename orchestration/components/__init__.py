"""Components that defs.yaml files can name."""

from orchestration.components.dvc_pipeline_component import DvcPipelineComponent

__all__ = ["DvcPipelineComponent"]
