"""Talks with a server that may know less than it should: in simpler and simpler forms, without what
it refuses, until one deadline.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ...errors import BadInput, NoAnswer
from ...storage.atomic import digest, write_json
from .endpoint import Endpoint
from .responses import Answer, Complaint, read_answer, read_complaint
from .transport import Post, Reply, post

T = TypeVar("T")


class Unusable(NoAnswer):
    """A server that answers, but in no form with anything that can be used."""


TRIES = 3  # at one question in one form, where the network or the server fails
PAUSE = 0.5  # seconds before the second try; twice that before the third
# seconds for one answer of a server elsewhere; one on this machine may take until the deadline
PATIENCE = 30.0
LIMITS = ("max_completion_tokens", "max_tokens")  # two names of one field
OPTIONAL = ("temperature", "top_p", "reasoning_effort", *LIMITS)
SHAPES = (
    "response_format",
    "json_schema",
    "json_object",
    "schema",
    "structured_outputs",
    "grammar",
)
SAMPLING = {"temperature": 0.7, "top_p": 1.0}


class RequestForm(NamedTuple):
    """One way to ask for an answer of a certain shape."""

    name: str
    tail: str  # that ends the question
    fields: Mapping[str, Any]  # of the request


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask, in forms of which the first that the server understands is used."""

    name: str  # under which the form that worked is remembered
    messages: tuple[tuple[str, str], ...]  # who says what
    forms: tuple[RequestForm, ...]
    tokens: int  # of the answer at most


@dataclass(slots=True)
class Usage:
    """What was asked and what it took."""

    requests: int = 0
    sent: int = 0  # tokens, as far as the server counts them
    received: int = 0

    def add(self, answer: Answer) -> None:
        """Count an answer in."""
        self.sent += answer.sent
        self.received += answer.received


@dataclass(slots=True)
class ServerCapabilities:
    """What is known of a server and model: kept in a file, so that no run finds it out twice."""

    path: Path
    forms: dict[str, str] = field(default_factory=dict)  # that worked, by question
    without: set[str] = field(default_factory=set)  # fields that it refuses
    limit: str = ""  # its name for the most tokens

    @classmethod
    def read(cls, path: Path) -> "ServerCapabilities":
        """The habits in a file; none if there is no such file, or nothing of ours in it."""
        habits = cls(path)
        try:
            value = json.loads(path.read_text("utf-8"))
            habits.forms = {str(name): str(form) for name, form in value["forms"].items()}
            habits.without = set(OPTIONAL) & set(value["without"])
            habits.limit = value["limit"] if value["limit"] in LIMITS else ""
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls(path)
        return habits

    def write(self) -> None:
        """Keep them."""
        write_json(
            self.path, {"forms": self.forms, "without": sorted(self.without), "limit": self.limit}
        )


class LlmClient:
    """A conversation with one server and model."""

    def __init__(
        self,
        endpoint: Endpoint,
        cache: Path,
        clock: Callable[[], float],
        deadline: float,
        tell: Callable[[str], None],
        post: Post = post,
    ) -> None:
        """Start the clock.

        Args:
            endpoint: whom to ask.
            cache: folder for the habits of servers.
            clock: monotonic seconds.
            deadline: seconds for all questions together.
            tell: takes sentences about waits.
            post: sends a request.
        """
        self.endpoint, self.clock, self.tell, self.usage = endpoint, clock, tell, Usage()
        self._post, self._end = post, clock() + deadline
        self.habits = ServerCapabilities.read(
            cache / f"{digest('habits', endpoint.base_url, endpoint.model)}.json"
        )
        self._trouble = ""  # the last one, as a sentence

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self._end - self.clock()

    def ask(self, question: Question, read: Callable[[str], T | None]) -> T:
        """What ``read`` makes of the answer; where it finds nothing (None), the question is asked
        again in a simpler form.

        Raises:
            Unusable: nothing came that can be read.
            NoAnswer: nothing came at all, or not in time.
        """
        names = [form.name for form in question.forms]
        known = self.habits.forms.get(question.name, "")
        self._trouble = (
            f"The answers of {self._who} hold nothing that can be used: try another model."
        )
        for form in question.forms[names.index(known) if known in names else 0 :]:
            text = self._answer(question, form)
            result = read(text) if text else None
            if result is not None:
                if known != form.name:
                    self.habits.forms[question.name] = form.name
                    self._remember()
                return result
        raise Unusable(self._trouble)

    @property
    def _who(self) -> str:
        return f"the model {self.endpoint.model} at {self.endpoint.host}"

    def _remember(self) -> None:
        try:
            self.habits.write()
        except BadInput as problem:  # the next run finds it out again
            self.tell(problem.for_shell())

    def _answer(self, question: Question, form: RequestForm) -> str | None:
        """The text of an answer; None if this form leads to none."""
        failures = 0

        while True:
            body = self._body(question, form)

            reply = self._send(body)

            # Some servers answer 200 with an error inside.
            if 200 <= reply.status < 300:
                answer = read_answer(reply) if reply.broken != "long" else Answer()
                if answer and not answer.complaint:
                    self.usage.add(answer)
                    return answer.text
                if reply.kind == "text/html":
                    raise NoAnswer(
                        f"{self.endpoint.host} answers with a web page: check <--base-url>, and "
                        "that "
                        "this network is logged in."
                    )
                complaint = (answer and answer.complaint) or Complaint()
            else:
                complaint = read_complaint(reply)
                self._refuse(reply, complaint)
                if self._mend(body, reply, complaint):
                    continue
                if self._too_strict(reply, complaint):
                    return None

            if complaint.code == "insufficient_quota":
                raise NoAnswer(
                    f"The account at {self.endpoint.host} has no money left: add some there, or "
                    "use <--engine> embedded."
                )

            # What is left may pass: too many requests, a server that starts up, a cut connection.
            failures += 1
            self._pause(reply, failures)

    def _body(self, question: Question, form: RequestForm) -> dict[str, Any]:
        *first, (role, last) = question.messages
        said = [*first, (role, f"{last}\n\n{form.tail}" if form.tail else last)]
        body: dict[str, Any] = {
            "model": self.endpoint.model,
            "messages": [{"role": who, "content": text} for who, text in said],
        }

        # Servers of the protocol differ in what they accept; what one refused is left out from then
        # on.
        official = self.endpoint.official
        options: dict[str, Any] = {
            **SAMPLING,
            self.habits.limit or LIMITS[not official]: question.tokens,
        }
        if official and self.endpoint.model.startswith("gpt-5."):
            options["reasoning_effort"] = "none"  # or these models refuse a temperature
        return (
            body
            | {name: value for name, value in options.items() if name not in self.habits.without}
            | dict(form.fields)
        )

    def _send(self, body: Mapping[str, Any]) -> Reply:
        left = self.left
        if left <= 0:
            raise NoAnswer(self._late())
        self.usage.requests += 1
        return self._post(
            self.endpoint, body, left if self.endpoint.loopback else min(left, PATIENCE)
        )

    def _late(self) -> str:
        return (
            f"No answer of {self._who} in time: ask for fewer phrases, raise --deadline, or take a "
            "quicker model."
        )

    def _refuse(self, reply: Reply, complaint: Complaint) -> None:
        """Give up where no other try can help.

        Raises:
            NoAnswer: then.
        """
        host, status = self.endpoint.host, reply.status

        if reply.broken == "closed" and self.endpoint.loopback:
            raise NoAnswer(
                f"Nothing listens at {self.endpoint.base_url}: start the server, or check "
                "<--base-url>."
            )

        if status in (401, 403):
            raise NoAnswer(
                f"{host} refuses the key ({status}): check JUNGLE_LLM_API_KEY, or OPENAI_API_KEY "
                "for api.openai.com."
            )

        if status == 404 and not complaint.names(*SHAPES):
            raise NoAnswer(
                f"{host} knows no model {self.endpoint.model}, or no chat at this address (404): "
                "check <--model> and <--base-url>."
            )

        # Following a redirect would hand the key to whoever it names.
        if 300 <= status < 400:
            raise NoAnswer(
                f"{host} sends the question elsewhere ({status}), and no key goes there: give the "
                "new address as <--base-url>."
            )

        if complaint.code == "context_length_exceeded":
            raise NoAnswer(
                f"The question is too long for {self._who}: take a model that can read at least "
                "8,000 tokens."
            )

    def _mend(self, body: dict[str, Any], reply: Reply, complaint: Complaint) -> bool:
        """Leave out or rename a field that is refused; False if that is not the fault."""
        if reply.status not in (400, 422):
            return False
        optional = [name for name in OPTIONAL if name in body]
        named = [name for name in optional if name in complaint.params] or [
            name for name in optional if complaint.names(name)
        ]
        if not named:
            return False
        name = named[0]
        if name in LIMITS and not self.habits.limit:
            self.habits.limit = LIMITS[name == LIMITS[0]]
        # a server that refuses the temperature likes no top_p either, and 1.0 is what it means
        # anyway
        else:
            self.habits.without |= {name, "top_p"} if name == "temperature" else {name}

        self._remember()

        return True

    def _too_strict(self, reply: Reply, complaint: Complaint) -> bool:
        """Whether the form is what the server refuses."""
        if reply.status in (400, 413, 415, 422):
            self._trouble = (
                f"{self.endpoint.host} refuses the question in every form ({reply.status}): try "
                "another model or server."
            )
            return True
        return reply.status in (404, 500, 501) and complaint.names(*SHAPES)

    def _pause(self, reply: Reply, failures: int) -> None:
        """Wait before the next try.

        Raises:
            NoAnswer: there were enough, or the wait would last longer than the deadline.
        """
        wait = PAUSE * 2 ** (failures - 1) if reply.wait is None else reply.wait
        fault = "is not to be reached"
        if reply.status:
            fault = "is asked too often (429)" if reply.status == 429 else f"fails ({reply.status})"
        if 200 <= reply.status < 300:
            fault = "sends no answer that can be read"
        if reply.broken == "late" and self.left <= 0:
            raise NoAnswer(self._late())
        if failures >= TRIES or wait >= self.left:
            raise NoAnswer(f"{self.endpoint.host} {fault}: try again later.")
        if wait >= 1:
            self.tell(f"{self.endpoint.host} {fault}; the next try is in {wait:.0f} s.")
        time.sleep(wait)
