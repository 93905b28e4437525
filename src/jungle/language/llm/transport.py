"""One question to a server and whatever came back: the only place of the language that opens a
connection.

Of the official SDK the request, proxies and TLS are used. Its retries, redirects, decoding and
headers are not: it waits without a word for minutes, has no total deadline, fails on odd answers in
seven different ways, and sends OPENAI_API_KEY, organisation and project of the environment to any
server (measured with openai 3.54). So the headers that leave are listed here, and the bytes that
arrive are counted and kept here, even those of an answer that breaks off.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import MissingExtra
from .endpoint import Endpoint

MOST_BYTES = 1_000_000  # of an answer
CONNECT_SECONDS = 3.0
# that leave this machine
HEADERS = frozenset(
    ("host", "accept", "content-type", "content-length", "connection", "user-agent")
)


@dataclass(slots=True)
class Reply:
    """What came back, complete or not."""

    status: int = 0  # of HTTP; 0: not even a status came
    kind: str = ""  # media type, lower case
    body: bytes = b""  # at most :data:`MOST_BYTES`
    wait: float | None = None  # seconds that the server wants to be left alone
    broken: str = (
        ""  # why it is not complete: "closed" (no server there), "reset", "late" or "long"
    )


Post = Callable[[Endpoint, Mapping[str, Any], float], Reply]


def need_library() -> None:
    """Load the SDK, which takes a second or more, before any deadline runs.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import openai  # noqa: F401
    except ImportError:
        raise MissingExtra.library("openai", "openai", "--engine openai") from None


def post(endpoint: Endpoint, body: Mapping[str, Any], seconds: float) -> Reply:
    """Ask for a chat completion, and be back in ``seconds`` whatever the server does. Network
    faults are told by the reply.
    """
    import httpx2
    import openai

    reply = Reply()
    try:
        _run(_ask(endpoint, body, seconds, reply))
    except (TimeoutError, openai.APITimeoutError):
        reply.broken = "late"
    except openai.APIStatusError:
        pass  # the reply says so already
    except openai.APIConnectionError as problem:
        if not reply.broken:
            reply.broken = (
                "closed" if isinstance(problem.__cause__, httpx2.ConnectError) else "reset"
            )
    return reply


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
    else:  # in a notebook, which has a loop of its own
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, work).result()


async def _ask(endpoint: Endpoint, body: Mapping[str, Any], seconds: float, reply: Reply) -> None:
    import httpx2
    import openai

    async def leaving(request: httpx2.Request) -> None:
        """Send no header that is not listed, and no key but the one of this server."""
        for name in list(request.headers):
            if name.lower() not in HEADERS:
                del request.headers[name]
        request.headers["User-Agent"] = "jungle"
        request.headers["Accept-Encoding"] = "identity"
        if endpoint.key:
            request.headers["Authorization"] = f"Bearer {endpoint.key}"

    async def arriving(response: httpx2.Response) -> None:
        """Take the body before anybody decodes it."""
        reply.status = response.status_code
        reply.kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        reply.wait = _wait(response.headers)
        stream, response.stream = response.stream, httpx2.ByteStream(b"{}")  # the SDK is content
        response.headers.pop("content-encoding", None)
        assert isinstance(stream, httpx2.AsyncByteStream)
        try:
            async for chunk in stream:
                reply.body += chunk[: MOST_BYTES - len(reply.body)]
                if len(reply.body) >= MOST_BYTES:
                    reply.broken = "long"
                    break
        finally:
            await stream.aclose()

    # The SDK retries and redirects on its own; here it may do neither.
    async with asyncio.timeout(seconds):
        http = openai.DefaultAsyncHttpxClient(
            event_hooks={"request": [leaving], "response": [arriving]},
            follow_redirects=False,  # a key is for the server that was named
            trust_env=not endpoint.loopback,  # proxies do not know this machine
            verify=endpoint.base_url.startswith("https:"),
            timeout=httpx2.Timeout(seconds, connect=CONNECT_SECONDS),
        )
        client = openai.AsyncOpenAI(
            api_key="none", base_url=endpoint.base_url, max_retries=0, http_client=http
        )
        async with client:
            await client.chat.completions.with_raw_response.create(
                model=endpoint.model, messages=[], extra_body=dict(body)
            )


def _wait(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):  # a date: then we wait as long as we like
            continue
        if seconds >= 0:
            return seconds
    return None
