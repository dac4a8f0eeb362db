"""What Dagster keeps to itself."""

# What Dagster makes of a key where it needs the name of an input.
from dagster._core.definitions.assets.definition.assets_definition import (
    stringify_asset_key_to_input_name,
)

# Tags of events and of versions: the API to set an event's input versions is not public.
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

# What a job is before it is resolved; only its name is documented.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

# How a step is told to stop: it has to be caught, to stop the stage's processes.
from dagster._core.errors import DagsterExecutionInterruptedError

# The documented executor cannot fork, which is what makes a step cheap.
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.multiprocess import MultiprocessExecutor

# How YAML of a component becomes a change of a spec, as in Dagster's own integrations.
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver

__all__ = [
    "CODE_VERSION_TAG",
    "DATA_VERSION_IS_USER_PROVIDED_TAG",
    "DATA_VERSION_TAG",
    "DEFAULT_DATA_VERSION",
    "NULL_EVENT_POINTER",
    "DagsterExecutionInterruptedError",
    "MultiprocessExecutor",
    "RetryMode",
    "TranslationFn",
    "TranslationFnResolver",
    "UnresolvedAssetJobDefinition",
    "get_input_data_version_tag",
    "get_input_event_pointer_tag",
    "stringify_asset_key_to_input_name",
]
