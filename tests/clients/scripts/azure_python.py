"""azure-ai-inference for Python, from its first preview to its last."""

import json

import azure.ai.inference.models as shapes
import report
from azure.ai.inference import ChatCompletionsClient, EmbeddingsClient
from azure.core.credentials import AzureKeyCredential
from samples import (
    ANSWER_SCHEMA,
    FLIGHT,
    JSON_SYSTEM,
    LANGUAGES,
    SHORT_FLIGHT_FUNCTION,
    SYSTEM,
    TRAVEL_SYSTEM,
    get_flight_info,
)

MESSAGES = [shapes.SystemMessage(content=SYSTEM), shapes.UserMessage(content=LANGUAGES)]
IN_JSON = [shapes.SystemMessage(content=JSON_SYSTEM), shapes.UserMessage(content=LANGUAGES)]


def connect(endpoint=report.TARGET, key=report.KEY):
    return ChatCompletionsClient(endpoint=endpoint, credential=AzureKeyCredential(key))


def ask(**more):
    return connect().complete(**{"messages": MESSAGES, **more})


def info():
    return {"model": connect().get_model_info().model_name}


def complete():
    return report.whole(ask(temperature=0.5, max_tokens=16, seed=7))


def stream():
    return report.streamed(ask(max_tokens=16, stream=True))


def tools():
    """The very message goes back, with the result of its call."""
    # The first preview had classes for functions, its successors for all tools.
    tool = (
        getattr(shapes, "ChatCompletionsFunctionToolDefinition", None)
        or shapes.ChatCompletionsToolDefinition
    )
    offered = [tool(function=shapes.FunctionDefinition(**SHORT_FLIGHT_FUNCTION))]
    talk = [shapes.SystemMessage(content=TRAVEL_SYSTEM), shapes.UserMessage(content=FLIGHT)]
    asked = ask(messages=talk, tools=offered, tool_choice="required").choices[0]
    made = report.calls(asked.message)
    results = [
        shapes.ToolMessage(
            tool_call_id=call["id"], content=json.dumps(get_flight_info(**call["arguments"]))
        )
        for call in made
    ]
    answered = ask(messages=[*talk, asked.message, *results], tools=offered, max_tokens=32)
    return {
        "calls": made,
        "finish": report.plain(asked.finish_reason),
        "answered": report.whole(answered),
    }


def json_mode():
    return report.whole(ask(messages=IN_JSON, response_format=_json_format()))


def _json_format():
    """As each client's time wrote it; the middle previews' page put an object into `type`."""
    if hasattr(shapes, "ChatCompletionsResponseFormatJSON"):
        return {"type": shapes.ChatCompletionsResponseFormatJSON()}
    if hasattr(shapes, "ChatCompletionsResponseFormat"):
        return shapes.ChatCompletionsResponseFormat.JSON_OBJECT
    return "json_object"


def json_schema():
    wanted = shapes.JsonSchemaFormat(name="answer", schema=ANSWER_SCHEMA, strict=True)
    return report.whole(ask(response_format=wanted))


def choices():
    reply = ask(temperature=1, max_tokens=4, **_extra(n=2))
    return {"texts": [choice.message.content for choice in reply.choices]}


def logprobs():
    reply = ask(max_tokens=4, **_extra(logprobs=True, top_logprobs=2))
    return report.scores(reply.choices[0]["logprobs"]) | report.whole(reply)


def extras():
    """The page's safe mode, seen by the longer prompt."""
    lengths = [
        ask(max_tokens=1, **_extra(safe_mode=safe)).usage.prompt_tokens for safe in (False, True)
    ]
    return {"lengths": lengths}


def _extra(**fields):
    """The first preview's own header has another name, so there its user writes today's."""
    if report.KIND == "first":
        return {"model_extras": fields, "headers": {"extra-parameters": "pass-through"}}
    return {"model_extras": fields}


def wrong_key():
    with_it = connect(key=report.WRONG_KEY)
    return report.refusal(lambda: with_it.complete(messages=MESSAGES))


def invalid():
    return report.refusal(lambda: ask(max_tokens=-1))


def not_found():
    return report.refusal(lambda: connect(report.ELSEWHERE).complete(messages=MESSAGES))


def embeddings():
    client = EmbeddingsClient(endpoint=report.TARGET, credential=AzureKeyCredential(report.KEY))
    return report.refusal(lambda: client.embed(input=[LANGUAGES]))


if __name__ == "__main__":
    report.run(globals())
