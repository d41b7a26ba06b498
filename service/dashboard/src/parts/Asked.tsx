/** What stands behind a gate: the plan, the branches that would start with their prompts, and what is left to spend. */

import type { ApprovalDetail } from "../data/types";
import { readPlan } from "../model/plan";
import { shown } from "../model/text/unseen";
import { money, seconds, tokens } from "../model/words";
import { LongText, Prose } from "./LongText";
import { PlanView } from "./PlanView";

export function Asked({
  subject,
  gate,
  detail,
}: {
  subject: string;
  gate: string;
  detail: ApprovalDetail | null;
}) {
  const plan = gate === "plan" ? readPlan(subject) : null;
  return (
    <div className="subject">
      {plan ? (
        <PlanView plan={plan} />
      ) : detail?.children ? (
        <Children wanted={detail.children} />
      ) : (
        <Prose text={subject} first={1500} />
      )}
      {detail && detail.left.length > 0 && <Left left={detail.left} />}
    </div>
  );
}

type Child = NonNullable<ApprovalDetail["children"]>[number];

/** Branches that would be sent the same are told once. */
function Children({ wanted }: { wanted: readonly Child[] }) {
  const same = new Map<string, { child: Child; count: number }>();
  for (const child of wanted) {
    const key = JSON.stringify(child);
    const known = same.get(key);
    if (known) known.count += 1;
    else same.set(key, { child, count: 1 });
  }
  return (
    <ul className="asked-children">
      {[...same].map(([key, { child, count }]) => (
        <li key={key}>
          <p>
            {count > 1 && <strong className="number">{count} × </strong>}
            <strong>{shown(child.role)}</strong>
            {child.label && child.label !== child.role && `: ${shown(child.label)}`}{" "}
            <span className="faint small">{limitsOf(child).join(" · ")}</span>
          </p>
          {child.messages.map(({ role, content }, i) => (
            <div className="message" key={i}>
              <h4>{role}</h4>
              <LongText text={content} first={800} />
            </div>
          ))}
          {child.opening && (
            <div className="message">
              <h4>its turn begins</h4>
              <LongText text={child.opening} first={400} />
            </div>
          )}
        </li>
      ))}
    </ul>
  );
}

const READS: Record<string, string> = {
  nothing: "reads only what is below",
  problem: "reads the question",
  parent: "reads all that its parent has",
};

function limitsOf(child: Child): string[] {
  return [
    READS[child.reads] ?? "",
    child.policy ? `policy ${child.policy}` : "",
    child.tool ? `tool ${child.tool}` : "",
    child.model ? `model ${child.model}` : "",
    child.max_tokens === null ? "" : `at most ${tokens(child.max_tokens)} tokens`,
    child.after.length > 0 ? `after ${child.after.join(", ")}` : "",
  ].filter(Boolean);
}

function Left({ left }: { left: ApprovalDetail["left"] }) {
  const told = (resource: string, value: number): string =>
    resource === "seconds" ? seconds(value) : resource === "cost" ? money(value) : tokens(Math.round(value));
  return (
    <dl className="facts budget-left">
      {left.map(({ resource, limit, spent }) => (
        <div key={resource}>
          <dt>{resource} left</dt>
          <dd className="number">
            {told(resource, Math.max(0, limit - spent))}{" "}
            <span className="faint">of {told(resource, limit)}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}
