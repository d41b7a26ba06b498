/** A journal as a text to read: what was written, and between it what was decided, in the order in which it happened. */

import { type JournalEvent, secondsOf, textOf } from "../journal/events";
import type { ReasoningGraph } from "../journal/graph";
import { counted, seconds, tokens } from "../words";

export interface Entry {
  seq: number;
  at: number;
  branch: string;
  /** The node that it belongs to, where it has one. */
  node: string | null;
  tone: "text" | "fork" | "join" | "note" | "wrong" | "person" | "answer";
  title: string;
  /** Branches that the title speaks of. */
  branches: string[];
  text: string;
  /** Text that the runtime put in front of what the model wrote. */
  inserted: string;
  /** What the model thought before the text. */
  thought: string;
  thoughtTokens: number;
}

export function transcriptOf(events: readonly JournalEvent[], graph: ReasoningGraph): Entry[] {
  const entries: Entry[] = [];
  for (const event of events) {
    const last = entries.at(-1);
    if (event.kind === "BranchForked" && last?.tone === "fork" && last.branch === event.branch) {
      last.branches.push(event.payload.child);
      last.title = `forked ${counted(last.branches.length, "branch")}`;
      continue;
    }
    const told = tell(event, graph);
    if (!told) continue;
    const plain: Entry = {
      seq: event.seq,
      at: secondsOf(event),
      branch: event.branch,
      node: null,
      tone: "note",
      title: "",
      branches: [],
      text: "",
      inserted: "",
      thought: "",
      thoughtTokens: 0,
    };
    entries.push({ ...plain, ...told });
  }
  return entries;
}

function tell(event: JournalEvent, graph: ReasoningGraph): Partial<Entry> | null {
  switch (event.kind) {
    case "JobSubmitted": {
      const { messages, policy } = event.payload.spec;
      const text = messages
        .map(({ role, parts }) => (messages.length > 1 ? `${role}: ` : "") + textOf(parts))
        .join("\n\n");
      return { tone: "person", title: `asked, for ${policy}`, text, node: "start" };
    }
    case "SegmentFinished":
      return segment(event, graph);
    case "BranchForked":
      return { tone: "fork", title: "forked 1 branch", branches: [event.payload.child] };
    case "ForkRejected":
      return { tone: "wrong", title: `fork rejected: ${event.payload.reason}` };
    case "BranchesJoined": {
      const { join, joined, pending = [] } = event.payload;
      const rest = pending.length > 0 ? `, ${tokens(pending.length)} still running` : "";
      const title = `joined ${counted(joined.length, "branch")}${rest}`;
      return { tone: "join", title, branches: [...joined], node: `${event.branch}/j${join}` };
    }
    case "BranchReturned":
      return returned(event, graph);
    case "BranchFailed":
      return { tone: "wrong", title: `failed: ${event.payload.cause}`, text: event.payload.detail ?? "" };
    case "SegmentHedged": {
      const { silent = false, seconds: awaited } = event.payload;
      const why = silent ? "had written nothing" : "was slower than its siblings";
      return { title: `started once more elsewhere: after ${seconds(awaited)} it ${why}` };
    }
    case "HedgeLost":
      return { title: `the other decode of segment ${event.payload.segment} does not count` };
    case "RoomTold": {
      const { width, streams = 0 } = event.payload;
      const beside = streams > 0 ? `, beside ${counted(streams, "decode")} of all jobs` : "";
      return { title: `room for ${counted(width, "branch")} at once${beside}` };
    }
    case "BranchRetried":
      return { tone: "wrong", title: `attempt ${event.payload.attempt}, after ${event.payload.cause}` };
    case "BranchCancelled":
      return { title: `cancelled: ${event.payload.reason}` };
    default:
      return decision(event);
  }
}

function decision(event: JournalEvent): Partial<Entry> | null {
  switch (event.kind) {
    case "BranchScored": {
      const scores = Object.entries(event.payload.scores);
      const text = scores.map(([id, score]) => `${id}  ${score.toPrecision(3)}`).join("\n");
      return { title: `scored by ${event.payload.by}`, branches: scores.map(([id]) => id), text };
    }
    case "BranchesVoted": {
      const { classes, abstained = [], winner } = event.payload;
      const votes = classes.map((one) => `${one.weight} × ${one.answer}   (${one.branches.join(", ")})`);
      if (abstained.length > 0) votes.push(`abstained: ${abstained.join(", ")}`);
      return { title: winner == null ? "voted, undecided" : `voted: ${winner}`, text: votes.join("\n") };
    }
    case "BranchesPruned":
      return { title: `pruned by ${event.payload.rule}`, branches: event.payload.pruned };
    case "BranchesMerged":
      return { tone: "join", title: `merged into ${event.payload.into}`, branches: event.payload.merged };
    case "TextPosted":
      return { tone: "text", title: "posted on the board", text: event.payload.text };
    case "ApprovalRequested":
      return { tone: "person", title: `asks a person: ${event.payload.gate}`, text: event.payload.subject };
    case "ApprovalDecided": {
      const { decision: what, by, edit, reason } = event.payload;
      const text = [edit, reason].filter(Boolean).join("\n\n");
      return { tone: "person", title: `${what}${by ? ` by ${by}` : ""}`, text };
    }
    case "ActionMalformed":
      return {
        tone: "wrong",
        title: `malformed action: ${event.payload.problem}`,
        text: event.payload.span ?? "",
      };
    case "ReasonGiven":
      return { tone: "note", title: `why: ${event.payload.about}`, text: event.payload.text };
    case "BudgetExceeded":
      return { tone: "wrong", title: `budget of ${event.payload.resource} exceeded` };
    case "WindUpRequested":
      return { tone: "note", title: `asked to answer soon: ${event.payload.resource} are nearly spent` };
    case "AnswerCommitted":
      return {
        tone: "answer",
        title: "answered",
        branches: event.payload.sources ?? [],
        text: event.payload.text,
        node: "answer",
      };
    case "JobFailed":
      return { tone: "wrong", title: event.payload.title, text: event.payload.detail ?? "" };
    case "JobCancelled":
      return { tone: "wrong", title: `cancelled: ${event.payload.reason}` };
    case "JobClaimed":
      return event.payload.attempt > 1 ? { title: `claimed again, by ${event.payload.owner}` } : null;
    default:
      return null;
  }
}

function segment(event: JournalEvent & { kind: "SegmentFinished" }, graph: ReasoningGraph): Partial<Entry> {
  const id = `${event.branch}/${event.payload.segment}`;
  const node = graph.nodes.get(id);
  const { fault } = event.payload.decoded;
  const took = node?.ended ? ` in ${seconds(node.ended - node.asked)}` : "";
  const title = fault
    ? `broke off: ${fault.cause}`
    : `decoded ${node?.counted ?? ""}${counted(node?.tokens ?? 0, "token")}${took}`;
  const { text = "", inserted = "", thought = "", thoughtTokens = 0 } = node ?? {};
  return { tone: fault ? "wrong" : "text", title, text, inserted, thought, thoughtTokens, node: id };
}

/** What a branch returned, unless it is just what it wrote last. */
function returned(
  event: JournalEvent & { kind: "BranchReturned" },
  graph: ReasoningGraph,
): Partial<Entry> | null {
  const branch = graph.branches.get(event.branch);
  const last = graph.nodes.get(branch?.nodes.findLast((id) => graph.nodes.get(id)?.kind === "segment") ?? "");
  if (event.branch === "0" || last?.text === event.payload.value) return null;
  const flags = event.payload.flags ?? [];
  return { title: `returned${flags.length > 0 ? ` (${flags.join(", ")})` : ""}`, text: event.payload.value };
}
