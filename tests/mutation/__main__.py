"""Break a line, run the tests that mirror it, and see that one fails; for every mutant.

    python -m tests.mutation [WORDS]     only mutants whose names hold the words

Each runs in a copy of the repository. Ends with exit code 1 if a mutant that must be caught is not,
if one no longer applies, or if fewer than 90 % are caught.
"""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from tests.mutation.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
LEAST_CAUGHT = 0.9
CAUGHT, SURVIVED, BROKEN = "caught", "SURVIVED", "DOES NOT APPLY"


def copy_of_repository(target: Path) -> Path:
    """Copy every file that git knows, or would take, as it lies in the working tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name.endswith((".py", ".toml", ".yaml", ".j2", ".lock")) and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
    return target


def fails(copy: Path, tests: str) -> bool:
    """Return whether one of the tests fails; an error of collection is a failure too."""
    chosen = [part if part.startswith("-") or not _is_path(part) else f"tests/{part}"
              for part in tests.split()]  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *chosen]
    own = {"PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=copy, env=os.environ | own, capture_output=True, check=False, timeout=900
    )
    if done.returncode not in {0, 1, 2}:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout.decode()[-2000:]}")
    return done.returncode != 0


def _is_path(part: str) -> bool:
    return (ROOT / "tests" / part).exists()


def outcome(mutant: Mutant, copies: "SimpleQueue[Path]") -> str:
    """Return what becomes of a mutant."""
    copy = copies.get()
    file = copy / mutant.file
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    try:
        if text.count(mutant.old) != 1:
            return BROKEN
        file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        return CAUGHT if fails(copy, mutant.tests) else SURVIVED
    finally:
        if text:
            file.write_text(text, encoding="utf-8")
        copies.put(copy)


def _all_tests(mutants: list[Mutant]) -> str:
    """Return every test file or folder that is named, each once and whole."""
    parts = {part for mutant in mutants for part in mutant.tests.split() if _is_path(part)}
    return " ".join(sorted(parts))


def main(words: str) -> int:
    """Run the mutants, print what became of each, and return the exit code."""
    chosen = [mutant for mutant in MUTANTS if words in mutant.name]
    workers = max(1, min(4, len(os.sched_getaffinity(0))))
    start = time.perf_counter()
    with TemporaryDirectory(prefix="smar-mutants-") as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(workers):
            copies.put(copy_of_repository(Path(folder) / str(number)))
        clean = copy_of_repository(Path(folder) / "clean")
        found = []
        with ThreadPoolExecutor(workers) as pool:
            unbroken = pool.submit(fails, clean, _all_tests(chosen))
            outcomes = pool.map(lambda mutant: outcome(mutant, copies), chosen)
            for mutant, became in zip(chosen, outcomes, strict=True):
                found.append(became)
                reason = f" ({mutant.survives})" if mutant.survives else ""
                sys.stdout.write(f"{became:<14} {mutant.file}: {mutant.name}{reason}\n")
                sys.stdout.flush()
        if unbroken.result():
            sys.stderr.write("the tests fail without any mutation: mend them first\n")
            return 1
    caught = found.count(CAUGHT)
    share = f"{caught} of {len(found)} caught ({caught / len(found):.0%})"
    sys.stdout.write(f"{share} in {time.perf_counter() - start:.0f} s\n")
    is_bad = [
        became == BROKEN or (became == SURVIVED and not mutant.survives)
        for mutant, became in zip(chosen, found, strict=True)
    ]
    return int(any(is_bad) or caught < LEAST_CAUGHT * len(found))


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
