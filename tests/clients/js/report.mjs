// What the two scripts of the client matrix share; scripts/report.py says what they report.

export const MODEL = "Cupola-Pilot";
export const WRONG_KEY = "0123456789abcdef0123456789abcdef";
export const TARGET = process.env.TARGET_URI;
export const ELSEWHERE = TARGET.replace(/[^/]+$/, "no-such-endpoint");
export const KEY = process.env.ENDPOINT_KEY;
export const samples = JSON.parse(process.env.SAMPLES);

export function getFlightInfo({ origin_city, destination_city }) {
  return { info: `There are no flights available from ${origin_city} to ${destination_city}.` };
}

export function usage(counts) {
  return [counts.prompt_tokens, counts.completion_tokens, counts.total_tokens];
}

export function whole(reply) {
  const choice = reply.choices[0];
  return {
    text: choice.message.content,
    finish: choice.finish_reason,
    model: reply.model,
    usage: usage(reply.usage),
  };
}

export function streamed(chunks) {
  const choices = chunks.flatMap((chunk) => chunk.choices.slice(0, 1));
  const last = chunks.at(-1);
  return {
    pieces: choices.map((choice) => choice.delta.content ?? ""),
    finish: choices.at(-1).finish_reason,
    usage: last.usage ? usage(last.usage) : null,
  };
}

export function calls(message) {
  return message.tool_calls.map((call) => ({
    id: call.id,
    name: call.function.name,
    arguments: JSON.parse(call.function.arguments),
  }));
}

export function results(made) {
  return made.map((call) => ({
    role: "tool",
    tool_call_id: call.id,
    content: JSON.stringify(getFlightInfo(call.arguments)),
  }));
}

export function scores(logprobs) {
  return {
    logprobs: logprobs.content.map((token) => token.logprob),
    alternatives: logprobs.content.map((token) => token.top_logprobs.length),
  };
}

export async function run(features) {
  const performed = {};
  for (const name of process.argv.slice(3)) {
    try {
      performed[name] = await features[name]();
    } catch (error) {
      performed[name] = { failed: String(error.stack ?? error) };
    }
  }
  console.log(JSON.stringify(performed));
}
