"""An engine of calls that does not make the same take twice."""

import io
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from .engine import CallMaker, CallRequest, Take, take_seed


class RememberingMaker:
    """``maker``, asked only for takes that ``get`` does not know.

    Args:
        key: names a take by the request that makes it alone.
        get: the bytes that ``put`` was given for this key, or None.
    """

    def __init__(
        self,
        maker: CallMaker,
        key: Callable[[CallRequest], str],
        get: Callable[[str], bytes | None],
        put: Callable[[str, bytes], None],
    ) -> None:
        self._maker, self._key, self._get, self._put = maker, key, get, put
        self.name, self.rate, self.model = maker.name, maker.rate, maker.model

    def make(self, requests: Sequence[CallRequest]) -> Iterator[tuple[int, Take]]:
        """All takes of all requests in order, each with the index of its request."""
        single = [
            (index, _alone(one, number))
            for index, one in enumerate(requests)
            for number in range(one.takes)
        ]
        known = [self._get(self._key(one)) for _, one in single]
        new = self._maker.make(
            [one for (_, one), packed in zip(single, known, strict=True) if packed is None]
        )
        for (index, one), packed in zip(single, known, strict=True):
            if packed is None:
                take = next(new)[1]
                self._put(self._key(one), _pack(take))
            else:
                take = _unpack(packed)
            yield index, take


def _alone(request: CallRequest, number: int) -> CallRequest:
    """Take ``number`` of a request as a request of its own: the first take of a request has the request's seed."""
    return CallRequest(
        seed=take_seed(request.seed, number),
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
    with np.load(io.BytesIO(packed), allow_pickle=False) as found:
        return Take(found["audio"], int(found["rate"]), int(found["seed"]), str(found["note"]))
