/** The REST calls. A refusal becomes a `Problem` that says what happened; a lost connection becomes one too. */

const KEY = "anabranch.key";

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly errors: { path: string; message: string }[] = [],
  ) {
    super(detail || title);
  }
}

/** The API key of this tab, where the service asks for one. */
export const apiKey = {
  get: (): string | null => sessionStorage.getItem(KEY),
  set: (key: string): void => sessionStorage.setItem(KEY, key),
};

export function authorization(): Record<string, string> {
  const key = apiKey.get();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return call<T>(path, { headers: { Accept: "application/json", ...authorization() }, signal });
}

export async function post<T>(
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<T> {
  return call<T>(path, {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/json",
      "X-Anabranch": "1",
      "X-Anabranch-Client": "dashboard",
      ...authorization(),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

/** A browser that asks where to save to reads it after that. */
const SAVING_MS = 60_000;

/** Saves what a path answers as a file: a plain link would not carry the key of this tab. */
export async function download(path: string, name: string): Promise<void> {
  const blob = await (await answered(path, { headers: authorization() })).blob();
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), SAVING_MS);
}

async function call<T>(path: string, init: RequestInit): Promise<T> {
  return (await (await answered(path, init)).json()) as T;
}

async function answered(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Problem(
      0,
      "The service does not answer",
      "Is it still running? This page tries again by itself.",
    );
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

export async function problemOf(response: Response): Promise<Problem> {
  const body = await response.json().catch(() => ({}));
  const title =
    typeof body.title === "string" ? body.title : response.statusText || `Status ${response.status}`;
  return new Problem(
    response.status,
    title,
    typeof body.detail === "string" ? body.detail : "",
    body.errors ?? [],
  );
}

type Value = string | number | null | undefined | readonly string[];

/** A path with its query; what is empty is left out. */
export function withQuery(path: string, query: Record<string, Value>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) for (const one of value) params.append(name, one);
    else if (value !== null && value !== undefined && value !== "") params.set(name, String(value));
  }
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}
