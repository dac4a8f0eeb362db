"""DVC's complaints, with the file and the next step."""

import os
import re
from pathlib import Path


def problem_text(root: Path, file: Path, said: str, hint: str = "") -> str:
    """Return DVC's complaint with the file it is about and what to do next.

    Args:
        root: Root folder of the repository.
        file: What the complaint is about; the root itself where that is not known.
        said: DVC's words.
        hint: DVC's own advice, "" if it has none.
    """
    lock = file.with_name("dvc.lock")
    if file.name == "dvc.lock" or "dvc.lock" in said:
        name = os.path.relpath(lock, root)
        step = f"bring it back with `git checkout {name}`, or delete it and run `dvc repro`"
        file = lock
    elif "config" in said.lower() and file == root:
        file, step = root / ".dvc" / "config", "mend it, or see `dvc config --list`"
    elif file.suffix == ".dvc" and "key 'cmd'" in said:
        step = (
            "this is a stage of DVC 0.x, which DVC 3 does not read: write it into dvc.yaml with "
            "`dvc stage add -n NAME -d DEP -o OUT COMMAND` and delete the file"
        )
    elif "key 'live'" in said or ".live'" in said:
        step = "`live` left DVC with 3.0: list its files under `metrics` and `plots`"
    elif lacking := re.search(r"requires '([\w-]+)' to be installed", said):
        step = f"`pip install {lacking[1]}`, without which DVC itself reads nothing here"
    elif "Unsupported value of type 'date" in said:
        step = "DVC's templates know no dates: write it in quotes"
    elif file.name.startswith("params"):
        step = f"mend it, or bring it back with `git checkout {os.path.relpath(file, root)}`"
    else:
        step = "mend it, then see `dvc stage list --all`"
    said = " ".join(said.split()).rstrip(".").replace(f"{os.path.relpath(root)}/", "")
    return f"{file}: {said}. Next: {hint or step}."
