import { useState } from "react";
import { withQuery } from "../../data/api";
import type { BranchDetail } from "../../data/types";
import { useDraft, useFetched, usePoolsAway } from "../../live";
import { durations, isWork, PHASES } from "../../model/analysis/phases";
import { curlOf } from "../../model/curl";
import { type Branch, type GraphNode, modelOf, severalModels } from "../../model/journal/graph";
import { shown } from "../../model/text/unseen";
import { money, seconds, tokens } from "../../model/words";
import { BranchLink } from "../../parts/BranchLink";
import { CopyButton } from "../../parts/CopyButton";
import { ProblemNote, Status } from "../../parts/small";
import { useJob } from "../JobContext";
import { selectNode } from "../view";
import { ContextView } from "./ContextView";
import { Output } from "./Output";
import { ReRun } from "./ReRun";

/** One branch: what it was sent, what it wrote, what that took, and who used it. */
export function BranchPanel({ branch, node }: { branch: Branch; node: GraphNode | null }) {
  const { id, graph, view } = useJob();
  const [rerunning, setRerunning] = useState(false);
  const segments = branch.nodes.map((one) => graph.nodes.get(one)!).filter(isWork);
  const current = node && isWork(node) ? node : segments.at(-1);
  const path = withQuery(`/v1/jobs/${id}/branches/${branch.id}`, { segment: current?.ordinal });
  const away = usePoolsAway();
  const detail = useFetched<BranchDetail>(path, `${segments.length} ${branch.status} ${away}`);
  const output = segments
    .filter((one) => one.status !== "failed")
    .map((one) => one.text)
    .join("");
  const curl = (): string =>
    curlOf({
      origin: window.location.origin,
      messages: detail.value?.context?.messages ?? [],
      continuation: detail.value?.context?.continuation ?? "",
      model: "anabranch/sequential",
      seed: current?.sampling.seed ?? 0,
      temperature: current?.sampling.temperature ?? graph.spec?.sampling?.temperature ?? null,
      maxTokens: current?.sampling.maxTokens ?? 0,
    });
  return (
    <div className="stack">
      <header>
        <h2 className="row">
          <code>{branch.id}</code> <Status of={branch.status} />
        </h2>
        <p className="quiet">
          {shown([branch.role, branch.label].filter(Boolean).join(": "))}
          {branch.policy && branch.parent !== null && ` · policy ${branch.policy}`}
          {branch.tool && ` · tool ${branch.tool}`}
        </p>
        {branch.cause && <p className="wrong text">{shown(branch.cause)}</p>}
        {branch.endedAt === null && detail.value?.waiting_for && (
          <p className="text">{detail.value.waiting_for}</p>
        )}
      </header>
      <Relations branch={branch} />
      {segments.length > 0 && <Segments segments={segments} selected={node?.id ?? null} />}
      {current && <Measures branch={branch} node={current} />}
      <div className="row">
        {detail.value?.context && <CopyButton text={curl} label="Copy as curl" />}
        {output && <CopyButton text={() => output} label="Copy output" />}
        {branch.parent !== null && branch.endedAt !== null && (
          <button type="button" className="button small-button" onClick={() => setRerunning(true)}>
            Edit and re-run from here
          </button>
        )}
      </div>
      <Output branch={branch} segments={segments} selected={node?.id ?? null} />
      {detail.problem && <ProblemNote problem={detail.problem} retry={detail.again} />}
      {detail.value?.context && current && (
        <ContextView context={detail.value.context} branch={branch} segment={current} find={view.find} />
      )}
      {rerunning && (
        <ReRun branch={branch} output={branch.value || output} close={() => setRerunning(false)} />
      )}
    </div>
  );
}

function Relations({ branch }: { branch: Branch }) {
  const { graph } = useJob();
  const vote = graph.votes.at(-1)?.classes.find((one) => one.branches.includes(branch.id));
  const isSource = graph.answer?.sources.includes(branch.id) ?? false;
  return (
    <dl className="facts">
      {branch.parent !== null && (
        <div>
          <dt>Forked by</dt>
          <dd>
            <BranchLink branch={branch.parent} node={branch.entry[0]} />
          </dd>
        </div>
      )}
      {branch.after.length > 0 && (
        <div>
          <dt>{branch.role === "merge" ? "Merges" : "After"}</dt>
          <dd className="row">
            {branch.after.map((id) => (
              <BranchLink key={id} branch={id} node={graph.branches.get(id)?.nodes.at(-1)} />
            ))}
          </dd>
        </div>
      )}
      {branch.parent !== null && (
        <div>
          <dt>Used by</dt>
          <dd className="row">
            {branch.consumers.map((id) => (
              <BranchLink key={id} branch={id} node={id} />
            ))}
            {branch.mergedInto && <BranchLink branch={branch.mergedInto} />}
            {isSource && <BranchLink branch="answer" node="answer" />}
            {branch.consumers.length === 0 && !isSource && !branch.mergedInto && (
              <span className="faint">nobody{branch.endedAt === null ? " yet" : ""}</span>
            )}
          </dd>
        </div>
      )}
      {branch.pruned && (
        <div>
          <dt>Pruned by</dt>
          <dd>{branch.pruned}</dd>
        </div>
      )}
      {vote && (
        <div>
          <dt>Voted for</dt>
          <dd>
            {shown(vote.answer.slice(0, 80))} <span className="faint">({vote.weight} in all)</span>
          </dd>
        </div>
      )}
      {graph.votes.at(-1)?.abstained.includes(branch.id) && (
        <div>
          <dt>Voted for</dt>
          <dd className="faint">nothing: no answer was found in it</dd>
        </div>
      )}
      {branch.scores.map(({ by, score, detail }, i) => (
        <div key={i}>
          <dt>Score, {by}</dt>
          <dd className="number" title={detail}>
            {score.toPrecision(3)}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Segments({ segments, selected }: { segments: GraphNode[]; selected: string | null }) {
  const { graph, now } = useJob();
  const several = severalModels(graph);
  const longest = Math.max(...segments.map((one) => (one.ended ?? now) - one.ready), 1e-6);
  return (
    <ul className="segments" aria-label="Segments">
      {segments.map((one) => {
        const spent = durations(one, now);
        return (
          <li key={one.id}>
            <button type="button" aria-pressed={one.id === selected} onClick={() => selectNode(one.id)}>
              <code>{one.id}</code>
              <span className="phases" aria-hidden="true">
                {PHASES.map((phase) => (
                  <i key={phase} className={phase} style={{ width: `${(100 * spent[phase]) / longest}%` }} />
                ))}
              </span>
              <span className="number">
                {one.attempt > 1 && <span className="wrong">attempt {one.attempt} · </span>}
                {one.fault ? <span className="wrong">{shown(one.fault)}</span> : <Decoded node={one} />}
                {several && one.model && <span className="faint"> · {shown(one.model)}</span>}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

/** Its tokens; while it decodes, those that are known of. */
function Decoded({ node }: { node: GraphNode }) {
  const { feed } = useJob();
  const draft = useDraft(feed.drafts, node.branch, node.ordinal);
  return <>{tokens(node.ended === null ? (draft?.tokens ?? 0) : node.tokens)} tok</>;
}

function Measures({ branch, node }: { branch: Branch; node: GraphNode }) {
  const { feed, graph, now } = useJob();
  const draft = useDraft(feed.drafts, node.branch, node.ordinal);
  const spent = durations(node, now);
  const isOpen = node.ended === null;
  const decoded = isOpen ? (draft?.tokens ?? 0) : node.tokens;
  const thought = isOpen ? (draft?.thoughtTokens ?? 0) : node.thoughtTokens;
  const cached = node.promptTokens > 0 ? Math.round((100 * node.cachedTokens) / node.promptTokens) : 0;
  const facts: [string, string][] = [
    ["Prompt", isOpen ? "–" : `${tokens(node.promptTokens)} tok`],
    ["Cached", isOpen ? "–" : `${tokens(node.cachedTokens)} tok (${cached}%)`],
    ["Decoded", `${node.counted}${tokens(decoded)} tok`],
    ["Pool queue", seconds(spent.queue)],
    ["Prefill", seconds(spent.prefill)],
    ["Decode", seconds(spent.decode)],
    ["Speed", spent.decode > 0 ? `${(decoded / spent.decode).toFixed(0)} tok/s` : "–"],
    ["Finish", node.finish || node.status],
    ["Attempts", String(branch.attempts)],
    ["Seed", String(node.sampling.seed)],
    ["Temperature", node.sampling.temperature === null ? "default" : String(node.sampling.temperature)],
    ["Max tokens", node.sampling.maxTokens > 0 ? tokens(node.sampling.maxTokens) : "default"],
  ];
  if (isOpen)
    facts.splice(3, 0, [
      "Last token",
      draft ? `${seconds(Math.max(0, now - draft.heardAt))} ago` : "none yet",
    ]);
  if (thought > 0) facts.splice(3, 0, ["Thought", `${tokens(thought)} tok`]);
  facts.push(["Model", modelOf(graph, branch, node)]);
  if (node.cost > 0 || branch.cost > 0)
    facts.push(["Cost", money(node.cost)], ["Cost of the branch", money(branch.cost)]);
  if (node.recalledFrom) facts.push(["Taken from", node.recalledFrom]);
  if (node.replica) facts.push(["Replica", node.replica]);
  if (node.engine) facts.push(["Engine", node.engine]);
  if (node.sampling.structured) facts.push(["Form", "structured"]);
  return (
    <dl className="facts measures">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="number">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
