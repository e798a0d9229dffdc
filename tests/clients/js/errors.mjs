// "Handle errors": what a caller can read of a refusal. Argument 1 names the mistake.

import { isUnexpected } from "@azure-rest/ai-inference";
import { connect, messages, report } from "./client.mjs";

const mistakes = {
  wrongKey: { key: "0123456789abcdef0123456789abcdef", body: { messages } },
  noMessages: { body: { messages: [] } },
  unknownField: { body: { messages, n: 2 } },
};

const { key, body } = mistakes[process.argv[2]];
const response = await connect(key).path("/chat/completions").post({ body });

report({
  status: response.status,
  unexpected: isUnexpected(response),
  body: response.body,
  retryAfter: response.headers["retry-after"] ?? null,
});
