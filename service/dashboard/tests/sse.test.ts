import { describe, expect, it } from "vitest";
import { sseParser } from "../src/data/sse";

describe("server-sent events", () => {
  const text =
    'id: 7\nevent: record\ndata: {"a":1}\n\n: ping\n\nevent: load\ndata: one\ndata: two\n\nid: 8\ndata: x\n\n';
  const events = [
    { id: "7", event: "record", data: '{"a":1}' },
    { id: "7", event: "load", data: "one\ntwo" },
    { id: "8", event: "message", data: "x" },
  ];

  it("are parsed with their id, event and lines of data; pings are nothing", () => {
    expect(sseParser()(text)).toEqual(events);
  });

  it("are the same however the text is cut into chunks", () => {
    for (let size = 1; size < 12; size++) {
      const parse = sseParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parse(text.slice(at, at + size)));
      expect(found).toEqual(events);
    }
  });

  it("may end their lines with carriage returns", () => {
    const parse = sseParser();
    const crlf = text.replaceAll("\n", "\r\n");
    expect([...crlf].flatMap((letter) => parse(letter))).toEqual(events);
  });
});
