"""All contact with what DVC and Dagster do not document. Nothing else imports it from them.

DVC's Python API (`dvc.api`) opens files and reads parameters; it knows no stages, no graph and no
status, so that the bridge has to read DVC's own objects. Every use, its reason and what it expects
stand in `tests/test_private.py`, which fails first where another version differs.
"""

from dagster_dvc.private.actions import get_ready, ignore_outputs, run_command, set_param
from dagster_dvc.private.from_dagster import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    DagsterExecutionInterruptedError,
    MultiprocessExecutor,
    RetryMode,
    TranslationFn,
    TranslationFnResolver,
    UnresolvedAssetJobDefinition,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
    stringify_asset_key_to_input_name,
)
from dagster_dvc.private.loaded import Loaded
from dagster_dvc.private.reader import AmbiguousError, Reader
from dagster_dvc.private.reasons import reason
from dagster_dvc.private.speed import keep_for_good, without_garbage
from dagster_dvc.private.status import hash_address, hash_paths, refill, status

__all__ = [
    "CODE_VERSION_TAG",
    "DATA_VERSION_IS_USER_PROVIDED_TAG",
    "DATA_VERSION_TAG",
    "DEFAULT_DATA_VERSION",
    "NULL_EVENT_POINTER",
    "AmbiguousError",
    "DagsterExecutionInterruptedError",
    "Loaded",
    "MultiprocessExecutor",
    "Reader",
    "RetryMode",
    "TranslationFn",
    "TranslationFnResolver",
    "UnresolvedAssetJobDefinition",
    "get_input_data_version_tag",
    "get_input_event_pointer_tag",
    "get_ready",
    "hash_address",
    "hash_paths",
    "ignore_outputs",
    "keep_for_good",
    "reason",
    "refill",
    "run_command",
    "set_param",
    "status",
    "stringify_asset_key_to_input_name",
    "without_garbage",
]
