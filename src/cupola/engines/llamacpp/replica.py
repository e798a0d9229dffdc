"""A replica on llama.cpp: the process, and the engine in it.

    start -> starting -> ready -> (the process ends) failed -> start ...
                  any state -> stop -> stopped

It owns the two quirks of prompts: the token that begins one, and texts without control tokens.
"""

from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from cupola.engines.gguf import profile, read_header
from cupola.engines.llamacpp.chunks import read_refusal, too_long
from cupola.engines.llamacpp.completion import (
    PATH,
    CompletionWriter,
    begin_prompt,
    check_prompt,
    opens_reply,
    penalises,
    searches,
    stops_by_token,
)
from cupola.engines.llamacpp.process import EngineProcess
from cupola.engines.llamacpp.reply import Reply
from cupola.engines.llamacpp.search import Search
from cupola.engines.llamacpp.step import Stepper
from cupola.engines.llamacpp.vocabulary import read_vocabulary
from cupola.engines.llamacpp.withheld import Divider, Recovery
from cupola.engines.port import CAPABILITIES, Generation, Profile, ReplicaState, Tokens, Verbatim
from cupola.http.client import Client
from cupola.http.connection import Broken
from cupola.kit.clock import SystemClock
from cupola.kit.errors import CupolaError, EngineFailed
from cupola.wire.canonical import Event, Failed

PATIENCE: Final = 600.0
"""Seconds without a byte from the engine: it says something every 30 s, if only that it lives. A
caller who will not wait that long closes the generator."""

NAME: Final = "llamacpp"
CAN_DO: Final = frozenset(CAPABILITIES)
_now: Final = SystemClock.monotonic
"""For durations. To ask the event loop would take looking for it, which is a system call."""
_STOPPED: Final = "The model's engine stopped while answering."
_SENTINEL: Final = "\n"
"""No piece of a SentencePiece vocabulary begins with it and goes on."""


class _Tokens(Struct):
    tokens: list[int]


class LlamaCppReplica:
    """One model file, served by a process of its own.

    Args:
        weights: A GGUF file; it is checked here, and may lie in a read-only folder.
        runtime_folder: Where the socket's folder is made.
        log_folder: Where the process's log goes.
        slots: How many generations run at once; more wait their turn in the engine.
        context_length: Tokens a slot holds; None: as many as the model was trained for.
        threads: Of the processor, for computing.
        name: Of the log file, and in messages.
        id: In records of usage.

    Raises:
        BadModelFile: the file is no model that can be served.
    """

    def __init__(
        self,
        weights: Path,
        runtime_folder: Path,
        *,
        slots: int,
        context_length: int | None,
        threads: int,
        log_folder: Path,
        name: str = "llamacpp",
        id: str = "",
    ) -> None:
        self.id = id
        header = read_header(weights)
        self._profile = replace(profile(header, context_length), engine=NAME, capabilities=CAN_DO)
        self._vocabulary = read_vocabulary(header)
        self._divider = Divider(self._vocabulary)
        self._writer = CompletionWriter(self._vocabulary, self._profile.context_length)
        options = {
            "weights": str(weights.absolute()),
            "slots": slots,
            "context_length": self._profile.context_length,
            "threads": threads,
        }
        self._cache_bytes = header.cache_bytes and (
            header.cache_bytes * slots * self._profile.context_length
        )
        self._process = EngineProcess(name, runtime_folder, log_folder, options)
        self._state: ReplicaState = "stopped"
        self._busy = 0

    @property
    def profile(self) -> Profile:
        """Known from the model's file before the process starts."""
        return self._profile

    @property
    def cache_bytes(self) -> int | None:
        """Of keys and values, all slots together; None: the file does not tell."""
        return self._cache_bytes

    @property
    def state(self) -> ReplicaState:
        if self._state == "ready" and not self._process.is_running:
            return "failed"
        return self._state

    @property
    def busy(self) -> int:
        """Generations under way."""
        return self._busy

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid

    @property
    def client(self) -> Client:
        """Of the running process's socket, for whoever wants to look inside."""
        return self._process.client

    async def start(self) -> None:
        """Start the process; returns when the model is loaded."""
        self._state = "starting"
        try:
            await self._process.start()
        except CupolaError:
            self._state = "failed"
            raise
        self._state = "ready"

    async def wait_ended(self) -> str:
        """How the process ended, once it has."""
        return await self._process.wait_ended()

    async def stop(self) -> None:
        """End the process, whatever it does."""
        self._state = "stopped"
        await self._process.stop()

    async def generate(self, request: Generation) -> AsyncGenerator[Event, None]:
        """Answer `request`, one event at a time."""
        self._busy += 1
        tally = request.tally
        tally.begin()
        try:
            check_prompt(request.prompt, self._vocabulary, self._profile.context_length)
            if searches(request):
                for event in await self._search(request):
                    yield event
                return
            reply = self._expect(request)
            prompt = await self._tokenize(request)
            body = self._writer.write(request, prompt)
            recovery = self._recover(request, prompt, reply)
            if request.incremental or stops_by_token(request):
                asked = _now()
                async with self.client.stream("POST", PATH, body, within=PATIENCE) as answer:
                    async for data in answer:
                        if tally.waited is None:
                            tally.waited = _now() - asked
                        for event in reply.receive(data, answer.status):
                            yield event if recovery is None else await recovery.complete(event)
                        if reply.is_stopped:
                            break  # hangs up, which frees the slot
            else:
                for event in await self._ask_whole(body, reply):
                    yield event if recovery is None else await recovery.complete(event)
            if retry := reply.find_retry():
                async for event in self.generate(retry):
                    yield event
            else:
                for event in reply.end():
                    yield event if recovery is None else await recovery.complete(event)
        except Broken as error:
            yield Failed(EngineFailed(_STOPPED, private=str(error)))
        except CupolaError as error:
            yield Failed(error)
        finally:
            self._busy -= 1

    async def _ask_whole(self, body: bytes, reply: Reply) -> list[Event]:
        """All at once; of what is cut, the reply still learns how far it had come."""
        asked = _now()
        status, data = await self.client.request(
            "POST",
            PATH,
            body,
            within=PATIENCE,
            on_cut=lambda status, rest: reply.receive(rest, status),
        )
        events = reply.receive(data, status)
        reply.tally.waited = max(0.0, _now() - asked - reply.worked)
        return events

    async def _search(self, request: Generation) -> list[Event]:
        prompt = [token for token in await self._tokenize(request) if isinstance(token, int)]
        length = self._profile.context_length
        if len(prompt) >= length:
            raise too_long(len(prompt), length)
        request.tally.taken, request.tally.prompt = True, len(prompt)
        opens = opens_reply(request.prompt, self._vocabulary)
        search = Search(request, prompt, self._vocabulary, length, opens=opens)
        return await search.run(self._stepper)

    @cached_property
    def _stepper(self) -> Stepper:
        return Stepper(self._vocabulary, self._ask_once)

    async def _ask_once(self, body: bytes) -> bytes:
        status, answer = await self.client.request("POST", PATH, body, within=PATIENCE)
        if status != 200:
            raise read_refusal(status, answer)
        return answer

    def _expect(self, request: Generation) -> Reply:
        opens = opens_reply(request.prompt, self._vocabulary)
        return Reply(request, self._vocabulary, opens=opens, divider=self._divider)

    def _recover(
        self, request: Generation, prompt: list[str | int], reply: Reply
    ) -> Recovery | None:
        """What tells of tokens that llama.cpp keeps to itself, if any are to be told of."""
        if request.logprobs is None or reply.telling is None:
            return None
        return Recovery(
            prompt,
            reply.telling.said,
            self._vocabulary,
            self._stepper,
            alternatives=request.logprobs,
            opens=opens_reply(request.prompt, self._vocabulary),
        )

    async def _tokenize(self, request: Generation) -> list[str | int]:
        """The prompt as llama.cpp takes it: text with control tokens, and ids for what has none."""
        prompt: list[str | int] = []
        for piece in begin_prompt(request.prompt, self._vocabulary):
            if isinstance(piece, Tokens):
                prompt += piece.ids
            elif isinstance(piece, Verbatim):
                prompt += await self._tokenize_verbatim(piece.text)
            elif isinstance(piece, str) and (penalises(request) or searches(request)):
                prompt += await self._ask_tokens(piece, special=True)
            else:
                prompt.append(piece)
        return prompt

    async def _tokenize_verbatim(self, text: str) -> list[int]:
        if not self._vocabulary.adds_space:
            return await self._ask_tokens(text)
        # Behind the sentinel the tokenizer adds no space of its own.
        sentinel = await self._ask_tokens(_SENTINEL)
        return (await self._ask_tokens(_SENTINEL + text))[len(sentinel) :]

    async def _ask_tokens(self, text: str, *, special: bool = False) -> list[int]:
        body = {"content": text, "add_special": False, "parse_special": special}
        status, answer = await self.client.request(
            "POST", "/tokenize", msgspec.json.encode(body), within=PATIENCE
        )
        if status != 200:
            raise EngineFailed(
                "The model's engine failed.", private=f"/tokenize answered {status}: {answer!r}"
            )
        return msgspec.json.decode(answer, type=_Tokens).tokens
