"""Imported by the process that steps are forked from: what it loaded they need not load again."""

from contextlib import suppress

from orchestration.definitions import defs

with suppress(Exception):  # the step itself says what is wrong
    defs()
