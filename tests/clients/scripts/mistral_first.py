"""mistralai 0.4.2: the SDK of the notebooks that the how-to pages name."""

import json

import report
from mistralai.client import MistralClient
from samples import CHAT, IN_JSON, LANGUAGES, SHORT_FLIGHT_TOOL, TRAVEL, get_flight_info

MODEL = "azureai"  # what its users wrote, because without a model this SDK ends before it sends


def connect(endpoint=report.TARGET, key=report.KEY):
    return MistralClient(endpoint=endpoint, api_key=key, max_retries=0)


def ask(**more):
    return connect().chat(**{"model": MODEL, "messages": CHAT, **more})


def info():
    return {"model": connect().list_models().data[0].id}


def complete():
    return report.whole(ask(temperature=0.5, max_tokens=16, random_seed=7))


def stream():
    return report.streamed(connect().chat_stream(model=MODEL, messages=CHAT, max_tokens=16))


def tools():
    """`any` is this dialect's word for required."""
    asked = ask(messages=TRAVEL, tools=[SHORT_FLIGHT_TOOL], tool_choice="any").choices[0]
    made = report.calls(asked.message)
    results = [
        {
            "role": "tool",
            "name": call["name"],
            "tool_call_id": call["id"],
            "content": json.dumps(get_flight_info(**call["arguments"])),
        }
        for call in made
    ]
    talk = [*TRAVEL, asked.message, *results]
    answered = ask(messages=talk, tools=[SHORT_FLIGHT_TOOL], max_tokens=32)
    return {
        "calls": made,
        "finish": report.plain(asked.finish_reason),
        "answered": report.whole(answered),
    }


def json_mode():
    return report.whole(ask(messages=IN_JSON, response_format={"type": "json_object"}))


def extras():
    """`safe_mode` is the old name of the argument; the field is `safe_prompt` for both."""
    lengths = [ask(max_tokens=1, safe_mode=safe).usage.prompt_tokens for safe in (False, True)]
    return {"lengths": lengths}


def wrong_key():
    with_it = connect(key=report.WRONG_KEY)
    return report.refusal(lambda: with_it.chat(model=MODEL, messages=CHAT))


def invalid():
    return report.refusal(lambda: ask(max_tokens=-1))


def not_found():
    elsewhere = connect(report.ELSEWHERE)
    return report.refusal(lambda: elsewhere.chat(model=MODEL, messages=CHAT))


def embeddings():
    return report.refusal(lambda: connect().embeddings(model=MODEL, input=[LANGUAGES]))


if __name__ == "__main__":
    report.run(globals())
