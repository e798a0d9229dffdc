"""An engine that costs nothing: answers with canned bytes.

    python -m bench.mock_engine SOCKET [EVENTS]

On the Unix socket it is llama.cpp's `/completion`: every reply is a stream of so many events (32),
one a token, since that is what Cupola asks engines for, whether its own caller wants a stream or
not. On a TCP port of its own, which it prints, it is what the gateways of others ask for: OpenAI's
`/v1/chat/completions`, whole or streamed in as many events, with the same words.

It exists so that what is measured is the gateway: several times faster than anything beside it.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

import uvloop

WORD: Final = " some twenty letters"
"""Of each event."""
MODEL: Final = "bench"

_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

Answer: TypeAlias = Callable[[bytes, bytes], bytes]
"""Head and body of a request -> the whole reply."""


def _chunk(payload: str) -> bytes:
    data = f"data: {payload}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


def _stream(*payloads: str) -> bytes:
    return _HEAD + b"".join(map(_chunk, payloads)) + b"0\r\n\r\n"


def _whole(value: Any) -> bytes:
    body = _write(value).encode()
    return _JSON % (len(body), body)


def _write(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def speak_llamacpp(tokens: int) -> Answer:
    """`/completion`, whatever is asked for."""
    events = [
        f'{{"index":0,"content":"{WORD}","tokens":[400],"stop":false,"id_slot":-1,'
        f'"tokens_predicted":{i + 1},"tokens_evaluated":20}}'
        for i in range(tokens)
    ]
    last = (
        '{"content":"","tokens":[],"stop":true,"stop_type":"eos","stopping_word":"",'
        f'"tokens_evaluated":20,"tokens_predicted":{tokens}}}'
    )
    reply = _stream(*events, last)
    return lambda head, body: reply


def speak_openai(tokens: int) -> Answer:
    """`/v1/chat/completions`, and what else gateways ask engines before they use them."""
    about = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": MODEL}
    usage = {"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": 20 + tokens}
    message = {"role": "assistant", "content": WORD * tokens}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    whole = _whole({**about, "object": "chat.completion", "choices": [choice], "usage": usage})

    def event(delta: dict[str, str], reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _write({**about, "object": "chat.completion.chunk", "choices": [choice]})

    words = [event({"content": WORD})] * (tokens - 1)
    first = event({"role": "assistant", "content": WORD})
    streamed = _stream(first, *words, event({}, "stop"), "[DONE]")
    models = _whole({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1}]})

    def answer(head: bytes, body: bytes) -> bytes:
        if head.startswith(b"POST"):
            return streamed if b'"stream":true' in body or b'"stream": true' in body else whole
        return models

    return answer


class _Mock(asyncio.Protocol):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, body = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        _, found, rest = head.lower().partition(b"content-length:")
        length = int(rest.split(b"\r\n", 1)[0]) if found else 0
        if len(body) < length:
            return
        self._buffer = body[length:]
        self._transport.write(self._answer(head, body))


async def serve(path: str, tokens: int) -> None:
    """Answer on the Unix socket `path`, and on a port, until killed."""
    loop = asyncio.get_running_loop()
    own, others = speak_llamacpp(tokens), speak_openai(tokens)
    server = await loop.create_unix_server(lambda: _Mock(own), path)
    beside = await loop.create_server(lambda: _Mock(others), "127.0.0.1", 0)
    print(beside.sockets[0].getsockname()[1], flush=True)
    await asyncio.gather(server.serve_forever(), beside.serve_forever())


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 32))
