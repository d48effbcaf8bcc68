/**
 * From an empty installation to a result: the first admin, a provider, an API key, a prompt, a run.
 *
 *     API_URL=http://127.0.0.1:3000 node dist/examples/journey.js
 *
 * Needs the demo model server (`cargo dev --demo`) and a fresh database. The end-to-end tests run it.
 */

import { ApiError, createApi, unwrap, waitForExecution, type Schema } from "../src/index.js";

const baseUrl = process.env["API_URL"] ?? "http://127.0.0.1:3000";
const anonymous = createApi({ baseUrl });

const { token, user } = await unwrap(
  anonymous.POST("/api/v1/auth/register-first-admin", {
    body: { email: "ada@example.com", name: "Ada", password: "correct horse" },
  }),
);
console.log("signed in as", user.role);

const api = createApi({ baseUrl, token });
await unwrap(
  api.POST("/api/v1/settings", {
    body: { type: "llm-api-key", data: { provider: "ollama", api_key: "none" } },
  }),
);

const prompt = await unwrap(
  api.POST("/api/v1/prompts", {
    body: {
      name: "greeting",
      prompt: "Greet {{name}}.",
      json_schema_input: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
    },
  }),
);
console.log("prompt version", prompt.current_version);

// A program has a key instead of a session, with no more rights than it needs.
const scopes: Schema<"ApiKeyScope">[] = ["executions:run", "executions:read"];
const key = await unwrap(api.POST("/api/v1/api-keys", { body: { name: "journey", scopes } }));
const program = createApi({ baseUrl, apiKey: key.plain_key });
const { executionIds } = await unwrap(
  program.POST("/api/v1/executions", {
    body: { promptId: prompt.id, userInput: JSON.stringify({ name: "Grace" }), providerModel: ["ollama:demo:latest"] },
  }),
);
for (const id of executionIds) {
  const execution = await waitForExecution(program, id, { intervalMs: 100, timeoutMs: 60_000 });
  console.log("execution", execution.status, execution.origin, execution.result);
}

// What goes wrong explains itself.
try {
  await unwrap(program.GET("/api/v1/prompts/{id}", { params: { path: { id: prompt.id } } }));
} catch (error) {
  if (!(error instanceof ApiError)) throw error;
  console.log("refused with", error.status);
}
