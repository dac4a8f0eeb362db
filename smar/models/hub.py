"""A pretrained model on a model hub: what it has, and its files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from smar.errors import ParamsError


@dataclass(frozen=True)
class Hub:
    """One model of a hub, at one revision.

    Args:
        name: As the hub calls it, for example intfloat/e5-small-v2.
        revision: Commit, tag or branch; "" for the newest.
    """

    name: str
    revision: str = ""

    def files(self) -> frozenset[str]:
        """Return the names of its files, without downloading any.

        Raises:
            ParamsError: If it is not there, may not be seen, or nothing can be reached.
        """
        from huggingface_hub import HfApi

        with self._told():
            found = HfApi().model_info(self.name, revision=self.revision or None)
        return frozenset(each.rfilename for each in found.siblings or ())

    def fetch(self, folder: Path, patterns: Sequence[str]) -> None:
        """Download files into a folder; those that are there already are not loaded again.

        Args:
            folder: Where they are put.
            patterns: Of their names.

        Raises:
            ParamsError: As `files` does.
        """
        from huggingface_hub import snapshot_download

        with self._told():
            snapshot_download(
                self.name,
                revision=self.revision or None,
                local_dir=folder,
                allow_patterns=list(patterns),
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in one line what a hub refuses."""
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            HFValidationError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        # What the library that it asks with raises, whichever that is.
        of_transport = cast("type[Exception]", HfHubHTTPError.__mro__[1])
        reason = ""
        try:
            yield
        except GatedRepoError:
            reason = "asks for permission first: get it on its page, then `hf auth login`"
        except RevisionNotFoundError:
            reason = f"has no revision '{self.revision}'"
        except (RepositoryNotFoundError, HFValidationError):
            reason = "is neither a folder here nor a model of the hub that you may see"
        except (of_transport, OSError) as error:
            told = " ".join(str(error).split())[:200]
            reason = (
                f"cannot be reached ({told}); without a network copy its folder here, then "
                f"`smar backbone {self.name} FOLDER`"
            )
        if reason:
            raise ParamsError(f"backbone: '{self.name}' {reason}. Nothing was written.")
