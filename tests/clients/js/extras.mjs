// "Pass extra parameters": argument 1 is the header's name, argument 2 the body's extra fields.
// The page writes `extra-params` where the API knows `extra-parameters`.

import { isUnexpected } from "@azure-rest/ai-inference";
import { connect, messages, report } from "./client.mjs";

const response = await connect()
  .path("/chat/completions")
  .post({
    headers: { [process.argv[2]]: "pass-through" },
    body: { messages: messages, ...JSON.parse(process.argv[3]) },
  });

report({ status: response.status, unexpected: isUnexpected(response), body: response.body });
