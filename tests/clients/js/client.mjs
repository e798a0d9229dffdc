// What every script here shares: the client of Microsoft's JavaScript how-to page, and its messages.
//
// Each script is one step of that page with its printing replaced by one line of JSON on stdout,
// which test_azure_js.py reads. Only `allowInsecureConnection` is added, because of plain http.

import ModelClient from "@azure-rest/ai-inference";
import { AzureKeyCredential } from "@azure/core-auth";

export function connect(key = process.env.AZURE_INFERENCE_CREDENTIAL) {
  return new ModelClient(process.env.AZURE_INFERENCE_ENDPOINT, new AzureKeyCredential(key), {
    allowInsecureConnection: true,
  });
}

export const messages = [
  { role: "system", content: "You are a helpful assistant" },
  { role: "user", content: "How many languages are in the world?" },
];

export function report(value) {
  console.log(JSON.stringify(value));
}
