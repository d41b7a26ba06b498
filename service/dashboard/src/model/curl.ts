/** A branch's decode as a curl command against the OpenAI surface of this service. */

export interface Decode {
  origin: string;
  messages: readonly { role: string; content: string }[];
  /** How the assistant's turn begins. */
  continuation: string;
  model: string;
  seed: number;
  temperature: number | null;
  maxTokens: number;
}

export function curlOf(decode: Decode): string {
  const messages = decode.continuation
    ? [...decode.messages, { role: "assistant", content: decode.continuation }]
    : decode.messages;
  const body: Record<string, unknown> = { model: decode.model, messages, seed: decode.seed };
  if (decode.temperature !== null) body.temperature = decode.temperature;
  if (decode.maxTokens > 0) body.max_tokens = decode.maxTokens;
  return [
    `curl ${quoted(`${decode.origin}/v1/chat/completions`)}`,
    `-H ${quoted("Content-Type: application/json")}`,
    `-d ${quoted(JSON.stringify(body, null, 1))}`,
  ].join(" \\\n  ");
}

/** One word for a POSIX shell, whatever a model wrote into it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
