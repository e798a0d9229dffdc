// The OpenAI SDK for JavaScript in the client matrix, its address ending in `/v1`.

import OpenAI from "openai";
import * as report from "./report.mjs";

const { CHAT, TRAVEL, IN_JSON, LANGUAGES, SHORT_FLIGHT_TOOL, ANSWER_SCHEMA } = report.samples;

function connect(endpoint = report.TARGET, apiKey = report.KEY) {
  return new OpenAI({ baseURL: `${endpoint}/v1`, apiKey, maxRetries: 0 });
}

function ask(fields, client = connect()) {
  return client.chat.completions.create({ model: report.MODEL, messages: CHAT, ...fields });
}

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    const told = `${error.message} ${JSON.stringify(error.error)}`;
    return { kind: error.constructor.name, status: error.status, told };
  }
  throw new Error("nothing was raised");
}

async function stream() {
  const chunks = [];
  const options = { stream: true, stream_options: { include_usage: true } };
  for await (const chunk of await ask({ max_tokens: 16, ...options })) {
    chunks.push(chunk);
  }
  return report.streamed(chunks);
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
  const reply = await ask({ n: 2, temperature: 1, max_tokens: 4 });
  return { texts: reply.choices.map((choice) => choice.message.content) };
}

async function logprobs() {
  const reply = await ask({ logprobs: true, top_logprobs: 2, max_tokens: 4 });
  return { ...report.scores(reply.choices[0].logprobs), ...report.whole(reply) };
}

async function extras() {
  const replies = [];
  for (const safe of [false, true]) {
    replies.push(await ask({ safe_prompt: safe, max_tokens: 1 }));
  }
  return { lengths: replies.map((reply) => reply.usage.prompt_tokens) };
}

await report.run({
  info: async () => ({ model: (await connect().models.list()).data[0].id }),
  complete: async () => report.whole(await ask({ temperature: 0.5, max_tokens: 16, seed: 7 })),
  stream,
  tools,
  json_mode: async () =>
    report.whole(await ask({ messages: IN_JSON, response_format: { type: "json_object" } })),
  json_schema,
  choices,
  logprobs,
  extras,
  wrong_key: () => refusal(() => ask({}, connect(report.TARGET, report.WRONG_KEY))),
  invalid: () => refusal(() => ask({ max_tokens: -1 })),
  not_found: () => refusal(() => ask({}, connect(report.ELSEWHERE))),
  embeddings: () =>
    refusal(() => connect().embeddings.create({ model: report.MODEL, input: [LANGUAGES] })),
});
