/** Panels of the points: start, join, answer. */

import { contributions } from "../../model/analysis/join";
import { textOf } from "../../model/journal/events";
import type { GraphNode } from "../../model/journal/graph";
import { shown } from "../../model/text/unseen";
import { counted, percent, seconds, tokens } from "../../model/words";
import { BranchLink } from "../../parts/BranchLink";
import { Calls } from "../../parts/Calls";
import { LongText, Prose } from "../../parts/LongText";
import { Status } from "../../parts/small";
import { Citations } from "../Citations";
import { useJob } from "../JobContext";
import { Sources } from "../Sources";
import { Tally } from "../Tally";

export function StartPanel() {
  const { graph } = useJob();
  const spec = graph.spec;
  if (!spec) return null;
  const facts: [string, string][] = [
    ["Policy", spec.policy],
    ["Seed", String(spec.seed ?? 0)],
    ["Priority", String(spec.priority ?? 5)],
  ];
  for (const group of [spec.params, spec.budget, spec.sampling]) {
    for (const [name, value] of Object.entries(group ?? {})) {
      if (value !== null && value !== undefined)
        facts.push([name, typeof value === "string" ? value : JSON.stringify(value)]);
    }
  }
  return (
    <div className="stack">
      <h2>Start</h2>
      {spec.messages.map(({ role, parts }, i) => (
        <section key={i}>
          <h3>{role}</h3>
          <LongText text={textOf(parts)} />
        </section>
      ))}
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="number">{shown(value)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

export function JoinPanel({ node }: { node: GraphNode }) {
  const { graph, now, view } = useJob();
  const join = node.join!;
  const given = contributions(graph, node);
  const all = given.reduce((sum, one) => sum + (one.late ? 0 : one.text.length), 0);
  return (
    <div className="stack">
      <div>
        <h2>
          Join {node.ordinal} of <BranchLink branch={node.branch} node={node.id} />
        </h2>
        <p className="quiet">
          {join.mode === "all"
            ? "Waits for all"
            : `Waits for ${join.mode}${join.count > 1 ? ` (${join.count})` : ""}`}{" "}
          of {counted(join.targets.length, "branch")}. Blocked for {seconds((node.ended ?? now) - node.asked)}
          .
        </p>
      </div>
      <ul className="contributions">
        {given.map(({ branch, text, cut, late }) => (
          <li key={branch.id}>
            <div className="row spread">
              <span className="row">
                <BranchLink branch={branch.id} node={branch.nodes.at(-1)} />
                <span className="quiet">{shown(branch.label || branch.role)}</span>
              </span>
              <Status of={branch.status} label={late ? "not joined here" : branch.status} />
            </div>
            {!late && (
              <>
                <div className="share" aria-hidden="true">
                  <i style={{ width: percent(text.length / Math.max(1, all)) }} />
                </div>
                <p className="faint small number">
                  {counted(text.length, "character")}, {percent(text.length / Math.max(1, all))} of what was
                  joined, from {tokens(branch.tokens)} decoded tokens
                  {cut > 0 && <strong className="wrong">; {tokens(cut)} characters were cut</strong>}
                </p>
                <Prose text={text} first={600} find={view.find} />
              </>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

export function AnswerPanel() {
  const { graph } = useJob();
  if (!graph.answer) return null;
  return (
    <div className="stack">
      <h2>Answer</h2>
      <Prose text={graph.answer.text} />
      <Calls calls={graph.answer.calls} />
      <Citations />
      <Sources />
      {graph.votes.map((vote, i) => (
        <Tally key={i} vote={vote} />
      ))}
    </div>
  );
}
