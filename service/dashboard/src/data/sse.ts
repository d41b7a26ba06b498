/** Server-sent events from a fetch body: unlike EventSource it can send a key and resume where an earlier one ended. */

export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

/** An incremental parser: feed it text as it comes, it gives the events that are complete. */
export function sseParser(): (chunk: string) => ServerEvent[] {
  let rest = "";
  let id = "";
  let event = "";
  let data: string[] = [];
  return (chunk) => {
    const found: ServerEvent[] = [];
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) found.push({ id, event: event || "message", data: data.join("\n") });
        event = "";
        data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "id") id = value;
      else if (field === "event") event = value;
      else if (field === "data") data.push(value);
    }
    return found;
  };
}

/** Reads a stream until it ends or is aborted; `alive` is called for every chunk, pings included. */
export async function readEvents(
  body: ReadableStream<Uint8Array>,
  deliver: (event: ServerEvent) => void,
  alive: () => void,
): Promise<void> {
  const parse = sseParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    for (const event of parse(decoder.decode(value, { stream: true }))) deliver(event);
  }
}
