"""Pictures by the hash of their files, in the size and form that is asked for."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smar.data.images import ImageStore
from smar.errors import DataError
from smar.service.pictures import Pictures


def test_picture_has_the_size_and_form_that_is_asked_for(tiny_images: ImageStore):
    pictures = Pictures(tiny_images)
    sha = tiny_images.sha256[3]
    own = Image.open(BytesIO(pictures.encoded(sha, form="png")))
    assert (np.asarray(own) == tiny_images.read(np.array([3]))[0]).all()
    for form in ("jpeg", "webp"):
        picture = Image.open(BytesIO(pictures.encoded(sha, 40, form)))
        assert (picture.format.lower(), max(picture.size)) == (form, 40)


@pytest.mark.parametrize(
    ("size", "form"), [(-1, "jpeg"), (5000, "jpeg"), (1.5, "jpeg"), (9, "gif")]
)
def test_sizes_and_forms_that_there_are_not_are_refused(
    tiny_images: ImageStore, size: int, form: str
):
    with pytest.raises(DataError, match="expected"):
        Pictures(tiny_images).encoded(tiny_images.sha256[0], size, form)


def test_without_a_store_no_picture_is_at_hand(tmp_path: Path):
    pictures = Pictures.open(tmp_path / "images")
    assert "x" not in pictures
    with pytest.raises(KeyError):
        pictures.encoded("x")
    assert pictures.at_hand(tmp_path / "none.parquet") == []
