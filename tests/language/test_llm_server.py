"""A real server: ``transformers serve`` with a tiny random model made here. It babbles, ignores
schemas, and refuses unknown fields.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from jungle.language.language import Language
from jungle.language.llm.converse import converse
from jungle.language.llm.session import LlmWishes
from jungle.language.phonology.vocal_tract import VOICES

NEEDED = ("transformers", "tokenizers", "fastapi", "uvicorn", "openai")
PROGRAM = Path(sys.executable).with_name("transformers")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(find_spec, NEEDED)) or not PROGRAM.exists(),
        reason="needs  pip install 'transformers[serving]'  for a real server",
    ),
]
CHAT = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}{% "
    "endfor %}"
)


def make_model(folder: Path, tongue: Language) -> None:
    """A Llama of 100,000 parameters that nobody trained, and a byte-level BPE."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokens = ByteLevelBPETokenizer()
    tokens.train_from_iterator(
        [phrase.text for phrase in tongue.phrases(50)],
        vocab_size=400,
        special_tokens=["<s>", "</s>"],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokens._tokenizer, bos_token="<s>", eos_token="</s>", chat_template=CHAT
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=16_384,
        bos_token_id=0,
        eos_token_id=1,
    )
    model = LlamaForCausalLM(config)
    model.generation_config.do_sample = True
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def tongue() -> Language:
    return Language(3, VOICES["frog"], kind="isolating")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tongue: Language) -> Iterator[tuple[str, str]]:
    """Address and model of a running server."""
    folder = tmp_path_factory.mktemp("model")
    make_model(folder, tongue)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        str(PROGRAM),
        "serve",
        str(folder),
        "--device",
        "cpu",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "home"),
        "OMP_NUM_THREADS": "1",
    }
    log = (folder / "log").open("wb")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(1500):
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                    break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        process.terminate()
        process.wait(20)
        log.close()


@pytest.mark.parametrize("wishes", [{}, {"mode": "grammar"}, {"faithful": True}], ids=str)
def test_a_model_that_babbles_changes_nothing_and_breaks_nothing(
    server: tuple[str, str], tongue: Language, tmp_path: Path, wishes: dict[str, Any]
) -> None:
    url, model = server
    told: list[str] = []
    wanted = LlmWishes(base_url=url, model=model, deadline=100, **wishes)
    conversation = converse(tongue, 4, wanted, {}, tmp_path, time.monotonic, told.append)
    assert len(conversation.lines) == 4
    assert conversation.usage.requests >= 1
    assert conversation.usage.sent > 0  # the server answered, and counted
    assert all(tongue.parse(line.text) for line in conversation.lines if line.phrase)
    assert all(sentence.isprintable() for sentence in [*told, *conversation.warnings])
    assert "closed" not in " ".join(conversation.warnings)
