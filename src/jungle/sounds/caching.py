"""A sound engine that does not make the same take twice."""

import io
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from .engine import CallRequest, SoundEngine, Take, take_seed


class CachedEngine:
    """``engine``, asked only for takes that are not in a cache.

    Args:
        engine: makes what is missing.
        key: names a take by the request that makes it alone.
        get: the bytes that ``put`` was given for this key, or None.
        put: keeps the bytes of a new take.
    """

    def __init__(
        self,
        engine: SoundEngine,
        key: Callable[[CallRequest], str],
        get: Callable[[str], bytes | None],
        put: Callable[[str, bytes], None],
    ) -> None:
        self._engine = engine
        self._key, self._get, self._put = key, get, put
        self.name, self.rate, self.model = engine.name, engine.rate, engine.model

    def make(self, requests: Sequence[CallRequest]) -> Iterator[tuple[int, Take]]:
        """All takes of all requests in order, each with the index of its request."""
        # One request a take, so that a request with more takes finds the old ones.
        single = [
            (index, _single_take(request, take))
            for index, request in enumerate(requests)
            for take in range(request.takes)
        ]
        cached = [self._get(self._key(request)) for _, request in single]

        # All missing takes in one call: the engine batches them.
        missing = [
            request for (_, request), packed in zip(single, cached, strict=True) if packed is None
        ]
        new_takes = self._engine.make(missing)

        for (index, request), packed in zip(single, cached, strict=True):
            if packed is None:
                _, take = next(new_takes)
                self._put(self._key(request), _pack(take))
            else:
                take = _unpack(packed)
            yield index, take


def _single_take(request: CallRequest, take: int) -> CallRequest:
    """Take ``take`` of a request as a request of its own, whose seed is that of the take."""
    return CallRequest(
        seed=take_seed(request.seed, take),
        mix=request.mix,
        prompt=request.prompt,
        negative=request.negative,
        seconds=request.seconds,
    )


def _pack(take: Take) -> bytes:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        audio=take.audio,
        rate=take.rate,
        seed=np.uint64(take.seed),
        note=np.array(take.note),
    )
    return buffer.getvalue()


def _unpack(packed: bytes) -> Take:
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        return Take(arrays["audio"], int(arrays["rate"]), int(arrays["seed"]), str(arrays["note"]))
