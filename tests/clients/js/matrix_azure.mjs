// @azure-rest/ai-inference in the client matrix: requests by path, replies as they came.

import ModelClient, { isUnexpected } from "@azure-rest/ai-inference";
import { AzureKeyCredential } from "@azure/core-auth";
import { createSseStream } from "@azure/core-sse";
import * as report from "./report.mjs";

const { CHAT, TRAVEL, IN_JSON, LANGUAGES, SHORT_FLIGHT_TOOL, ANSWER_SCHEMA } = report.samples;
const PASSING = { "extra-parameters": "pass-through" };

function connect(endpoint = report.TARGET, key = report.KEY) {
  return new ModelClient(endpoint, new AzureKeyCredential(key), { allowInsecureConnection: true });
}

async function ask(fields, headers = {}) {
  const body = { messages: CHAT, ...fields };
  const response = await connect().path("/chat/completions").post({ body, headers });
  if (isUnexpected(response)) {
    throw new Error(JSON.stringify(response.body));
  }
  return response.body;
}

async function refusal(client, path, body) {
  const response = await client.path(path).post({ body });
  if (!isUnexpected(response)) {
    throw new Error("nothing was refused");
  }
  return { status: Number(response.status), told: JSON.stringify(response.body) };
}

async function stream() {
  const body = { messages: CHAT, max_tokens: 16, stream: true };
  const response = await connect().path("/chat/completions").post({ body }).asNodeStream();
  const chunks = [];
  for await (const event of createSseStream(response.body)) {
    if (event.data === "[DONE]") {
      return report.streamed(chunks);
    }
    chunks.push(JSON.parse(event.data));
  }
  throw new Error("the stream ended without [DONE]");
}

async function tools() {
  const offered = { tools: [SHORT_FLIGHT_TOOL] };
  const asked = (await ask({ messages: TRAVEL, tool_choice: "required", ...offered })).choices[0];
  const made = report.calls(asked.message);
  const talk = [...TRAVEL, asked.message, ...report.results(made)];
  const answered = await ask({ messages: talk, max_tokens: 32, ...offered });
  return { calls: made, finish: asked.finish_reason, answered: report.whole(answered) };
}

async function json_schema() {
  const json_schema = { name: "answer", schema: ANSWER_SCHEMA, strict: true };
  return report.whole(await ask({ response_format: { type: "json_schema", json_schema } }));
}

async function choices() {
  const reply = await ask({ n: 2, temperature: 1, max_tokens: 4 }, PASSING);
  return { texts: reply.choices.map((choice) => choice.message.content) };
}

async function logprobs() {
  const reply = await ask({ logprobs: true, top_logprobs: 2, max_tokens: 4 }, PASSING);
  return { ...report.scores(reply.choices[0].logprobs), ...report.whole(reply) };
}

async function extras() {
  const replies = [];
  for (const safe of [false, true]) {
    replies.push(await ask({ safe_mode: safe, max_tokens: 1 }, PASSING));
  }
  return { lengths: replies.map((reply) => reply.usage.prompt_tokens) };
}

const CHATTING = "/chat/completions";

await report.run({
  info: async () => ({ model: (await connect().path("/info").get()).body.model_name }),
  complete: async () => report.whole(await ask({ temperature: 0.5, max_tokens: 16, seed: 7 })),
  stream,
  tools,
  json_mode: async () =>
    report.whole(await ask({ messages: IN_JSON, response_format: { type: "json_object" } })),
  json_schema,
  choices,
  logprobs,
  extras,
  wrong_key: () =>
    refusal(connect(report.TARGET, report.WRONG_KEY), CHATTING, { messages: CHAT }),
  invalid: () => refusal(connect(), CHATTING, { messages: CHAT, max_tokens: -1 }),
  not_found: () => refusal(connect(report.ELSEWHERE), CHATTING, { messages: CHAT }),
  embeddings: () => refusal(connect(), "/embeddings", { input: [LANGUAGES] }),
});
