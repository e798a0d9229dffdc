// "Stream content". The page forgets `stream: true` in the body; with the argument `stream` this
// script sends it, with `forgotten` it does as the page does.

import { createSseStream } from "@azure/core-sse";
import { connect, messages, report } from "./client.mjs";

const body = process.argv[2] === "stream" ? { messages, stream: true } : { messages };
const response = await connect().path("/chat/completions").post({ body }).asNodeStream();

const stream = response.body;
if (!stream) {
  throw new Error(`Failed to get chat completions with status: ${response.status}`);
}
if (response.status !== "200") {
  throw new Error(`Failed to get chat completions: ${response.status}`);
}

const events = [];
for await (const event of createSseStream(stream)) {
  events.push(event.data);
  if (event.data === "[DONE]") {
    break;
  }
}

report({ contentType: response.headers["content-type"], events });
