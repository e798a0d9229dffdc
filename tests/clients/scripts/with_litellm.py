"""LiteLLM, by the prefix of each provider whose dialect is served; the kind is the prefix."""

import json

import litellm

import report
from samples import (
    ANSWER_SCHEMA,
    CHAT,
    JSON_SYSTEM,
    LANGUAGES,
    SHORT_FLIGHT_TOOL,
    TRAVEL,
    get_flight_info,
)

IN_JSON = [{"role": "system", "content": JSON_SYSTEM}, {"role": "user", "content": LANGUAGES}]
NAME = f"{report.KIND}/{report.MODEL}"


def address(endpoint=report.TARGET):
    """`azure_ai` adds the whole path itself, the others what follows `/v1`."""
    return endpoint if report.KIND == "azure_ai" else f"{endpoint}/v1"


def ask(endpoint=report.TARGET, key=report.KEY, **more):
    where = {"api_base": address(endpoint), "api_key": key, "num_retries": 0, "max_retries": 0}
    return litellm.completion(**{"model": NAME, "messages": CHAT, **where, **more})


def complete():
    return report.whole(ask(temperature=0.5, max_tokens=16)) | {"model": report.MODEL}


def stream():
    return report.streamed(ask(max_tokens=16, stream=True))


def tools():
    asked = ask(messages=TRAVEL, tools=[SHORT_FLIGHT_TOOL], tool_choice="required").choices[0]
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
    talk = [*TRAVEL, asked.message.model_dump(), *results]
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
    read = reply.choices[0].model_dump()["logprobs"]
    return report.scores(read) | report.whole(reply)


def extras():
    lengths = [
        ask(max_tokens=1, **_safe(safe)).usage.prompt_tokens for safe in (False, True)
    ]
    return {"lengths": lengths}


def _safe(switch):
    """LiteLLM never sets the header of Azure's dialect, so its user does."""
    if report.KIND == "azure_ai":
        header = {"extra-parameters": "pass-through"}
        return {"extra_body": {"safe_prompt": switch}, "extra_headers": header}
    return {"extra_body": {"safe_prompt": switch}}


def wrong_key():
    return report.refusal(lambda: ask(key=report.WRONG_KEY))


def invalid():
    return report.refusal(lambda: ask(max_tokens=-1))


def not_found():
    return report.refusal(lambda: ask(report.ELSEWHERE))


def embeddings():
    where = {"api_base": address(), "api_key": report.KEY, "max_retries": 0}
    return report.refusal(lambda: litellm.embedding(model=NAME, input=[LANGUAGES], **where))


if __name__ == "__main__":
    report.run(globals())
