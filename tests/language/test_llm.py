"""Phrases by a model: every fault of the table in the design, by a server that has it; keys, costs,
the cache.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from llm_stub import (
    Request,
    Stub,
    chat,
    completion,
    delta,
    drip,
    error,
    events,
    fluent,
    hang,
    http,
    items,
    reset,
)

from jungle.errors import BadInput, JungleError, MissingExtra, NoAnswer
from jungle.language.language import Language
from jungle.language.llm import client as talking
from jungle.language.llm import converse as llm
from jungle.language.llm import original_request, prompts
from jungle.language.llm.converse import Conversation, converse, write_conversation
from jungle.language.llm.endpoint import NO_KEY, Endpoint, find_endpoint
from jungle.language.llm.session import LlmWishes
from jungle.language.llm.transport import MOST_BYTES, Reply, post
from jungle.language.phonology.vocal_tract import VOICES
from jungle.language.semantics.meaning import NP, Clause

WEB_PAGE = "<html><title>Log in to the café</title></html>"


@cache
def tongue() -> Language:
    return Language(3, VOICES["frog"], kind="isolating")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talking, "PAUSE", 0.01)


class Told(list[str]):
    """What the user is told."""

    def __call__(self, sentence: str) -> None:
        self.append(sentence)


def talk(
    url: str,
    folder: Path,
    count: int = 4,
    environ: Mapping[str, str] = {},
    told: Told | None = None,
    **wishes: Any,
) -> Conversation:
    wanted = LlmWishes(**{"base_url": url, "model": "m", "deadline": 5.0, **wishes})
    return converse(
        tongue(), count, wanted, environ, folder, time.monotonic, Told() if told is None else told
    )


def by_model(conversation: Conversation) -> int:
    return sum(line.provenance != "engine" for line in conversation.lines)


def good(count: int = 4, **more: Any) -> str:
    return json.dumps({"phrases": items(tongue(), count), "words": [], **more})


def lines(count: int = 4) -> str:
    return "\n".join(one["phrase"] for one in items(tongue(), count)) + "\n"


CUT = http(200, completion(good()))
PARTIAL = CUT[: len(CUT) // 2]

# name, answers of the server, requests that we send, phrases of the model (of 4), what the warning
# says
FAULTS: list[tuple[str, list[Any], int, int, str]] = [
    ("401", [error(401, "Incorrect API key")], 1, 0, "refuses the key"),
    ("403", [error(403, "Country not supported")], 1, 0, "refuses the key"),
    ("404", [error(404, "model not found")], 1, 0, "knows no model"),
    (
        "429 with a wait, then well",
        [error(429, "slow down", Retry_After="0.05"), chat(good())],
        2,
        4,
        "",
    ),
    (
        "429 with a wait in ms",
        [error(429, "slow down", retry_after_ms="30"), chat(good())],
        2,
        4,
        "",
    ),
    ("429 for ever", [error(429, "slow down", Retry_After="0.02")], 3, 0, "asked too often"),
    ("429 with a long wait", [error(429, "slow down", Retry_After="500")], 1, 0, "asked too often"),
    (
        "429 without money",
        [error(429, "You exceeded your quota", "insufficient_quota")],
        1,
        0,
        "no money left",
    ),
    ("500", [http(500, {"error": {"message": "oops"}})], 3, 0, "fails (500)"),
    ("502 with HTML", [http(502, WEB_PAGE, "text/html")], 3, 0, "fails (502)"),
    ("502, then well", [http(502, WEB_PAGE, "text/html"), chat(good())], 2, 4, ""),
    ("200 with HTML", [http(200, WEB_PAGE, "text/html")], 1, 0, "web page"),
    (
        "302",
        [http(302, "", headers={"Location": "http://127.0.0.1:9/"})],
        1,
        0,
        "sends the question elsewhere",
    ),
    ("200 empty", [http(200, "")], 3, 0, "no answer that can be read"),
    (
        "200 truncated",
        [http(200, json.dumps(completion(good()))[:-40])],
        3,
        0,
        "no answer that can be read",
    ),
    (
        "200 with an error",
        [http(200, {"error": {"message": "overloaded"}})],
        3,
        0,
        "no answer that can be read",
    ),
    ("200 without choices", [http(200, {"id": "c"})], 4, 0, "nothing that can be used"),
    ("choices empty", [http(200, {"choices": []})], 4, 0, "nothing that can be used"),
    ("choices of another kind", [http(200, {"choices": [7]})], 4, 0, "nothing that can be used"),
    ("content null", [chat(None)], 4, 0, "nothing that can be used"),
    ("refusal", [chat(None, "content_filter"), chat(good())], 2, 4, ""),
    (
        "length, complete items kept",
        [chat(good()[: good().rfind("{") + 12], "length")],
        2,
        3,
        "1 of 4",
    ),
    ("fenced JSON", [chat(f"Of course!\n```json\n{good()}\n```\nEnjoy!")], 1, 4, ""),
    (
        "another schema",
        [chat(json.dumps({"result": [one["phrase"] for one in items(tongue(), 4)]}))],
        1,
        4,
        "",
    ),
    ("closed before", [lambda line, request: None], 3, 0, "not to be reached"),
    ("reset before", [reset()], 3, 0, "not to be reached"),
    ("reset in the headers", [reset(b"HTTP/1.1 200 OK\r\nContent-Ty")], 3, 0, "not to be reached"),
    ("reset in the body", [reset(PARTIAL)], 3, 0, "no answer that can be read"),
    ("reset in the body, then well", [reset(PARTIAL), chat(good())], 2, 4, ""),
    ("hang", [hang], 1, 0, "in time"),
    ("drip in the headers", [drip(CUT)], 1, 0, "in time"),
    ("drip in the body", [drip(CUT[:20] + CUT[20:])], 1, 0, "in time"),
    ("SSE", [events(delta(lines(2)), delta(lines(4)[len(lines(2)) :], "stop"))], 1, 4, ""),
    (
        "SSE reset",
        [reset(events(delta(lines(2) + lines(3)[len(lines(2)) : -3]), tail=b""))],
        2,
        2,
        "2 of 4",
    ),
    ("SSE without an end", [events(delta(lines(2) + "xyz"), tail=b"")], 2, 2, "2 of 4"),
    ("SSE error event", [events(delta(lines(2)), {"error": {"message": "boom"}})], 2, 2, "2 of 4"),
    (
        "SSE error event at once",
        [events({"error": {"message": "boom"}})],
        3,
        0,
        "no answer that can be read",
    ),
    ("SSE bad JSON", [events(delta(lines(2)), "{broken")], 2, 2, "2 of 4"),
    (
        "body over the cap",
        [http(200, completion("x" * 2 * MOST_BYTES))],
        4,
        0,
        "nothing that can be used",
    ),
    ("duplicates", [chat(json.dumps({"phrases": items(tongue(), 2) * 3}))], 2, 2, "2 of 4"),
    ("more than asked", [chat(good(9))], 1, 4, ""),
]


@pytest.mark.parametrize(
    ("answers", "requests", "kept", "warning"),
    [row[1:] for row in FAULTS],
    ids=[row[0] for row in FAULTS],
)
def test_fault_table(
    answers: list[Any], requests: int, kept: int, warning: str, tmp_path: Path
) -> None:
    slow = any(
        answer is hang or getattr(answer, "__qualname__", "").startswith("drip")
        for answer in answers
    )
    with Stub(*answers) as stub:
        told = Told()
        conversation = talk(
            stub.url, tmp_path, told=told, deadline=0.25 if slow else 5.0, mode="list"
        )
        assert len(stub.requests) == requests == conversation.usage.requests
    assert len(conversation.lines) == len({line.text for line in conversation.lines}) == 4
    assert by_model(conversation) == kept
    assert all(tongue().parse(line.text) for line in conversation.lines)
    assert warning in " ".join(conversation.warnings)
    assert bool(warning) == bool(conversation.warnings)
    shown = " ".join([*told, *conversation.warnings])
    assert not any(
        word in shown
        for word in ("Incorrect", "Country", "oops", "overloaded", "boom", "café", "Traceback")
    )


def test_a_stream_that_stalls_keeps_its_complete_lines(tmp_path: Path) -> None:
    def stall(line: Any, request: Request) -> None:
        line.sendall(events(delta(lines(3) + "xy"), tail=b""))
        hang(line, request)

    with Stub(stall) as stub:
        conversation = talk(stub.url, tmp_path, deadline=0.4, mode="list")
    assert by_model(conversation) == 3


def test_no_wait_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(talking.time, "sleep", waits.append)
    told = Told()
    odd = [
        error(429, "slow", Retry_After=text)
        for text in ("nan", "-1", "Wed, 21 Oct 2026 07:28:00 GMT")
    ]
    with Stub(error(429, "slow", Retry_After="7"), fluent(tongue())) as stub:
        assert by_model(talk(stub.url, tmp_path, told=told, deadline=60)) == 4
    assert waits == [7.0]
    assert told[1] == "127.0.0.1 is asked too often (429); the next try is in 7 s."
    with Stub(*odd) as stub:
        assert by_model(talk(stub.url, tmp_path)) == 0
    assert waits[1:] == [0.01, 0.02]


def test_it_works_inside_a_running_event_loop(tmp_path: Path) -> None:
    async def notebook(url: str) -> Conversation:
        return talk(url, tmp_path)

    with Stub(fluent(tongue())) as stub:
        assert by_model(asyncio.run(notebook(stub.url))) == 4


def test_a_closed_port_is_named_at_once(tmp_path: Path) -> None:
    with Stub(chat("")) as stub:
        url = stub.url
    conversation = talk(url, tmp_path)
    assert conversation.usage.requests == 1
    assert "start the server" in conversation.warnings[0]
    assert by_model(conversation) == 0


def test_the_engine_fills_in_with_what_it_would_say_alone(tmp_path: Path) -> None:
    with Stub(error(401, "no")) as stub:
        conversation = talk(stub.url, tmp_path, count=16)
    assert [line.text for line in conversation.lines] == [
        phrase.text for phrase in tongue().phrases(16)
    ]
    assert conversation.warnings[-1].startswith("16 of 16 phrases are the embedded engine's")


@pytest.mark.parametrize("answer", [error(401, "no"), chat(good(2)), chat("I cannot do that.")])
def test_required_phrases_that_are_missing_are_an_error_with_code_3(
    answer: bytes, tmp_path: Path
) -> None:
    with Stub(answer) as stub, pytest.raises(NoAnswer) as caught:
        talk(stub.url, tmp_path, require=True, mode="list")
    assert caught.value.exit_code == 3
    assert JungleError.exit_code == BadInput.exit_code == 2
    with Stub(answer, answer, fluent(tongue())) as stub:
        by_model(talk(stub.url, tmp_path, mode="list"))
        stub.answers = (fluent(tongue()),)
        # what is known from before is not enough
        assert by_model(talk(stub.url, tmp_path, require=True, mode="list")) == 4


# ------------------------------------------------------------------------------------------------------------
# servers that know less


def perfect(tmp_path: Path) -> int:
    with Stub(fluent(tongue())) as stub:
        conversation = talk(stub.url, tmp_path / "perfect", count=16)
        assert by_model(conversation) == 16
        return len(stub.requests)


def refuses_temperature(request: Request) -> bytes:
    for name in ("temperature", "top_p", "max_tokens"):
        if name in request.body:
            return error(
                400,
                f"Unsupported value: '{name}' does not support this with this model.",
                "unsupported_value",
                name,
            )
    return fluent(tongue())(request)


def ignores_schemas(request: Request) -> bytes:
    if "response_format" in request.body:
        return chat("Kwa kwa! What a lovely jungle. Here is what I think about frogs.")
    return fluent(tongue())(request)


def refuses_schemas(request: Request) -> bytes:
    shape = request.body.get("response_format", {}).get("type")
    if shape == "json_schema":
        return http(
            500,
            {
                "error": {
                    "message": (
                        "[{'type': 'literal_error', 'msg': \"Input should be 'text' or "
                        "'json_object'\"}]"
                    )
                }
            },
        )
    if shape:
        return error(400, "'response_format.type' must be 'json_schema' or 'text'")
    return fluent(tongue())(request)


def forbids_fields(request: Request) -> bytes:
    for name in ("top_p", "response_format"):
        if name in request.body:
            return http(
                422,
                {
                    "detail": [
                        {
                            "type": "extra_forbidden",
                            "loc": ["body", name],
                            "msg": "Extra inputs",
                            "input": request.body,
                        }
                    ]
                },
            )
    return fluent(tongue())(request)


def speaks_markdown(request: Request) -> bytes:
    rows = [
        f"{number}. **{one['phrase']}** - *{one['meaning']}*"
        for number, one in enumerate(items(tongue(), request.wanted), 1)
    ]
    return chat(
        "Here are some phrases:\n\n" + "\n".join(rows) + "\n\nLet me know if you want more!"
    )


@pytest.mark.parametrize(
    "server",
    [refuses_temperature, ignores_schemas, refuses_schemas, forbids_fields, speaks_markdown],
)
def test_a_poor_server_costs_at_most_three_requests_more_and_only_once(
    server: Any, tmp_path: Path
) -> None:
    least = perfect(tmp_path)
    with Stub(server) as stub:
        conversation = talk(stub.url, tmp_path, count=16)
        assert by_model(conversation) == 16
        assert not conversation.warnings
        assert len(stub.requests) <= least + 3
        before = len(stub.requests)
        # another question, the same server
        assert by_model(talk(stub.url, tmp_path, count=15)) == 15
        assert len(stub.requests) == before + 1


def test_good_answers_are_good_by_the_contract_of_the_sdk() -> None:
    """The stub is no invention of ours: the official library reads its answers under strict
    validation.
    """
    import openai

    for answer in (
        chat(good()),
        fluent(tongue())(Request("/", {}, {"messages": [{"content": "2 new phrases"}]})),
    ):
        with (
            Stub(answer) as stub,
            openai.OpenAI(
                api_key="k", base_url=stub.url, max_retries=0, _strict_response_validation=True
            ) as client,
        ):
            found = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "x"}]
            )
        assert json.loads(found.choices[0].message.content or "")["phrases"]


# -------------------------------------------------------------------------------------------------------------------
# keys


def test_without_a_key_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    for environ in (
        {},
        {"OPENAI_API_KEY": " "},
        {"JUNGLE_LLM_BASE_URL": "", "JUNGLE_LLM_API_KEY": ""},
    ):
        with pytest.raises(BadInput) as caught:
            converse(tongue(), 4, LlmWishes(), environ, tmp_path, time.monotonic, Told())
        assert str(caught.value) == NO_KEY
    assert "platform.openai.com" in NO_KEY
    assert "OPENAI_API_KEY" in NO_KEY
    assert "--engine embedded" in NO_KEY
    assert not list(tmp_path.rglob("*"))


def test_keys_go_to_their_own_server_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "OPENAI_API_KEY": "sk-of-openai",
        "OPENAI_ORG_ID": "org-secret",
        "OPENAI_PROJECT_ID": "proj-secret",
        "OPENAI_CUSTOM_HEADERS": "X-Secret: custom-secret",
        "OPENAI_ADMIN_KEY": "admin-secret",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)  # the library reads the environment by itself
    with Stub(fluent(tongue())) as stub:
        assert by_model(talk(stub.url, tmp_path, environ=secrets)) == 4
        assert (
            by_model(
                talk(
                    stub.url, tmp_path, environ={**secrets, "JUNGLE_LLM_API_KEY": "own\n"}, count=3
                )
            )
            == 3
        )
        other = {
            "JUNGLE_LLM_BASE_URL": "http://127.0.0.1:1/v1",
            "JUNGLE_LLM_API_KEY": "for-another-server",
        }
        assert by_model(talk(stub.url, tmp_path, environ=other, count=2)) == 2
    first, second, third = stub.requests
    assert "authorization" not in first.headers
    assert second.headers["authorization"] == "Bearer own"
    assert "authorization" not in third.headers
    wire = repr([(one.headers, one.body) for one in stub.requests])
    assert not any(
        word in wire for word in ("sk-of-openai", "secret", "x-stainless", "for-another-server")
    )
    kept = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert kept
    assert not any(
        word in kept for word in ("sk-of-openai", "secret", "Bearer", '"own"', "127.0.0.1")
    )


def test_a_redirect_takes_no_key_along(tmp_path: Path) -> None:
    with Stub(fluent(tongue())) as foreign:
        with Stub(http(307, "", headers={"Location": f"{foreign.url}/chat/completions"})) as stub:
            conversation = talk(stub.url, tmp_path, environ={"JUNGLE_LLM_API_KEY": "own"})
        assert not foreign.requests
    assert by_model(conversation) == 0


@pytest.mark.parametrize(
    ("flag", "environ", "url", "key"),
    [
        ("", {"OPENAI_API_KEY": "a"}, "https://api.openai.com/v1", "a"),
        ("https://API.openai.com/v1/", {"OPENAI_API_KEY": "a"}, "https://API.openai.com/v1", "a"),
        (
            "https://api.openai.com.evil.org/v1",
            {"OPENAI_API_KEY": "a"},
            "https://api.openai.com.evil.org/v1",
            "",
        ),
        ("http://api.openai.com/v1", {"OPENAI_API_KEY": "a"}, "http://api.openai.com/v1", ""),
        (
            "https://api.openai.com:8443/v1",
            {"OPENAI_API_KEY": "a"},
            "https://api.openai.com:8443/v1",
            "",
        ),
        ("http://localhost:11434", {"OPENAI_API_KEY": "a"}, "http://localhost:11434/v1", ""),
        (
            "",
            {"OPENAI_API_KEY": "a", "JUNGLE_LLM_BASE_URL": "http://127.0.0.1:1/x"},
            "http://127.0.0.1:1/x",
            "",
        ),
        ("", {"OPENAI_API_KEY": "a", "JUNGLE_LLM_API_KEY": "b"}, "https://api.openai.com/v1", "b"),
        (
            "https://one.org/v1",
            {"JUNGLE_LLM_BASE_URL": "https://two.org/v1", "JUNGLE_LLM_API_KEY": "b"},
            "https://one.org/v1",
            "",
        ),
        (
            "https://one.org/v2",
            {"JUNGLE_LLM_BASE_URL": "https://one.org/v1", "JUNGLE_LLM_API_KEY": "b"},
            "https://one.org/v2",
            "b",
        ),
    ],
)
def test_which_server_and_key(flag: str, environ: dict[str, str], url: str, key: str) -> None:
    found = find_endpoint(flag, "m", environ)
    assert (found.base_url, found.key) == (url, key)
    assert "'b'" not in repr(found)


@pytest.mark.parametrize(
    ("flag", "model", "environ"),
    [
        ("ftp://host/v1", "m", {}),
        ("nonsense", "m", {}),
        ("http://", "m", {}),
        ("http://host:99999/v1", "m", {}),
        ("http://[::1", "m", {}),
        ("http://user:word@host/v1", "m", {}),
        ("http://host/v1?key=secret", "m", {}),
        ("http://host/v1", "", {}),
        ("http://host/v1", "m\x1b[2J", {}),
        ("http://host/\x1b[2J", "m", {}),
        ("http://host/v1", "m", {"JUNGLE_LLM_API_KEY": "k\u00e9y"}),
        ("http://host/v1", "m", {"JUNGLE_LLM_API_KEY": "two words"}),
    ],
)
def test_addresses_and_keys_that_cannot_be_are_refused_without_repeating_them(
    flag: str, model: str, environ: dict[str, str]
) -> None:
    with pytest.raises(BadInput) as caught:
        find_endpoint(flag, model, environ)
    assert not any(
        text in str(caught.value) for text in ("word@", "secret", "k\u00e9y", "two words", "\x1b")
    )


def test_an_address_that_nobody_has_is_told_in_a_sentence(tmp_path: Path) -> None:
    for url in ("http://..", "http://-/v1", "http://xn--/v1"):
        assert post(Endpoint(url, "m"), {}, 0.5).broken


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtra, match=r"pip install .*openai"):
        talk("http://127.0.0.1:9/v1", tmp_path)


# -----------------------------------------------------------------------------------------------------------
# what is asked


def test_the_original_request(tmp_path: Path) -> None:
    told = [f'{number}. "Mela{chr(97 + number)} oru tai" - said by a frog' for number in range(16)]
    with Stub(chat("\n".join(told))) as stub:
        conversation = talk(stub.url, tmp_path, count=16, faithful=True)
    assert by_model(conversation) == 16
    assert conversation.lines[0] == llm.Line("Melaa oru tai", "model", None)
    (request,) = stub.requests
    assert request.path == "/v1/chat/completions"
    assert {name: request.body[name] for name in ("temperature", "top_p", "max_tokens")} == {
        "temperature": 0.7,
        "top_p": 1.0,
        "max_tokens": 450,
    }
    assert all(
        f'"{phrase}" - said by {when}' in request.prompt
        for phrase, when in original_request.EXAMPLES
    )
    assert (
        len(original_request.EXAMPLES)
        == len(original_request.vetted([f"{text} oh" for text, _ in original_request.EXAMPLES]))
        == 16
    )
    write_conversation(tmp_path / "out", conversation)
    assert json.loads((tmp_path / "out" / "animal_language.txt").read_text("utf-8")) == [
        line.text for line in conversation.lines
    ]


def test_the_prompt_tells_the_language(tmp_path: Path) -> None:
    spoken = tongue()
    prompt = prompts.list_question(spoken, 16, "storm and river").messages[0][1]
    for text in (
        "It cannot say: c d f",
        "SOV",
        "hawk",
        "VOC",
        "storm",
        "Continue the list with 16 new phrases",
    ):
        assert text in prompt
    shown = [json.loads(line) for line in prompt.splitlines() if line.startswith('{"phrase"')]
    assert len(shown) >= 8
    assert all(spoken.say(spoken.parse(one["phrase"])).gloss == one["gloss"] for one in shown)
    rows = [row for row in prompt.splitlines() if row.split(":")[0] in prompts.CLASSES.values()]
    words = [pair.split(" = ") for row in rows for pair in row.partition(": ")[2].split(", ")]
    assert 80 <= len(words) <= 120
    assert all(spoken.grammar.table.reading[text][1] == concept for text, concept in words)
    assert len(prompt) < 8000


def test_sampling_limits_and_effort_by_server() -> None:
    question = prompts.list_question(tongue(), 4)

    def body(url: str, model: str) -> dict[str, Any]:
        return talking.LlmClient(
            Endpoint(url, model), Path("none"), time.monotonic, 1, Told()
        )._body(question, question.forms[0])

    official = body("https://api.openai.com/v1", "gpt-5.4-mini")
    assert (official["temperature"], official["top_p"], official["reasoning_effort"]) == (
        0.7,
        1.0,
        "none",
    )
    assert "max_completion_tokens" in official
    own = body("http://127.0.0.1:1/v1", "gpt-5.4-mini")
    assert "max_tokens" in own
    assert "reasoning_effort" not in own


def test_a_model_that_has_not_understood_gets_one_round_of_feedback(tmp_path: Path) -> None:
    three, rest = items(tongue(), 3), items(tongue(), 4)[3:]
    wrong = {"phrase": "qexu zzyx", "gloss": "no such", "meaning": "?"}
    with Stub(
        chat(json.dumps({"phrases": [*three, wrong]})), chat(json.dumps({"phrases": rest}))
    ) as stub:
        conversation = talk(stub.url, tmp_path)
    assert by_model(conversation) == 4
    assert "Word 1, 'qexu', is not in the lexicon" in stub.requests[1].prompt
    assert stub.requests[1].wanted == 1


def test_plans_where_the_list_fails(tmp_path: Path) -> None:
    plan = {
        "intent": "storm",
        "verb": "come",
        "mood": "IND",
        "tense": "FUT",
        "source": "AUD",
        "negative": False,
        "actor": "storm",
    }

    def answer(request: Request) -> bytes:
        if "Choose what they say" not in request.prompt:
            return chat(
                json.dumps({"phrases": [{"phrase": "zzz qqq", "gloss": "x", "meaning": "y"}] * 4})
            )
        rows = [
            {**plan, "actor": noun, "patient": "hawk", "place": "river", "relation": ""}
            for noun in ("storm", "rain", "wind", "<b>")
        ]
        return chat(json.dumps({"phrases": rows}))

    with Stub(answer) as stub:
        conversation = talk(stub.url, tmp_path)
        assert len(stub.requests) == 3
    assert [line.provenance for line in conversation.lines] == ["model's plan"] * 4
    said = conversation.phrases[0].meaning.first
    assert said == Clause("come", tense="FUT", source="AUD", actor=NP("storm"))
    assert conversation.phrases[0].intent == "storm"
    sent = stub.requests[2].body["response_format"]["json_schema"]["schema"]
    assert len(json.dumps(sent)) < 15_000
    with Stub(answer) as stub:
        assert by_model(talk(stub.url, tmp_path, mode="list")) == 0


def test_a_grammar_goes_to_the_server_that_takes_one(tmp_path: Path) -> None:
    def vllm(request: Request) -> bytes:
        if "grammar" in request.body:
            return http(
                422,
                {"detail": [{"loc": ["body", "grammar"], "msg": "Extra inputs are not permitted"}]},
            )
        assert request.body["structured_outputs"]["grammar"].startswith(
            'root ::= phrase "\\n" phrase "\\n" phrase "\\n" phrase\n'
        )
        return chat(lines())

    def knows_none(request: Request) -> bytes:
        if "grammar" in request.body or "structured_outputs" in request.body:
            return error(400, "Unrecognized request argument supplied", param="grammar")
        return fluent(tongue())(request)

    for server, requests in ((vllm, 2), (knows_none, 3)):
        with Stub(server) as stub:
            conversation = talk(stub.url, tmp_path / str(requests), mode="grammar")
            assert (by_model(conversation), len(stub.requests)) == (4, requests)


# ------------------------------------------------------------------------------------------------------------
# cache and costs


@pytest.mark.parametrize("is_faithful", [False, True])
def test_a_second_run_needs_no_network(is_faithful: bool, tmp_path: Path) -> None:
    text = (
        "\n".join(f'"Bela{chr(97 + number)} oru"' for number in range(4))
        if is_faithful
        else good(words=[])
    )
    with Stub(chat(text)) as stub:
        first = talk(stub.url, tmp_path, faithful=is_faithful)
        url = stub.url
    told = Told()
    second = talk(url, tmp_path, told=told, faithful=is_faithful)
    assert second.lines == first.lines
    assert second.usage.requests == 0
    assert "known from before" in told[0]
    # a theme is no part of it
    assert by_model(talk(url, tmp_path, theme="rivers", faithful=is_faithful)) == (
        4 if is_faithful else 0
    )


def test_answers_that_did_not_come_are_not_remembered(tmp_path: Path) -> None:
    with Stub(error(401, "no"), fluent(tongue())) as stub:
        assert by_model(talk(stub.url, tmp_path)) == 0
        assert by_model(talk(stub.url, tmp_path)) == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "[]",
        lambda text: text[:-9],
        lambda text: "[" * 100_000,
        lambda text: text.replace('"meaning": [', '"meaning": ["<script>", '),
        lambda text: text.replace('"provenance": "model"', '"provenance": "<script>"'),
        lambda text: text.replace('"text": ""', '"text": "<script>"').replace(
            '"meaning"', '"forgotten"'
        ),
    ],
)
def test_a_cache_that_somebody_changed_says_nothing_else(change: Any, tmp_path: Path) -> None:
    with Stub(fluent(tongue())) as stub:
        talk(stub.url, tmp_path)
        for path in (tmp_path / "llm").iterdir():
            path.write_text(change(path.read_text()))
        conversation = talk(stub.url, tmp_path)
    assert len(conversation.lines) == 4
    assert all(tongue().parse(line.text) for line in conversation.lines)
    assert "<" not in "".join(line.provenance + line.text for line in conversation.lines)


def test_tokens_and_money_before_and_after(tmp_path: Path) -> None:
    def official(endpoint: Endpoint, body: Mapping[str, Any], seconds: float) -> Reply:
        assert endpoint.key == "k"
        return Reply(200, "application/json", json.dumps(completion(good())).encode())

    told = Told()
    conversation = converse(
        tongue(), 4, LlmWishes(), {"OPENAI_API_KEY": "k"}, tmp_path, time.monotonic, told, official
    )
    assert conversation.cost == pytest.approx((100 * 0.75 + 20 * 4.5) / 1e6)
    assert re.search(r"\$0\.00\d\d by an estimate", told[0])
    assert "takes up to 60 s" in told[0]
    assert (
        told[1]
        == "1 request, 100 tokens there and 20 back, about $0.0002 by an estimate with the prices of June 2026."
    )
    assert Endpoint("https://api.openai.com/v1", "gpt-4.1-2025-04-14").cost(10**6, 0) == 2.0
    assert Endpoint("https://api.openai.com/v1", "gpt-99").cost(10**6, 0) is None
    assert Endpoint("http://127.0.0.1:1/v1", "gpt-4.1").cost(10**6, 0) is None


def test_wishes_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for wishes in (
        {"mode": "sing"},
        {"deadline": 0},
        {"deadline": float("nan")},
        {"theme": "a\nb"},
        {"world": "x" * 301},
    ):
        with pytest.raises(BadInput):
            LlmWishes(**wishes)
    for count in (0, 241):
        with pytest.raises(BadInput, match="ask for 1 to 240"):
            talk("http://127.0.0.1:9/v1", tmp_path, count=count)


def test_more_phrases_than_one_answer_holds(tmp_path: Path) -> None:
    asked = []

    def answer(request: Request) -> bytes:
        asked.append(request.wanted)
        return fluent(tongue(), 5000 + 100 * len(asked))(request)

    with Stub(answer) as stub:
        conversation = talk(stub.url, tmp_path, count=60)
    assert asked == [24, 24, 12]
    assert by_model(conversation) == len({line.text for line in conversation.lines}) == 60
