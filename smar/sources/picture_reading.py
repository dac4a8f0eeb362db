"""Pictures read from their files and decoded, by threads here or by the machines of a cluster.

Shapes: H x W pixels, uint8 RGB.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from smar.params import ClusterParams, ImageStoreParams
from smar.shards.mapping import map_shards
from smar.sources.decoded_pictures import DecodedPictures, Stamp
from smar.sources.picture_decoding import PictureCutError, PictureError, decode
from smar.sources.picture_files import PictureFolder, PictureMissingError

_CHUNK = 512  # pictures that memory holds
_TASK = 16  # of them for a thread at a time: to hand over one by itself costs much of a small one
_SHARD, _SHARD_BYTES = 64, 2**24  # pictures, and bytes of their files, for a cluster at a time


@dataclass(frozen=True)
class Read:
    """A decoded picture, or the reason why there is none; no pixels if a store has them.

    One that is still to be decoded has the content of its file.
    """

    digest: str = ""
    stamp: Stamp | None = None
    content: bytes | None = None
    pixels: NDArray[np.uint8] | None = None
    size: tuple[int, int] = (0, 0)
    reason: str = ""
    is_cut: bool = False


Ask = tuple[str, bool]
"""A link, and whether a file with another ending will do."""


@dataclass(frozen=True)
class PictureSource:
    """Where pictures are read from.

    Args:
        folder: The feed's.
        params: How they are packed.
        decoded: What need not be decoded.
        stamped: Rows of the stamps of what was decoded, by link.
    """

    folder: PictureFolder
    params: ImageStoreParams
    decoded: DecodedPictures
    stamped: Mapping[str, int]

    def read_all(self, asks: Sequence[Ask]) -> list[Read]:
        """Return pictures as `read` does."""
        return [self.read(ask) for ask in asks]

    def read(self, ask: Ask, *, allow_cut: bool = False) -> Read:
        """Return a picture; its pixels only if no earlier run decoded it."""
        return _decoded(self.opened(ask), self.params, allow_cut=allow_cut)

    def opened(self, ask: Ask) -> Read:
        """Return a picture; its content only if no earlier run decoded it."""
        link, any_ending = ask
        try:
            path = self.folder.find(link, any_ending=any_ending)
            stamp = Stamp.of(path)
            if digest := self.decoded.digest_of(self.stamped.get(link, -1), stamp):
                return Read(digest, stamp)
            content = self.folder.content(path)
        except (PictureMissingError, PictureError) as error:
            return Read(reason=str(error))
        except OSError:
            return Read(reason="file cannot be read")
        digest = sha256(content).hexdigest()
        return Read(digest, stamp, None if self.decoded.has_whole(digest) else content)


def read_pictures(
    source: PictureSource, asks: Sequence[Ask], cluster: ClusterParams
) -> Iterator[tuple[Ask, Read]]:
    """Yield what is asked for with what it leads to, in its order.

    A cluster decodes what is read here, so that its machines need no file of the shop.
    """
    if cluster.kind == "ray":
        yield from _on_cluster(source, asks, cluster)
    else:
        yield from _here(source, asks)


def _here(source: PictureSource, asks: Sequence[Ask]) -> Iterator[tuple[Ask, Read]]:
    """Yield what links lead to, in their order; no thread decodes while one is taken."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(asks), _CHUNK):
            chunk = asks[start : start + _CHUNK]
            tasks = [chunk[place : place + _TASK] for place in range(0, len(chunk), _TASK)]
            found = chain.from_iterable(pool.map(source.read_all, tasks))
            yield from [*zip(chunk, found, strict=True)]


def _on_cluster(
    source: PictureSource, asks: Sequence[Ask], cluster: ClusterParams
) -> Iterator[tuple[Ask, Read]]:
    """Yield what links lead to, in their order, read here and decoded by a cluster."""
    waiting = deque[tuple[Ask, Read]]()

    def shards() -> Iterator[list[Read]]:
        shard, size = list[Read](), 0
        for ask in asks:
            read = source.opened(ask)
            waiting.append((ask, read))
            if read.content is not None:
                shard.append(read)
                size += len(read.content)
            if len(shard) == _SHARD or size >= _SHARD_BYTES:
                yield shard
                shard, size = [], 0
        if shard:
            yield shard

    first = next(stream := shards(), None)
    found: Iterable[list[Read]] = ()
    if first is not None:  # else there is nothing for a cluster to do
        found = map_shards(partial(decoder, source.params), chain([first], stream), cluster)
    for made in chain.from_iterable(found):
        while waiting[0][1].content is None:
            yield waiting.popleft()
        yield waiting.popleft()[0], made
    yield from waiting


def decoder(params: ImageStoreParams) -> Callable[[Sequence[Read]], list[Read]]:
    """Return what decodes a shard of pictures that were read."""
    return lambda shard: [_decoded(read, params) for read in shard]


def _decoded(read: Read, params: ImageStoreParams, *, allow_cut: bool = False) -> Read:
    """Return a picture with its pixels, if it has to be decoded."""
    if read.content is None:
        return read
    size = params.height, params.width
    try:
        pixels, own = decode(read.content, *size, params.max_pixels, allow_cut=allow_cut)
    except PictureError as error:
        return Read(reason=str(error), is_cut=isinstance(error, PictureCutError))
    return replace(read, content=None, pixels=pixels, size=own)
