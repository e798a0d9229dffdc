"""Azure.AI.Inference for C#, replayed: its bytes, headers and reading, without .NET.

Keys stand in the order in which that client writes them, and texts are escaped as its JSON writer
escapes them. The kind is the release: `beta.1`, or `beta.5` for all that followed.
"""

import http.client
import json
import urllib.parse
from collections.abc import Iterator

import report
from samples import (
    ANSWER_SCHEMA,
    CHAT,
    IN_JSON,
    LANGUAGES,
    SHORT_FLIGHT_FUNCTION,
    TRAVEL,
    get_flight_info,
)
from strict_sse import read_events, read_update

FIRST = report.KIND == "beta.1"
ORDER = [
    *("messages", "max_tokens", "temperature", "top_p", "stop", "presence_penalty"),
    *("frequency_penalty", "stream", "seed", "model", "response_format", "tools", "tool_choice"),
]


class RequestFailedError(Exception):
    """As the client tells of it: a status, and an error code that must be text."""

    def __init__(self, status: int, body: str) -> None:
        self.status_code = status
        self.body = body
        told = json.loads(body)
        code = told.get("error", told).get("code")
        assert code is None or isinstance(code, str), f"the code is not text: {body}"
        super().__init__(f"Status: {status}, ErrorCode: {code}")


def send(method, path, body=None, *, endpoint=report.TARGET, key=report.KEY, passing=False):
    """The open response, after the client's own check of its status."""
    address = urllib.parse.urlsplit(endpoint)
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Authorization": f"Bearer {key}",
        "User-Agent": f"azsdk-net-AI.Inference/1.0.0-{report.KIND} (.NET 8.0.8; Linux)",
        "x-ms-client-request-id": "5f0c7c3e-6f0d-4f6e-9d5c-0b6f7a1f2c11",
        "x-ms-return-client-request-id": "true",
    }
    headers |= {} if FIRST else {"api-key": key}
    headers |= {"extra-parameters": "pass-through"} if passing else {}
    line = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    target = f"{address.path}{path}?api-version=2024-05-01-preview"
    line.request(method, target, body and write(body), headers)
    response = line.getresponse()
    if response.status != 200:
        raise RequestFailedError(response.status, response.read().decode())
    return response


def write(value) -> bytes:
    """JSON as `Utf8JsonWriter` has it: no spaces, and nothing in it that HTML could mistake."""
    text = json.dumps(value, separators=(",", ":"))
    for character in "<>&'+`":
        text = text.replace(character, f"\\u{ord(character):04X}")
    return text.replace('\\"', "\\u0022").encode()


def options(messages=CHAT, extra=None, **chosen):
    """`ChatCompletionsOptions`: the known keys in the client's order, additional ones last."""
    values = {"messages": [_message(one) for one in messages], **chosen}
    assert values.keys() <= set(ORDER)
    return {key: values[key] for key in ORDER if key in values} | (extra or {})


def _message(one):
    """The first release writes the role last, the others first."""
    rest = {key: value for key, value in one.items() if key != "role"}
    return {**rest, "role": one["role"]} if FIRST else {"role": one["role"], **rest}


def _typed(function, **more):
    """A tool or a call: the first release writes the function first, the others last."""
    kind = {"type": "function"}
    return (
        {"function": function, **kind, **more} if FIRST else {**more, **kind, "function": function}
    )


def ask(messages=CHAT, extra=None, **chosen):
    body = options(messages, extra, **chosen)
    return json.loads(send("POST", "/chat/completions", body, passing=bool(extra)).read())


def facts(reply):
    choice, counts = reply["choices"][0], reply["usage"]
    assert isinstance(reply["created"], int)
    return {
        "text": choice["message"]["content"],
        "finish": choice["finish_reason"],
        "model": reply["model"],
        "usage": [counts[f"{part}_tokens"] for part in ("prompt", "completion", "total")],
    }


def info():
    return {"model": json.loads(send("GET", "/info").read())["model_name"]}


def complete():
    """The page's further parameters, in the client's order."""
    reply = ask(
        presence_penalty=0.1,
        frequency_penalty=0.8,
        max_tokens=16,
        stop=["<|endoftext|>"],
        temperature=0.5,
        top_p=1,
        response_format={"type": "text"},
    )
    return facts(reply)


def stream():
    body = options(max_tokens=16, stream=True)
    updates = [read_update(data) for data in read_events(_lines(body))]
    choices = [update["choices"][0] for update in updates]
    counts = updates[-1]["usage"]
    return {
        "pieces": [choice["delta"].get("content") or "" for choice in choices],
        "finish": choices[-1]["finish_reason"],
        "usage": [counts[f"{part}_tokens"] for part in ("prompt", "completion", "total")],
    }


def stream_extras():
    """In a stream the client sends additional fields, but never the header for them."""
    body = options(max_tokens=16, stream=True, extra={"logprobs": True})
    return report.refusal(lambda: send("POST", "/chat/completions", body))


def _lines(body) -> Iterator[str]:
    for line in send("POST", "/chat/completions", body):
        yield line.decode()


def tools():
    """The message goes back as the client's own classes write it."""
    offered = [_typed(SHORT_FLIGHT_FUNCTION)]
    asked = ask(TRAVEL, tools=offered, tool_choice="required")["choices"][0]
    made = asked["message"]["tool_calls"]
    echoed = {
        "role": "assistant",
        "content": asked["message"]["content"],
        "tool_calls": [_typed(_function(call), id=call["id"]) for call in made],
    }
    results = [
        {
            "role": "tool",
            "content": json.dumps(get_flight_info(**_arguments(call))),
            "tool_call_id": call["id"],
        }
        for call in made
    ]
    answered = ask([*TRAVEL, echoed, *results], tools=offered, tool_choice="auto", max_tokens=32)
    return {
        "calls": [
            {"id": call["id"], "name": _function(call)["name"], "arguments": _arguments(call)}
            for call in made
        ],
        "finish": asked["finish_reason"],
        "answered": facts(answered),
    }


def _function(call):
    return {key: call["function"][key] for key in ("name", "arguments")}


def _arguments(call):
    return json.loads(call["function"]["arguments"])


def json_mode():
    return facts(ask(IN_JSON, response_format={"type": "json_object"}))


def json_schema():
    wanted = {"name": "answer", "schema": ANSWER_SCHEMA, "description": "An answer", "strict": True}
    return facts(ask(response_format={"type": "json_schema", "json_schema": wanted}))


def choices():
    reply = ask(temperature=1, max_tokens=4, extra={"n": 2})
    return {"texts": [choice["message"]["content"] for choice in reply["choices"]]}


def logprobs():
    reply = ask(max_tokens=4, extra={"logprobs": True, "top_logprobs": 2})
    return report.scores(reply["choices"][0]["logprobs"]) | facts(reply)


def extras():
    """The page's `safe_mode`."""
    lengths = [
        facts(ask(max_tokens=1, extra={"safe_mode": safe}))["usage"][0] for safe in (False, True)
    ]
    return {"lengths": lengths}


def wrong_key():
    body = options()
    return report.refusal(lambda: send("POST", "/chat/completions", body, key=report.WRONG_KEY))


def invalid():
    return report.refusal(lambda: ask(max_tokens=-1))


def not_found():
    body = options()
    return report.refusal(
        lambda: send("POST", "/chat/completions", body, endpoint=report.ELSEWHERE)
    )


def embeddings():
    return report.refusal(lambda: send("POST", "/embeddings", {"input": [LANGUAGES]}))


if __name__ == "__main__":
    report.run(globals())
