// "Use tools": define, call, answer, in one conversation. Argument 1 is the first tool_choice.
//
// The page's `applyToolCall` cannot run (it maps an object and reads `window`); here is what it means.

import { connect, report } from "./client.mjs";

const flight_info = {
  name: "get_flight_info",
  description:
    "Returns information about the next flight between two cities. This includes the name of the airline, flight number and the date and time of the next flight",
  parameters: {
    type: "object",
    properties: {
      origin_city: {
        type: "string",
        description: "The name of the city where the flight originates",
      },
      destination_city: {
        type: "string",
        description: "The flight destination city",
      },
    },
    required: ["origin_city", "destination_city"],
  },
};

const tools = [
  {
    type: "function",
    function: flight_info,
  },
];

function get_flight_info(loc_origin, loc_destination) {
  return {
    info:
      "There are no flights available from " +
      loc_origin +
      " to " +
      loc_destination +
      ". You should take a train, specially if it helps to reduce CO2 emissions.",
  };
}

const messages = [
  {
    role: "system",
    content:
      "You are a helpful assistant that help users to find information about traveling, how to get" +
      " to places and the different transportations options. You care about the environment and you" +
      " always have that in mind when answering inqueries.",
  },
  { role: "user", content: "When is the next flight from Miami to Seattle?" },
];

const client = connect();
const asked = await client.path("/chat/completions").post({
  body: {
    messages: messages,
    tools: tools,
    tool_choice: process.argv[2],
  },
});

const response_message = asked.body.choices[0].message;
messages.push(response_message);

for (const tool_call of response_message.tool_calls ?? []) {
  const { origin_city, destination_city } = JSON.parse(tool_call.function.arguments);
  messages.push({
    role: "tool",
    tool_call_id: tool_call.id,
    content: JSON.stringify(get_flight_info(origin_city, destination_city)),
  });
}

const answered = await client.path("/chat/completions").post({
  body: {
    messages: messages,
    tools: tools,
  },
});

report({
  first: asked.body.choices[0],
  second: { status: answered.status, choice: answered.body.choices?.[0] },
});
