"""LangChain's three classes for the three dialects; the kind is the dialect."""

import json

import report
from langchain_core.messages import ToolMessage
from samples import (
    ANSWER_SCHEMA,
    CHAT,
    IN_JSON,
    LANGUAGES,
    SHORT_FLIGHT_TOOL,
    TRAVEL,
    get_flight_info,
)


def connect(endpoint=report.TARGET, key=report.KEY, **more):
    if report.KIND == "mistral":
        from langchain_mistralai import ChatMistralAI

        where = {"base_url": f"{endpoint}/v1", "api_key": key, "max_retries": 1}
        return ChatMistralAI(model=report.MODEL, **where, **more)
    if report.KIND == "openai":
        from langchain_openai import ChatOpenAI

        where = {"base_url": f"{endpoint}/v1", "api_key": key, "max_retries": 0}
        return ChatOpenAI(model=report.MODEL, **where, **more)
    from langchain_azure_ai.chat_models.inference import AzureAIChatCompletionsModel

    return AzureAIChatCompletionsModel(endpoint=endpoint, credential=key, **more)


def facts(message):
    counts = message.usage_metadata
    told = message.response_metadata
    return {
        "text": message.content,
        "finish": told["finish_reason"],
        "model": told.get("model_name") or told.get("model"),
        "usage": [counts[f"{part}_tokens"] for part in ("input", "output", "total")],
    }


def complete():
    return facts(connect(temperature=0.5, max_tokens=16).invoke(CHAT))


def stream():
    more = {"stream_usage": True} if report.KIND == "openai" else {}
    parts = list(connect(max_tokens=16, **more).stream(CHAT))
    joined = parts[0]
    for part in parts[1:]:
        joined += part
    told = facts(joined)
    return {
        "pieces": [part.content for part in parts],
        "finish": told["finish"],
        "usage": told["usage"],
    }


def tools():
    required = connect().bind_tools([SHORT_FLIGHT_TOOL], tool_choice="any")
    asked = required.invoke(TRAVEL)
    made = [
        {"id": call["id"], "name": call["name"], "arguments": call["args"]}
        for call in asked.tool_calls
    ]
    results = [
        ToolMessage(
            tool_call_id=call["id"],
            name=call["name"],
            content=json.dumps(get_flight_info(**call["arguments"])),
        )
        for call in made
    ]
    answering = connect(max_tokens=32).bind_tools([SHORT_FLIGHT_TOOL])
    answered = answering.invoke([*TRAVEL, asked, *results])
    return {"calls": made, "finish": facts(asked)["finish"], "answered": facts(answered)}


def json_mode():
    # Azure's class takes the format as its client does.
    wanted = "json_object" if report.KIND == "azure" else {"type": "json_object"}
    return facts(connect().bind(response_format=wanted).invoke(IN_JSON))


def json_schema():
    """`with_structured_output`, as an application asks for it."""
    # Azure's class looks for the name under another key than its sisters.
    name = {"name" if report.KIND == "azure" else "title": "answer"}
    schema = {**name, "description": "An answer", **ANSWER_SCHEMA}
    asking = connect().with_structured_output(schema, method="json_schema", include_raw=True)
    reply = asking.invoke(CHAT)
    return facts(reply["raw"]) | {"text": json.dumps(reply["parsed"])}


def choices():
    n = {"model_kwargs": {"n": 2}} if report.KIND == "azure" else {"n": 2}
    result = connect(temperature=1, max_tokens=4, **n).generate([_messages()])
    return {"texts": [one.message.content for one in result.generations[0]]}


def _messages():
    from langchain_core.messages import convert_to_messages

    return convert_to_messages(CHAT)


def logprobs():
    message = connect(max_tokens=4, logprobs=True, top_logprobs=2).invoke(CHAT)
    return report.scores(message.response_metadata["logprobs"]) | facts(message)


def extras():
    lengths = [facts(_switched(safe).invoke(CHAT))["usage"][0] for safe in (False, True)]
    return {"lengths": lengths}


def _switched(safe):
    """The safety prompt, as each class passes on what it does not know."""
    if report.KIND == "mistral":
        return connect(max_tokens=1, safe_mode=safe)
    if report.KIND == "openai":
        return connect(max_tokens=1, extra_body={"safe_prompt": safe})
    return connect(max_tokens=1, model_kwargs={"safe_prompt": safe})


def wrong_key():
    return report.refusal(lambda: _given(key=report.WRONG_KEY).invoke(CHAT))


def _given(**more):
    """Azure's class asks for `/info` first unless it is given a model."""
    named = {"model": report.MODEL} if report.KIND == "azure" else {}
    return connect(**named, **more)


def invalid():
    return report.refusal(lambda: connect(max_tokens=-1).invoke(CHAT))


def not_found():
    return report.refusal(lambda: _given(endpoint=report.ELSEWHERE).invoke(CHAT))


def embeddings():
    return report.refusal(lambda: _embedder().embed_query(LANGUAGES))


def _embedder():
    if report.KIND == "openai":
        from langchain_openai import OpenAIEmbeddings

        # Without its own tokenizer, which it would fetch from elsewhere.
        return OpenAIEmbeddings(
            base_url=f"{report.TARGET}/v1",
            api_key=report.KEY,
            max_retries=0,
            check_embedding_ctx_length=False,
        )
    from langchain_azure_ai.embeddings.inference import AzureAIEmbeddingsModel

    return AzureAIEmbeddingsModel(endpoint=report.TARGET, credential=report.KEY, model=report.MODEL)


if __name__ == "__main__":
    report.run(globals())
