"""LlamaIndex's class for Azure AI model inference."""

import json

import report
from llama_index.core.llms import ChatMessage
from llama_index.llms.azure_inference import AzureAICompletionsModel
from samples import CHAT, IN_JSON, SHORT_FLIGHT_TOOL, TRAVEL, get_flight_info


def connect(endpoint=report.TARGET, key=report.KEY, **more):
    return AzureAICompletionsModel(endpoint=endpoint, credential=key, **more)


def talk(messages):
    return [ChatMessage(role=one["role"], content=one["content"]) for one in messages]


def ask(messages=CHAT, **more):
    return connect().chat(talk(messages), **more)


def facts(reply):
    raw = reply.raw
    counts = raw["usage"]
    return {
        "text": reply.message.content,
        "finish": raw["choices"][0]["finish_reason"],
        "model": raw["model"],
        "usage": [counts[f"{part}_tokens"] for part in ("prompt", "completion", "total")],
    }


def info():
    return {"model": connect().metadata.model_name}


def complete():
    return facts(ask(temperature=0.5, max_tokens=16))


def stream():
    updates = list(connect().stream_chat(talk(CHAT), max_tokens=16))
    last = updates[-1].raw
    return {
        "pieces": [update.delta for update in updates],
        "finish": report.plain(last.choices[0].finish_reason),
        "usage": report.usage(last.usage),
    }


def tools():
    """The framework keeps the calls among the message's extra arguments, and sends them back."""
    first = talk(TRAVEL)
    asked = connect().chat(first, tools=[SHORT_FLIGHT_TOOL], tool_choice="required")
    message = asked.message
    made = [
        {
            "id": call.id,
            "name": call.function.name,
            "arguments": json.loads(call.function.arguments),
        }
        for call in message.additional_kwargs["tool_calls"]
    ]
    results = [
        ChatMessage(
            role="tool",
            content=json.dumps(get_flight_info(**call["arguments"])),
            additional_kwargs={"tool_call_id": call["id"]},
        )
        for call in made
    ]
    answered = connect().chat([*first, message, *results], tools=[SHORT_FLIGHT_TOOL], max_tokens=32)
    return {"calls": made, "finish": facts(asked)["finish"], "answered": facts(answered)}


def json_mode():
    return facts(ask(IN_JSON, response_format="json_object"))


def choices():
    reply = ask(temperature=1, max_tokens=4, model_extras={"n": 2})
    return {"texts": [choice["message"]["content"] for choice in reply.raw["choices"]]}


def logprobs():
    reply = ask(max_tokens=4, model_extras={"logprobs": True, "top_logprobs": 2})
    return report.scores(reply.raw["choices"][0]["logprobs"]) | facts(reply)


def extras():
    replies = [ask(max_tokens=1, model_extras={"safe_mode": safe}) for safe in (False, True)]
    return {"lengths": [facts(reply)["usage"][0] for reply in replies]}


def wrong_key():
    return report.refusal(lambda: connect(key=report.WRONG_KEY).chat(talk(CHAT)))


def invalid():
    return report.refusal(lambda: ask(max_tokens=-1))


def not_found():
    return report.refusal(lambda: connect(report.ELSEWHERE).chat(talk(CHAT)))


if __name__ == "__main__":
    report.run(globals())
