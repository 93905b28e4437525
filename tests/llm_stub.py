"""A server of chat completions that does whatever a test wants, down to the bytes of its socket."""

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jungle.language.language import Language

USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


@dataclass(frozen=True)
class Request:
    """What came over the line."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][-1]["content"])

    @property
    def wanted(self) -> int:
        found = re.search(r"(\d+) (?:new phrases|plans)", self.prompt)
        assert found
        return int(found[1])


Act = Callable[[socket.socket, Request], None]
Answer = bytes | Act | Callable[[Request], bytes]


class Stub:
    """Answers the first request with the first answer, and so on; the last answer again and
    again.
    """

    def __init__(self, *answers: Any) -> None:
        self.answers, self.requests = answers, list[Request]()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Stub":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(line,), daemon=True).start()

    def _one(self, line: socket.socket) -> None:
        with line:
            try:
                request = read_request(line)
                self.requests.append(request)
                answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
                data = (
                    answer
                    if isinstance(answer, bytes)
                    else answer(request)
                    if wants_one(answer)
                    else answer(line, request)
                )
                if data:
                    line.sendall(data)
            except OSError:
                return


def wants_one(answer: Callable[..., Any]) -> bool:
    return getattr(answer, "__code__", None) is not None and answer.__code__.co_argcount == 1


def read_request(line: socket.socket) -> Request:
    data = b""
    while b"\r\n\r\n" not in data:
        data += line.recv(65536) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rest)
    }
    while len(body) < int(headers.get("content-length", 0)):
        body += line.recv(65536)
    return Request(first.split()[1], headers, json.loads(body))


# ------------------------------------------------------------------------------------------------------------------
# answers


def http(
    status: int, body: Any, kind: str = "application/json", headers: Mapping[str, str] = {}
) -> bytes:
    data = (
        body
        if isinstance(body, bytes)
        else body.encode()
        if isinstance(body, str)
        else json.dumps(body).encode()
    )
    rows = {
        "Content-Type": kind,
        "Content-Length": str(len(data)),
        "Connection": "close",
        **headers,
    }
    return (
        f"HTTP/1.1 {status} Text\r\n".encode()
        + "".join(f"{name}: {value}\r\n" for name, value in rows.items()).encode()
        + b"\r\n"
        + data
    )


def completion(content: Any, finish: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "finish_reason": finish, "message": message, "logprobs": None}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": USAGE,
    }


def chat(content: Any, finish: str = "stop") -> bytes:
    return http(200, completion(content, finish))


def error(status: int, message: str, code: str = "", param: str = "", **headers: str) -> bytes:
    value = {
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": param or None,
            "code": code or None,
        }
    }
    return http(
        status, value, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


def events(*rows: Any, tail: bytes = b"data: [DONE]\n\n") -> bytes:
    data = (
        b"".join(
            f"data: {row if isinstance(row, str) else json.dumps(row)}\n\n".encode() for row in rows
        )
        + tail
    )
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + data


def delta(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def reset(after: bytes = b"") -> Act:
    """Send something, then a TCP reset."""

    def act(line: socket.socket, _: Request) -> None:
        if after:
            line.sendall(after)
            time.sleep(0.05)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()

    return act


def hang(line: socket.socket, _: Request) -> None:
    """Say nothing until the other side leaves."""
    line.settimeout(10)
    line.recv(1)


def drip(data: bytes, seconds: float = 0.02) -> Act:
    """One byte after the other."""

    def act(line: socket.socket, _: Request) -> None:
        for place in range(len(data)):
            line.sendall(data[place : place + 1])
            time.sleep(seconds)

    return act


# ------------------------------------------------------------------------------------------------------------------
# models


def items(tongue: Language, count: int, start: int = 5000) -> list[dict[str, str]]:
    """What a model that speaks the language would offer."""
    said = [tongue.phrase(start + number) for number in range(count)]
    return [{"phrase": one.text, "gloss": one.gloss, "meaning": one.english} for one in said]


def fluent(tongue: Language, start: int = 5000) -> Callable[[Request], bytes]:
    """A server whose model speaks the language."""

    def answer(request: Request) -> bytes:
        return chat(json.dumps({"phrases": items(tongue, request.wanted, start), "words": []}))

    return answer
