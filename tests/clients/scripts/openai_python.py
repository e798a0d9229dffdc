"""The OpenAI SDK for Python, its address ending in `/v1`."""

import json

import openai
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


def connect(endpoint=report.TARGET, key=report.KEY):
    return openai.OpenAI(base_url=f"{endpoint}/v1", api_key=key, max_retries=0)


def ask(client=None, **more):
    create = (client or connect()).chat.completions.create
    return create(**{"model": report.MODEL, "messages": CHAT, **more})


def info():
    return {"model": connect().models.list().data[0].id}


def complete():
    return report.whole(ask(temperature=0.5, max_completion_tokens=16, seed=7))


def stream():
    chunks = ask(max_tokens=16, stream=True, stream_options={"include_usage": True})
    return report.streamed(chunks)


def tools():
    asked = ask(messages=TRAVEL, tools=[SHORT_FLIGHT_TOOL], tool_choice="required").choices[0]
    made = report.calls(asked.message)
    results = [
        {
            "role": "tool",
            "tool_call_id": call["id"],
            "content": json.dumps(get_flight_info(**call["arguments"])),
        }
        for call in made
    ]
    talk = [*TRAVEL, asked.message, *results]
    answered = ask(messages=talk, tools=[SHORT_FLIGHT_TOOL], max_tokens=32)
    return {"calls": made, "finish": asked.finish_reason, "answered": report.whole(answered)}


def json_mode():
    return report.whole(ask(messages=IN_JSON, response_format={"type": "json_object"}))


def json_schema():
    wanted = {"name": "answer", "schema": ANSWER_SCHEMA, "strict": True}
    return report.whole(ask(response_format={"type": "json_schema", "json_schema": wanted}))


def choices():
    reply = ask(temperature=1, max_tokens=4, n=2)
    return {"texts": [choice.message.content for choice in reply.choices]}


def logprobs():
    reply = ask(max_tokens=4, logprobs=True, top_logprobs=2)
    return report.scores(reply.choices[0].logprobs.model_dump()) | report.whole(reply)


def extras():
    """Fields that this SDK does not know go into `extra_body`."""
    lengths = [
        ask(max_tokens=1, extra_body={"safe_prompt": safe}).usage.prompt_tokens
        for safe in (False, True)
    ]
    return {"lengths": lengths}


def wrong_key():
    return report.refusal(lambda: ask(connect(key=report.WRONG_KEY)))


def invalid():
    return report.refusal(lambda: ask(max_tokens=-1))


def not_found():
    return report.refusal(lambda: ask(connect(report.ELSEWHERE)))


def embeddings():
    create = connect().embeddings.create
    return report.refusal(lambda: create(model=report.MODEL, input=[LANGUAGES]))


if __name__ == "__main__":
    report.run(globals())
