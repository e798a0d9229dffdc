"""An engine that costs nothing: answers llama.cpp's `/completion` with canned bytes.

    python -m bench.mock_engine SOCKET [EVENTS]

Every reply is a stream of so many events (32), one a token, since that is what Cupola asks engines
for, whether its own caller wants a stream or not.

It exists so that what is measured is the gateway: several times faster than anything beside it.
"""

import asyncio
import sys
from typing import cast

import uvloop

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunk(payload: str) -> bytes:
    data = f"data: {payload}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


def _stream(tokens: int) -> bytes:
    events = [
        '{"index":0,"content":" some twenty letters","tokens":[400],"stop":false,"id_slot":-1,'
        f'"tokens_predicted":{i + 1},"tokens_evaluated":20}}'
        for i in range(tokens)
    ]
    last = (
        '{"content":"","tokens":[],"stop":true,"stop_type":"eos","stopping_word":"",'
        f'"tokens_evaluated":20,"tokens_predicted":{tokens}}}'
    )
    return _HEAD + b"".join(map(_chunk, [*events, last])) + b"0\r\n\r\n"


class _Mock(asyncio.Protocol):
    def __init__(self, tokens: int) -> None:
        self._reply = _stream(tokens)
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
        self._transport.write(self._reply)


async def serve(path: str, tokens: int) -> None:
    """Answer on the Unix socket `path` until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: _Mock(tokens), path)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 32))
