"""mistralai since its second generation: the native class, and the one for Azure.

Each generation has its Azure class in a module of its own, with arguments of its own.
"""

import json
from functools import cache

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


@cache  # the second generation closes its connection once nobody holds the client
def connect(endpoint=report.TARGET, key=report.KEY):
    if report.KIND == "native-1":
        from mistralai import Mistral

        return Mistral(api_key=key, server_url=endpoint)
    if report.KIND == "azure-1":
        from mistralai_azure import MistralAzure

        return MistralAzure(azure_api_key=key, azure_endpoint=endpoint)
    if report.KIND == "native-3":
        from mistralai.client import Mistral

        return Mistral(api_key=key, server_url=endpoint)
    from mistralai.azure.client import MistralAzure

    return MistralAzure(api_key=key, server_url=endpoint)


def ask(**more):
    return connect().chat.complete(**{"model": report.MODEL, "messages": CHAT, **more})


def info():
    return {"model": connect().models.list().data[0].id}


def complete():
    return report.whole(ask(temperature=0.5, max_tokens=16, random_seed=7))


def stream():
    events = connect().chat.stream(model=report.MODEL, messages=CHAT, max_tokens=16)
    return report.streamed(event.data for event in events)


def tools():
    """The message goes back as the SDK writes it out, the result under the function's name."""
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
    talk = [*TRAVEL, asked.message.model_dump(exclude_none=True), *results]
    answered = ask(messages=talk, tools=[SHORT_FLIGHT_TOOL], max_tokens=32)
    return {
        "calls": made,
        "finish": report.plain(asked.finish_reason),
        "answered": report.whole(answered),
    }


def json_mode():
    return report.whole(ask(messages=IN_JSON, response_format={"type": "json_object"}))


def json_schema():
    wanted = {"name": "answer", "schema": ANSWER_SCHEMA}
    return report.whole(ask(response_format={"type": "json_schema", "json_schema": wanted}))


def choices():
    reply = ask(temperature=1, max_tokens=4, n=2)
    return {"texts": [choice.message.content for choice in reply.choices]}


def logprobs():
    reply = ask(max_tokens=4, logprobs=True, top_logprobs=2)
    read = reply.choices[0].model_dump()["logprobs"]
    return report.scores(read) | report.whole(reply)


def extras():
    lengths = [ask(max_tokens=1, safe_prompt=safe).usage.prompt_tokens for safe in (False, True)]
    return {"lengths": lengths}


def wrong_key():
    with_it = connect(key=report.WRONG_KEY)
    return report.refusal(lambda: with_it.chat.complete(model=report.MODEL, messages=CHAT))


def invalid():
    """The second generation's exception has no status, but is raised for no other."""
    told = report.refusal(lambda: ask(max_tokens=-1))
    return told | {"status": 422} if told["kind"] == "HTTPValidationError" else told


def not_found():
    elsewhere = connect(report.ELSEWHERE)
    return report.refusal(lambda: elsewhere.chat.complete(model=report.MODEL, messages=CHAT))


def embeddings():
    return report.refusal(
        lambda: connect().embeddings.create(model=report.MODEL, inputs=[LANGUAGES])
    )


if __name__ == "__main__":
    report.run(globals())
