"""curl, as the pages' raw requests have it: a body, a Bearer, and for extras the header."""

import json
import subprocess

import report
from samples import (
    ANSWER_SCHEMA,
    CHAT,
    IN_JSON,
    LANGUAGES,
    SHORT_FLIGHT_TOOL,
    TRAVEL,
    get_flight_info,
)
from strict_sse import read_events, read_update

PASSING = ("-H", "extra-parameters: pass-through")


class FailedError(Exception):
    """curl came back with another status than 200."""

    def __init__(self, status: int, body: str) -> None:
        self.status_code = status
        super().__init__(body)


def curl(path, *options, endpoint=report.TARGET, key=report.KEY):
    """The body of the reply."""
    command = ["curl", "--silent", "--show-error", "--no-buffer", "-w", "\n%{http_code}"]
    headers = ["-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"]
    line = [*command, endpoint + path, *headers, *options]
    printed = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60).stdout
    body, _, status = printed.rpartition("\n")
    if status != "200":
        raise FailedError(int(status), body)
    return body


def ask(*options, messages=CHAT, **fields):
    body = json.dumps({"messages": messages, **fields})
    return json.loads(curl("/chat/completions", *options, "-d", body))


def facts(reply):
    choice, counts = reply["choices"][0], reply["usage"]
    return {
        "text": choice["message"]["content"],
        "finish": choice["finish_reason"],
        "model": reply["model"],
        "usage": [counts[f"{part}_tokens"] for part in ("prompt", "completion", "total")],
    }


def info():
    return {"model": json.loads(curl("/info"))["model_name"]}


def complete():
    return facts(ask(temperature=0.5, max_tokens=16, seed=7))


def stream():
    body = json.dumps({"messages": CHAT, "stream": True, "max_tokens": 16})
    lines = curl("/chat/completions", "-d", body).splitlines(keepends=True)
    updates = [read_update(data) for data in read_events(lines)]
    choices = [update["choices"][0] for update in updates]
    counts = updates[-1]["usage"]
    return {
        "pieces": [choice["delta"].get("content", "") for choice in choices],
        "finish": choices[-1]["finish_reason"],
        "usage": [counts[f"{part}_tokens"] for part in ("prompt", "completion", "total")],
    }


def tools():
    """The reply's message is pasted back as it is."""
    offered = {"tools": [SHORT_FLIGHT_TOOL]}
    asked = ask(messages=TRAVEL, tool_choice="required", **offered)["choices"][0]
    made = [
        {
            "id": call["id"],
            "name": call["function"]["name"],
            "arguments": json.loads(call["function"]["arguments"]),
        }
        for call in asked["message"]["tool_calls"]
    ]
    results = [
        {
            "role": "tool",
            "content": json.dumps(get_flight_info(**call["arguments"])),
            "tool_call_id": call["id"],
        }
        for call in made
    ]
    talk = [*TRAVEL, asked["message"], *results]
    answered = ask(messages=talk, tool_choice="auto", max_tokens=32, **offered)
    return {"calls": made, "finish": asked["finish_reason"], "answered": facts(answered)}


def json_mode():
    return facts(ask(messages=IN_JSON, response_format={"type": "json_object"}))


def json_schema():
    wanted = {"name": "answer", "schema": ANSWER_SCHEMA, "strict": True}
    return facts(ask(response_format={"type": "json_schema", "json_schema": wanted}))


def choices():
    reply = ask(*PASSING, n=2, temperature=1, max_tokens=4)
    return {"texts": [choice["message"]["content"] for choice in reply["choices"]]}


def logprobs():
    reply = ask(*PASSING, logprobs=True, top_logprobs=2, max_tokens=4)
    return report.scores(reply["choices"][0]["logprobs"]) | facts(reply)


def extras():
    """`safemode`, as the page's raw request spells it."""
    lengths = [
        facts(ask(*PASSING, safemode=safe, max_tokens=1))["usage"][0] for safe in (False, True)
    ]
    return {"lengths": lengths}


def wrong_key():
    body = json.dumps({"messages": CHAT})
    return report.refusal(lambda: curl("/chat/completions", "-d", body, key=report.WRONG_KEY))


def invalid():
    return report.refusal(lambda: ask(max_tokens=-1))


def not_found():
    body = json.dumps({"messages": CHAT})
    there = report.ELSEWHERE
    return report.refusal(lambda: curl("/chat/completions", "-d", body, endpoint=there))


def embeddings():
    body = json.dumps({"input": [LANGUAGES]})
    return report.refusal(lambda: curl("/embeddings", "-d", body))


if __name__ == "__main__":
    report.run(globals())
