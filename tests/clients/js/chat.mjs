// "Create a chat completion request".

import { isUnexpected } from "@azure-rest/ai-inference";
import { connect, messages, report } from "./client.mjs";

const response = await connect().path("/chat/completions").post({
  body: {
    messages: messages,
  },
});

if (isUnexpected(response)) {
  throw response.body.error;
}

report({
  content: response.body.choices[0].message.content,
  model: response.body.model,
  usage: response.body.usage,
});
