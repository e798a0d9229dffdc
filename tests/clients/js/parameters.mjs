// "Explore more parameters": the penalties go out as strings, as on the page.

import { connect, messages, report } from "./client.mjs";

const response = await connect().path("/chat/completions").post({
  body: {
    messages: messages,
    presence_penalty: "0.1",
    frequency_penalty: "0.8",
    max_tokens: 2048,
    stop: ["<|endoftext|>"],
    temperature: 0,
    top_p: 1,
    response_format: { type: "text" },
  },
});

report({ status: response.status, body: response.body });
