// "Get the model's capabilities".

import { connect, report } from "./client.mjs";

const model_info = await connect().path("/info").get();

report({ status: model_info.status, body: model_info.body });
