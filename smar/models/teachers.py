"""Teachers in folders: what they hold, and what is wrong with them; torch is not imported."""

from pathlib import Path

from smar.artifacts import MANIFEST, read_manifest
from smar.errors import ParamsError
from smar.models.pretrained import SUFFIX, Checkpoint
from smar.models.pretrained_checks import check_pretrained, uses
from smar.models.saved import KIND
from smar.params import ModelParams

SCORES = "scores.parquet"
COLUMNS = ("query", "item_id", "score")
_MOST_TOKENS = 64


def find_teacher(name: str, backbones: Path) -> Checkpoint | None:
    """Return the teacher of a name, None for "".

    Its folder holds scores.parquet, a model as a release has it, or a pretrained one of texts and
    pictures.

    Raises:
        ParamsError: If there is no such folder, it holds none of these, the file is no table with
            the columns of scores, or the pretrained model cannot be used.
        ArtifactError: If a file of the model is missing.
    """
    if not name:
        return None
    folder = backbones / f"{name}{SUFFIX}"
    if not folder.is_dir():
        raise ParamsError(
            f"finetune.teacher.name: '{name}': there is no folder {folder}. Copy the teacher there "
            "(models/retriever of another project, or a folder with scores.parquet), or take one "
            "of texts and pictures in with `smar backbone`."
        )
    teacher = Checkpoint(name, folder)
    if (folder / SCORES).is_file():
        _check_scores(folder / SCORES)
    elif (folder / MANIFEST).is_file():
        read_manifest(folder, KIND)
    else:
        _check_pair(teacher)
    return teacher


def pair_params(teacher: Checkpoint) -> ModelParams:
    """Return parameters by which every tower is a pretrained model of texts and pictures."""
    positions = teacher.text_facts().positions or _MOST_TOKENS
    tower = {"max_tokens": min(positions, _MOST_TOKENS)}
    text = teacher.config("text")
    return ModelParams.model_validate(
        {
            "pretrained": teacher.name,
            "dim": getattr(text, "projection_dim", 0) or getattr(text, "projection_size", 0),
            "shared_words": False,
            "query": tower,
            "text": tower,
        }
    )


def _check_scores(file: Path) -> None:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_schema

    try:
        names = read_schema(file).names
    except (ArrowException, OSError) as error:
        raise ParamsError(
            f"{file}: is not read as a parquet file ({error}). Write it again, with the columns "
            f"{', '.join(COLUMNS)}."
        ) from error
    if missing := [name for name in COLUMNS if name not in names]:
        raise ParamsError(
            f"{file}: columns {', '.join(missing)} are missing; expected {', '.join(COLUMNS)}."
        )


def _check_pair(teacher: Checkpoint) -> None:
    if (teacher.folder / "config.json").is_file():
        uses(teacher)
        if teacher.is_pair:
            check_pretrained(pair_params(teacher), teacher.folder.parent)
            return
    raise ParamsError(
        f"finetune.teacher.name: {teacher.folder} holds no teacher; expected {SCORES} (columns "
        f"{', '.join(COLUMNS)}), a trained model, such as a copy of or a link to the folder "
        "models/retriever of another project, or a pretrained model of texts and pictures."
    )
