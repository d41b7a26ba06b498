/** What made an ended job take its time, the most telling first: a person, a queue, a straggler, or nothing that stands out. */

import { type Branch, type ReasoningGraph, TRUNK } from "../journal/graph";
import { counted, median, percent, seconds, times } from "../words";
import { criticalPath, type Measure, WEIGHTS, waitedFor } from "./criticalPath";
import { durations } from "./phases";
import { amount, type Sentence } from "./sentence";

/** A straggler takes this many times its siblings' median, and this share of the critical path. */
const STRAGGLER_TIMES = 1.8;
const STRAGGLER_SHARE = 0.25;
/** A wait is told first when it takes this share of the job's time. */
const TELLING_SHARE = 0.3;
/** The trunk is told when this share of the critical path is its own. */
const TRUNK_SHARE = 0.6;
/** Less parallel than this is a chain. */
const CHAIN_RATIO = 1.15;
/** Waits shorter than this are not worth a word. */
const TELLING_SECONDS = 0.5;

/** Where the seconds went along the chain of what was waited for. */
export interface Spending {
  wall: number;
  approval: number;
  /** From the submission until an organizer claimed the job. */
  claim: number;
  /** In the pool's queue, until a replica had a place. */
  pool: number;
  work: number;
  /** The longest single wait for the pool on the chain. */
  longest: { branch: string; seconds: number } | null;
}

export function spending(graph: ReasoningGraph): Spending {
  const from = graph.submittedAt;
  const end = graph.endedAt ?? graph.lastAt;
  const spent: Spending = {
    wall: Math.max(0, end - from),
    approval: 0,
    claim: graph.startedAt === null ? 0 : graph.startedAt - from,
    pool: 0,
    work: 0,
    longest: null,
  };
  for (const { from: asked, to } of graph.approvals) spent.approval += (to ?? end) - asked;
  for (const id of waitedFor(graph)) {
    const node = graph.nodes.get(id)!;
    if (node.kind !== "segment" && node.kind !== "tool") continue;
    const { queue, prefill, decode } = durations(node, end);
    spent.pool += queue;
    spent.work += prefill + decode;
    if (queue > (spent.longest?.seconds ?? 0)) spent.longest = { branch: node.branch, seconds: queue };
  }
  return spent;
}

export interface Straggler {
  branch: Branch;
  /** What of the critical path is its, and the path's weight. */
  share: number;
  path: number;
  /** Its share over the median of its siblings' work. */
  ratio: number;
}

/** The branch that makes up most of the critical path, if it stands out among its siblings. */
export function straggler(graph: ReasoningGraph, measure: Measure = "seconds"): Straggler | null {
  const weight = WEIGHTS[measure];
  const path = criticalPath(graph, weight);
  const shares = new Map<string, number>();
  for (const id of path.nodes) {
    const node = graph.nodes.get(id)!;
    if (weight(node) > 0) shares.set(node.branch, (shares.get(node.branch) ?? 0) + weight(node));
  }
  const work = (branch: Branch): number =>
    branch.nodes.reduce((sum, id) => sum + weight(graph.nodes.get(id)!), 0);
  let found: Straggler | null = null;
  for (const [id, share] of shares) {
    const branch = graph.branches.get(id)!;
    if (share < STRAGGLER_SHARE * path.weight || share <= (found?.share ?? 0)) continue;
    const usual = median(siblingsOf(graph, branch).map(work));
    const ratio = usual > 0 ? share / usual : 0;
    if (ratio >= STRAGGLER_TIMES) found = { branch, share, path: path.weight, ratio };
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

export function causes(graph: ReasoningGraph, measure: Measure): Sentence[] {
  const spent = spending(graph);
  const slow = straggler(graph, measure);
  const told: { share: number; sentence: Sentence }[] = [];
  if (spent.approval > TELLING_SHARE * spent.wall)
    told.push({ share: 2 + spent.approval / spent.wall, sentence: approvalSentence(spent) });
  const waited = spent.claim + spent.pool;
  const isQueued = waited > TELLING_SECONDS && waited > TELLING_SHARE * (spent.wall - spent.approval);
  if (isQueued && (slow === null || slow.branch.id !== spent.longest?.branch))
    told.push({ share: 1 + waited / spent.wall, sentence: waitSentence(spent) });
  if (slow)
    told.push({
      share: slow.share / slow.path,
      sentence: stragglerSentence(graph, slow, measure, told.length === 0),
    });
  if (told.length === 0 && criticalPath(graph, WEIGHTS[measure]).weight > 0)
    told.push({ share: 0, sentence: balanced(graph, measure) });
  return told.sort((a, b) => b.share - a.share).map((one) => one.sentence);
}

function approvalSentence(spent: Spending): Sentence {
  return [
    `Waiting for a person took ${seconds(spent.approval)}, ${percent(spent.approval / spent.wall)} of the job’s time; ` +
      `the rest took ${seconds(spent.wall - spent.approval)}.`,
  ];
}

function stragglerSentence(
  graph: ReasoningGraph,
  slow: Straggler,
  measure: Measure,
  isFirst: boolean,
): Sentence {
  const queue = slow.branch.nodes.reduce(
    (sum, id) => sum + durations(graph.nodes.get(id)!, graph.lastAt).queue,
    0,
  );
  const work =
    measure === "seconds"
      ? `${seconds(slow.share)} of the ${seconds(slow.path)} of work on the critical path are its`
      : `it decoded ${amount(slow.share, measure)} of the ${amount(slow.path, measure)} on the critical path`;
  return [
    "Branch ",
    { branch: slow.branch.id },
    ` ${isFirst ? "made this job slow" : "is the longest"}: ${work}, ${times(slow.ratio)} its siblings’ median` +
      (queue >= TELLING_SECONDS ? `; it waited ${seconds(queue)} in the pool’s queue.` : "."),
  ];
}

function waitSentence(spent: Spending): Sentence {
  const share = (wait: number): string => percent(wait / Math.max(spent.wall, 1e-9));
  if (spent.longest === null || spent.claim > spent.pool)
    return [
      `The job waited ${seconds(spent.claim)} to be claimed by an organizer, ${share(spent.claim)} of its time.`,
    ];
  return [
    `The pool was busy: ${seconds(spent.pool)} of the way to the answer, ${share(spent.pool)} of the job’s time, went by in its queue. Branch `,
    { branch: spent.longest.branch },
    ` waited longest, ${seconds(spent.longest.seconds)}.`,
  ];
}

function balanced(graph: ReasoningGraph, measure: Measure): Sentence {
  const weight = WEIGHTS[measure];
  const path = criticalPath(graph, weight);
  const whole = amount(path.weight, measure);
  let all = 0;
  for (const node of graph.nodes.values()) all += weight(node);
  const children = graph.branches.size - 1;
  const did = measure === "seconds" ? `${seconds(all)} of work` : amount(all, measure);
  if (children === 0) return [`Nothing forked: ${did}, all one after another.`];
  const trunk = path.nodes.reduce((sum, id) => {
    const node = graph.nodes.get(id)!;
    return sum + (node.branch === TRUNK ? weight(node) : 0);
  }, 0);
  if (trunk > TRUNK_SHARE * path.weight)
    return [
      `Most of the critical path is the trunk’s own: ${amount(trunk, measure)} of its ${whole}, ` +
        `so that ${counted(children, "branch")} beside it saved little.`,
    ];
  const ratio = all / Math.max(path.weight, 1e-9);
  if (ratio < CHAIN_RATIO) return [`Hardly anything ran side by side: of ${did}, ${whole} form one chain.`];
  return [
    `No branch stands out. ${counted(children, "branch")} and the trunk did ${did}, ` +
      `and the longest chain of it is ${whole} (${times(ratio)} parallel).`,
  ];
}
