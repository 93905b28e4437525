"""What the bytes of a server say: the answer of a model, or a complaint. Nothing is believed,
nothing raises.
"""

import json
import re
from typing import Any, NamedTuple

from .transport import Reply

MOST_TOKENS = 10**8  # that a count may claim


class Complaint(NamedTuple):
    """Why a server refuses, in its own words: to be compared with known words, never to be
    shown.
    """

    code: str = ""
    params: tuple[str, ...] = ()  # fields of the request that it names
    text: str = ""  # lower case

    def names(self, *words: str) -> bool:
        """Whether it speaks of one of these words."""
        return any(
            re.search(rf"(?<!\w){re.escape(word)}(?!\w)", self.text) or word in self.params
            for word in words
        )


class Answer(NamedTuple):
    """What a model said."""

    text: str = ""
    finish: str = (
        ""  # why it stopped: "stop", "length", "content_filter"; "" if the server does not say
    )
    sent: int = 0  # tokens of the question
    received: int = 0  # tokens of the answer
    complaint: Complaint | None = None  # in place of an answer


def decoded(data: bytes | str) -> Any:
    """JSON, or None for what is none: cut off, nested without end, with numbers of a million
    digits.
    """
    try:
        return json.loads(data.decode("utf-8", "replace") if isinstance(data, bytes) else data)
    except (ValueError, RecursionError):
        return None


def read_complaint(reply: Reply) -> Complaint:
    """The complaint in a body: of OpenAI's form, of FastAPI's ("detail"), or none of both."""
    value = decoded(reply.body)
    if not isinstance(value, dict):
        return Complaint(text=reply.body[:4000].decode("utf-8", "replace").lower())
    return _complaint(value)


def _complaint(value: dict[str, Any]) -> Complaint:
    error = value.get("error", value.get("detail", value))
    # of pydantic: where, and what is wrong there; "input" repeats the request and is not looked at
    if isinstance(error, list):
        rows = [row for row in error if isinstance(row, dict)]
        places = [str(part) for row in rows for part in _list(row.get("loc"))]
        return Complaint(
            "", tuple(places), " ".join(str(row.get("msg", "")) for row in rows)[:4000].lower()
        )

    if isinstance(error, dict):
        code, param = error.get("code") or error.get("type"), error.get("param")
        return Complaint(
            str(code or ""),
            (str(param),) if param else (),
            str(error.get("message", ""))[:4000].lower(),
        )

    return Complaint(text=str(error)[:4000].lower())


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def read_answer(reply: Reply) -> Answer | None:
    """The answer in a body of status 200; None if the body is neither JSON nor a stream of
    events.
    """
    if reply.kind == "text/event-stream" or reply.body.lstrip()[:5] == b"data:":
        return _streamed(reply)
    value = decoded(reply.body)
    if not isinstance(value, dict):
        return None
    if value.get("error"):
        return Answer(complaint=_complaint(value))
    text, finish = _choice(value, "message")
    return Answer(text, finish, *_counts(value))


def _choice(value: dict[str, Any], part: str) -> tuple[str, str]:
    choices = _list(value.get("choices"))
    first = choices[0] if choices and isinstance(choices[0], dict) else {}
    message = first.get(part)
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):  # of parts
        content = "".join(str(item.get("text", "")) for item in content if isinstance(item, dict))
    finish = first.get("finish_reason")
    return content if isinstance(content, str) else "", finish if isinstance(finish, str) else ""


def _counts(value: dict[str, Any]) -> tuple[int, int]:
    usage = value.get("usage")
    results = [
        usage.get(name) if isinstance(usage, dict) else 0
        for name in ("prompt_tokens", "completion_tokens")
    ]
    sent, received = (
        result
        if isinstance(result, int) and not isinstance(result, bool) and 0 <= result <= MOST_TOKENS
        else 0
        for result in results
    )
    return sent, received


def _streamed(reply: Reply) -> Answer:
    """Events put together. Of a stream that broke off, that has no end or that turns into nonsense,
    the complete lines are kept.
    """
    text, finish, sent, received = "", "", 0, 0

    for line in reply.body.decode("utf-8", "replace").splitlines():
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            break
        value = decoded(data)
        if not isinstance(value, dict):
            break

        # An error in the middle of a stream ends it; what came before it is kept.
        if value.get("error"):
            if not text:
                return Answer(complaint=_complaint(value))
            break

        more, finish = _choice(value, "delta")
        text += more
        counts = _counts(value)
        sent, received = max(sent, counts[0]), max(received, counts[1])

    # of JSON the complete items are found later
    if not finish and text.lstrip()[:1] not in (
        "{",
        "[",
        "`",
    ):
        text = text[: text.rfind("\n") + 1]

    return Answer(text, finish or "length", sent, received)
