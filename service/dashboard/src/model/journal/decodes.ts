/** What a decode has brought, on the node that stands for it: of the one that counts, and of one that was hedged and lost. */

import type { Payloads } from "./events";
import type { GraphNode } from "./graph";
import { workSeconds } from "./growth";

export function endDecode(
  node: GraphNode,
  decoded: Payloads["SegmentFinished"]["decoded"],
  at: number,
): void {
  node.tokens = decoded.usage?.completion_tokens ?? 0;
  node.counted = decoded.usage_at_least ? "at least " : decoded.usage_estimated ? "about " : "";
  node.promptTokens = decoded.usage?.prompt_tokens ?? 0;
  node.cachedTokens = decoded.usage?.cached_tokens ?? 0;
  node.timing = decoded.timing ?? {};
  node.ended = decoded.timing?.finished || at;
  node.finish = decoded.finish;
  node.fault = decoded.fault ? [decoded.fault.cause, decoded.fault.detail].filter(Boolean).join(": ") : "";
  node.replica = decoded.replica ?? "";
  node.engine = decoded.engine ?? "";
  node.text = decoded.text;
  node.thought = decoded.thought ?? "";
  node.thoughtTokens = decoded.usage?.reasoning_tokens ?? 0;
  node.calls = decoded.calls ?? [];
  node.cost = decoded.cost ?? 0;
  node.model = decoded.served?.model || node.model;
  node.recalledFrom = decoded.recalled_from ?? "";
  node.status = decoded.finish === "error" ? "failed" : decoded.finish === "abort" ? "aborted" : "finished";
  node.seconds = workSeconds(node.asked, node.ended, node.timing);
}
