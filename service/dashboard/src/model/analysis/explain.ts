/**
 * Why a job took the time it took, in words. A sentence is a list of parts; a part that names a branch can be clicked.
 * The first sentence names the one thing to look at; the others qualify it.
 */

import { type Branch, isOver, type ReasoningGraph, TRUNK } from "../journal/graph";
import { counted, median, percent, seconds, times, tokens } from "../words";
import { criticalPath, waitedFor } from "./criticalPath";
import { durations, startOf } from "./phases";

export type Part = string | { branch: string };
export type Sentence = Part[];

/** A straggler decodes this many times its siblings' median, and this share of the critical path. */
const STRAGGLER_TIMES = 1.8;
const STRAGGLER_SHARE = 0.25;
/** A wait is told first when it takes this share of the job's time. */
const TELLING_SHARE = 0.3;
/** The trunk is told when it decodes this share of the critical path itself. */
const TRUNK_SHARE = 0.6;
/** Less parallel than this is a chain. */
const CHAIN_RATIO = 1.15;
/** Queue waits shorter than this are not worth a word. */
const TELLING_SECONDS = 0.5;

/** Where the seconds went along the chain of what was waited for. */
export interface Spending {
  wall: number;
  approval: number;
  queue: number;
  work: number;
  /** The longest single queue wait on the chain. */
  longestQueue: { branch: string; seconds: number } | null;
}

export function spending(graph: ReasoningGraph): Spending {
  const from = graph.submittedAt;
  const end = graph.endedAt ?? graph.lastAt;
  const spent: Spending = {
    wall: Math.max(0, end - from),
    approval: 0,
    queue: 0,
    work: 0,
    longestQueue: null,
  };
  for (const { from: asked, to } of graph.approvals) spent.approval += (to ?? end) - asked;
  if (graph.startedAt !== null) spent.queue += graph.startedAt - from;
  for (const id of waitedFor(graph)) {
    const node = graph.nodes.get(id)!;
    if (node.kind !== "segment" && node.kind !== "tool") continue;
    const { queue, prefill, decode } = durations(node, end);
    spent.queue += queue;
    spent.work += prefill + decode;
    if (queue > (spent.longestQueue?.seconds ?? 0))
      spent.longestQueue = { branch: node.branch, seconds: queue };
  }
  return spent;
}

export interface Straggler {
  branch: Branch;
  /** Its tokens on the critical path, and the path's. */
  tokens: number;
  path: number;
  /** Its tokens over the median of its siblings'; 0 without siblings. */
  ratio: number;
}

/** The branch that makes up most of the critical path, if it stands out among its siblings. */
export function straggler(graph: ReasoningGraph): Straggler | null {
  const path = criticalPath(graph);
  const share = new Map<string, number>();
  for (const id of path.nodes) {
    const node = graph.nodes.get(id)!;
    if (node.tokens > 0) share.set(node.branch, (share.get(node.branch) ?? 0) + node.tokens);
  }
  let found: Straggler | null = null;
  for (const [id, count] of share) {
    const branch = graph.branches.get(id)!;
    const siblings = siblingsOf(graph, branch).map((one) => one.tokens);
    if (siblings.length === 0 || count < STRAGGLER_SHARE * path.weight) continue;
    const usual = median(siblings);
    const ratio = usual > 0 ? count / usual : 0;
    if (ratio >= STRAGGLER_TIMES && count > (found?.tokens ?? 0)) {
      found = { branch, tokens: count, path: path.weight, ratio };
    }
  }
  return found;
}

function siblingsOf(graph: ReasoningGraph, branch: Branch): Branch[] {
  const parent = branch.parent === null ? undefined : graph.branches.get(branch.parent);
  const siblings = (parent?.children ?? []).map((id) => graph.branches.get(id)!);
  return siblings.filter(
    (one) =>
      one.id !== branch.id && one.entry[0] === branch.entry[0] && one.tokens > 0 && one.status !== "failed",
  );
}

export function explain(graph: ReasoningGraph): Sentence[] {
  if (graph.status === "queued") return [["Waiting for an organizer to claim it."]];
  const waiting = graph.approvals.find((approval) => approval.to === null);
  const sentences: Sentence[] = [];
  if (graph.status === "failed" && graph.error)
    sentences.push([`The job failed: ${lower(graph.error.title)}.`]);
  if (graph.status === "cancelled") sentences.push([`Cancelled: ${graph.error?.detail ?? "by request"}.`]);
  if (waiting && !isOver(graph.status)) {
    sentences.push([`Waiting for a person to decide on the ${waiting.gate}. ${meanwhile(graph)}`]);
  }
  if (!isOver(graph.status) && !waiting) sentences.push(progress(graph));
  if (isOver(graph.status)) sentences.push(...causes(graph));
  sentences.push(...troubles(graph));
  return sentences;
}

function meanwhile(graph: ReasoningGraph): string {
  const decoding = [...graph.branches.values()].filter((branch) => branch.openSegments > 0).length;
  return decoding === 0
    ? "Nothing is being decoded meanwhile."
    : `Meanwhile ${counted(decoding, "branch")} ${decoding === 1 ? "is" : "are"} being decoded.`;
}

function progress(graph: ReasoningGraph): Sentence {
  const children = [...graph.branches.values()].filter((branch) => branch.parent !== null);
  const live = children.filter((branch) => branch.endedAt === null);
  if (children.length === 0) return ["Running: the trunk is decoding, nothing has forked yet."];
  if (live.length === 0)
    return [`Running: all ${counted(children.length, "branch")} have ended, the trunk goes on.`];
  const slowest = live.reduce((a, b) => (startedAt(graph, a) <= startedAt(graph, b) ? a : b));
  return [
    `Running: ${tokens(children.length - live.length)} of ${counted(children.length, "branch")} ${children.length === 1 ? "has" : "have"} ended; `,
    { branch: slowest.id },
    " has been at work the longest.",
  ];
}

function startedAt(graph: ReasoningGraph, branch: Branch): number {
  const first = graph.nodes.get(branch.nodes[0] ?? "");
  return first ? startOf(first) : Number.POSITIVE_INFINITY;
}

/** What took the time, the most telling first. */
function causes(graph: ReasoningGraph): Sentence[] {
  const spent = spending(graph);
  const slow = straggler(graph);
  const told: { share: number; sentence: Sentence }[] = [];
  if (spent.approval > TELLING_SHARE * spent.wall) {
    told.push({ share: 2 + spent.approval / spent.wall, sentence: approvalSentence(spent) });
  }
  const queueTold = slow !== null && slow.branch.id === spent.longestQueue?.branch;
  const isQueued =
    spent.queue > TELLING_SECONDS && spent.queue > TELLING_SHARE * (spent.wall - spent.approval);
  if (isQueued && !queueTold)
    told.push({ share: 1 + spent.queue / spent.wall, sentence: queueSentence(graph, spent) });
  if (slow)
    told.push({
      share: slow.tokens / slow.path,
      sentence: stragglerSentence(graph, slow, told.length === 0),
    });
  if (told.length === 0 && slow === null && criticalPath(graph).weight > 0)
    told.push({ share: 0, sentence: balanced(graph) });
  return told.sort((a, b) => b.share - a.share).map((one) => one.sentence);
}

function approvalSentence(spent: Spending): Sentence {
  return [
    `Waiting for a person took ${seconds(spent.approval)}, ${percent(spent.approval / spent.wall)} of the job’s time; ` +
      `the rest took ${seconds(spent.wall - spent.approval)}.`,
  ];
}

function stragglerSentence(graph: ReasoningGraph, slow: Straggler, isFirst: boolean): Sentence {
  const queue = slow.branch.nodes.reduce(
    (sum, id) => sum + durations(graph.nodes.get(id)!, graph.lastAt).queue,
    0,
  );
  return [
    "Branch ",
    { branch: slow.branch.id },
    ` ${isFirst ? "made this job slow" : "is the longest"}: it decoded ${tokens(slow.tokens)} of the ${tokens(slow.path)} tokens on the critical path, ` +
      `${times(slow.ratio)} its siblings’ median` +
      (queue >= TELLING_SECONDS ? `; it waited ${seconds(queue)} in the queue.` : "."),
  ];
}

function queueSentence(graph: ReasoningGraph, spent: Spending): Sentence {
  const share = percent(spent.queue / Math.max(spent.wall, 1e-9));
  const unclaimed = (graph.startedAt ?? graph.submittedAt) - graph.submittedAt;
  if (spent.longestQueue === null || unclaimed > spent.longestQueue.seconds) {
    return [`The job waited ${seconds(unclaimed)} to be claimed; queues took ${share} of its time.`];
  }
  return [
    `The pool was busy: ${seconds(spent.queue)} of the way to the answer, ${share} of the job’s time, went by in queues. Branch `,
    { branch: spent.longestQueue.branch },
    ` waited longest, ${seconds(spent.longestQueue.seconds)}.`,
  ];
}

function balanced(graph: ReasoningGraph): Sentence {
  const path = criticalPath(graph);
  const all = [...graph.branches.values()].reduce((sum, branch) => sum + branch.tokens, 0);
  const children = graph.branches.size - 1;
  if (children === 0)
    return [`Nothing forked: all ${counted(path.weight, "token")} were decoded one after another.`];
  const trunk = path.nodes.reduce(
    (sum, id) => sum + (graph.nodes.get(id)!.branch === TRUNK ? graph.nodes.get(id)!.tokens : 0),
    0,
  );
  if (trunk > TRUNK_SHARE * path.weight) {
    return [
      `Most of the critical path is the trunk’s own: it decoded ${tokens(trunk)} of the ${tokens(path.weight)} tokens, ` +
        `so that ${counted(children, "branch")} beside it saved little.`,
    ];
  }
  const ratio = all / Math.max(path.weight, 1);
  if (ratio < CHAIN_RATIO) {
    return [
      `Hardly anything ran side by side: ${tokens(path.weight)} of the ${counted(all, "token")} form one chain.`,
    ];
  }
  return [
    `No branch stands out. ${counted(children, "branch")} and the trunk decoded ${counted(all, "token")}, ` +
      `and the longest chain of them is ${tokens(path.weight)} (${times(ratio)} parallel).`,
  ];
}

function troubles(graph: ReasoningGraph): Sentence[] {
  const sentences: Sentence[] = [];
  const retried = [...graph.branches.values()].filter((branch) => branch.attempts > 1);
  if (retried.length > 0) sentences.push(named("Retried", retried));
  const failed = [...graph.branches.values()].filter(
    (branch) => branch.status === "failed" && branch.parent !== null,
  );
  if (failed.length > 0) sentences.push(named("Failed", failed));
  if (graph.claims > 1) {
    sentences.push([
      `The organizer was lost ${graph.claims === 2 ? "once" : `${graph.claims - 1} times`}; the journal carried on.`,
    ]);
  }
  for (const { resource, limit, spent } of graph.windUps.slice(0, 1))
    sentences.push([
      `Asked to answer soon: ${Math.round(spent)} of its ${Math.round(limit)} ${resource} were spent.`,
    ]);
  if (graph.exceeded.length > 0)
    sentences.push([`A budget ran out: ${[...new Set(graph.exceeded)].join(", ")}.`]);
  if (graph.answer?.forced) sentences.push(["The answer was given early, from what there was."]);
  if (graph.answer?.truncated) sentences.push(["A limit of tokens cut the answer's text."]);
  return sentences;
}

function named(verb: string, branches: Branch[]): Sentence {
  const shown = branches
    .slice(0, 3)
    .flatMap((branch, i): Part[] => (i === 0 ? [{ branch: branch.id }] : [", ", { branch: branch.id }]));
  const more = branches.length > 3 ? [` and ${branches.length - 3} more`] : [];
  return [`${verb}: `, ...shown, ...more, "."];
}

function lower(title: string): string {
  return title.charAt(0).toLowerCase() + title.slice(1).replace(/\.$/, "");
}

export function plain(sentence: Sentence): string {
  return sentence.map((part) => (typeof part === "string" ? part : part.branch)).join("");
}
