"""LiteLLM, by the prefix of each provider whose dialect is served; the kind is the prefix."""

import json

import litellm
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

USAGE = {"include_usage": True}
NAME = f"{report.KIND}/{report.MODEL}"


def address(endpoint=report.TARGET):
    """`azure_ai` adds the whole path itself, the others what follows `/v1`."""
    return endpoint if report.KIND == "azure_ai" else f"{endpoint}/v1"


def ask(endpoint=report.TARGET, key=report.KEY, **more):
    where = {"api_base": address(endpoint), "api_key": key, "num_retries": 0, "max_retries": 0}
    return litellm.completion(**{"model": NAME, "messages": CHAT, **where, **more})


def complete():
    facts = report.whole(ask(temperature=0.5, max_tokens=16))
    return facts | {"model": facts["model"].removeprefix(f"{report.KIND}/")}


def stream():
    return report.streamed(ask(max_tokens=16, stream=True, stream_options=USAGE))


def tools():
    """Of `azure_ai` LiteLLM has to be told that a choice of tools is understood."""
    chosen = {"tool_choice": "required", "allowed_openai_params": ["tool_choice"]}
    asked = ask(messages=TRAVEL, tools=[SHORT_FLIGHT_TOOL], **chosen).choices[0]
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
    reply = ask(temperature=1, max_tokens=4, n=2, **_passed_on())
    return {"texts": [choice.message.content for choice in reply.choices]}


def logprobs():
    reply = ask(max_tokens=4, logprobs=True, top_logprobs=2, **_passed_on())
    read = reply.choices[0].model_dump()["logprobs"]
    return report.scores(read) | report.whole(reply)


def extras():
    lengths = [
        ask(max_tokens=1, extra_body={"safe_prompt": safe}, **_passed_on()).usage.prompt_tokens
        for safe in (False, True)
    ]
    return {"lengths": lengths}


def _passed_on():
    """LiteLLM never sets the header of Azure's dialect, so its user does.

    Without it the fields are refused, and LiteLLM asks again without them and says nothing.
    """
    if report.KIND == "azure_ai":
        return {"headers": {"extra-parameters": "pass-through"}}
    # Of `mistral` it has to be told what is understood.
    return {"allowed_openai_params": ["n", "logprobs", "top_logprobs"]}


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
