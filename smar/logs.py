"""What a program of this library says while it runs."""

import logging
import os


def set_up_logging(*packages: str, is_quiet: bool) -> None:
    """Let libraries speak up when something is wrong, and these packages also say what they do."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S"
    )
    for package in packages:
        logging.getLogger(package).setLevel(logging.WARNING if is_quiet else logging.INFO)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
