/** Typed client of the prompt management API. `schema.ts` beside this file is generated from `docs/openapi.json`. */

import createFetchClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type { components, operations, paths } from "./schema.js";

/** A schema of the API by its name, for example `Schema<"Prompt">`. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

/** The API: `api.GET(path, ...)`, `api.POST(path, ...)`, with types for every path. */
export type Api = Client<paths>;

/** How to reach the API and as whom. */
export interface ApiOptions {
  /** Where the API answers, without `/api`. */
  baseUrl: string;
  /** Session token of somebody who signed in. */
  token?: string;
  /** API key, for the operations that its scopes open. */
  apiKey?: string;
  /** Replaces the global `fetch`. */
  fetch?: (request: Request) => Promise<Response>;
}

/** A client with the given credentials. */
export function createApi({ baseUrl, token, apiKey, fetch }: ApiOptions): Api {
  const headers: Record<string, string> = {};
  if (token !== undefined) headers["Authorization"] = `Bearer ${token}`;
  if (apiKey !== undefined) headers["X-API-Key"] = apiKey;
  return createFetchClient<paths>({ baseUrl, headers, ...(fetch && { fetch }) });
}

/** An answer that is not a success. */
export class ApiError extends Error {
  constructor(
    /** HTTP status. */
    readonly status: number,
    /** The body, in one of the three shapes that `docs/api.md` describes. */
    readonly body: unknown,
  ) {
    super(`${status}: ${explanation(body)}`);
    this.name = "ApiError";
  }
}

/** What an error body says, whichever of the three shapes it has. */
function explanation(body: unknown): string {
  const { data, error, message } = (body ?? {}) as { data?: unknown; error?: unknown; message?: unknown };
  if (data !== undefined) return explanation(data);
  if (Array.isArray(error)) {
    return error.map((issue: Schema<"ValidationIssue">) => `${issue.field} ${issue.message}`).join("; ");
  }
  return [error, message].filter((text) => typeof text === "string").join(": ") || "no explanation";
}

/** The `data` of a successful answer; throws an {@link ApiError} for any other. */
export async function unwrap<T>(
  answer: Promise<{ data?: { data: T }; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await answer;
  if (data === undefined) throw new ApiError(response.status, error);
  return data.data;
}

/** Reads an execution until it has ended. */
export async function waitForExecution(
  api: Api,
  id: string,
  { intervalMs = 500, timeoutMs = 300_000 } = {},
): Promise<Schema<"Execution">> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const execution = await unwrap(api.GET("/api/v1/executions/{id}", { params: { path: { id } } }));
    if (execution.status === "completed" || execution.status === "failed") return execution;
    if (Date.now() > end) throw new Error(`execution ${id} is still ${execution.status} after ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
