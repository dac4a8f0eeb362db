"""DVC repositories as Dagster assets; knows DVC and Dagster, and no project it serves.

`DvcProjectComponent` is all that most projects need. Below it `repository` reads a repository into
a `manifest`, `versions` and `sync` hold what was run against what there is, `translator` and
`names` name things, `assets` builds definitions, `resources` runs a stage through `running`,
`metadata` tells what came out, `sensors` follow what happens outside Dagster. `private` alone
touches what DVC and Dagster do not document.
"""

import sys

from dagster_dvc.errors import refuse_windows

refuse_windows(sys.platform)

from dagster_dvc.assets import build_assets  # noqa: E402 - a refusal comes before any import
from dagster_dvc.component import DvcProjectComponent  # noqa: E402
from dagster_dvc.manifest import Manifest, Source, Stage  # noqa: E402
from dagster_dvc.repository import Repository, load_manifest, open_repository  # noqa: E402
from dagster_dvc.resources import DvcResource  # noqa: E402
from dagster_dvc.settings import TranslatorSettings  # noqa: E402
from dagster_dvc.translator import DvcTranslator  # noqa: E402

__all__ = [
    "DvcProjectComponent",
    "DvcResource",
    "DvcTranslator",
    "Manifest",
    "Repository",
    "Source",
    "Stage",
    "TranslatorSettings",
    "build_assets",
    "load_manifest",
    "open_repository",
]
