// "Create JSON outputs".

import { connect, report } from "./client.mjs";

const messages = [
  {
    role: "system",
    content:
      "You are a helpful assistant that always generate responses in JSON format, using." +
      ' the following format: { "answer": "response" }.',
  },
  { role: "user", content: "How many languages are in the world?" },
];

const response = await connect().path("/chat/completions").post({
  body: {
    messages: messages,
    response_format: { type: "json_object" },
  },
});

report({ status: response.status, body: response.body });
