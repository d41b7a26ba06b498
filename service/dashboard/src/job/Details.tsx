import { modelOf } from "../model/journal/graph";
import { Link } from "../parts/Link";
import { Shown } from "../parts/Shown";
import { useJob } from "./JobContext";

const LETTERS = 400;

/** With what the job was asked for: model, parameters, budget, sampling, seed, metadata. What was left open is left out. */
export function Details() {
  const { graph } = useJob();
  const spec = graph.spec;
  if (!spec) return null;
  const trunk = graph.branches.get("0");
  const groups: [string, [string, unknown][]][] = [
    [
      "Job",
      [
        ["model", trunk && modelOf(graph, trunk)],
        ["seed", spec.seed ?? 0],
        ["priority", spec.priority ?? 5],
        ["approvals", spec.approvals?.length ? spec.approvals.join(", ") : null],
      ],
    ],
    ["Parameters", Object.entries(spec.params ?? {})],
    ["Budget", Object.entries(spec.budget ?? {})],
    ["Sampling", Object.entries(spec.sampling ?? {})],
    ["Answer's form", Object.entries(spec.answer_format ?? {})],
  ];
  return (
    <details className="job-details">
      <summary>Details: model, parameters, budget, seed, metadata</summary>
      <div className="details-groups">
        {groups.map(([name, facts]) => (
          <Facts key={name} name={name} facts={facts} />
        ))}
        <Metadata metadata={spec.metadata ?? {}} />
      </div>
    </details>
  );
}

function Facts({ name, facts }: { name: string; facts: readonly [string, unknown][] }) {
  const told = facts.filter(([, value]) => !isEmpty(value));
  if (told.length === 0) return null;
  return (
    <section>
      <h2 className="small">{name}</h2>
      <dl className="facts">
        {told.map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd className="number">
              <Shown text={written(value)} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** Each leads to the jobs that have it, too. */
function Metadata({ metadata }: { metadata: Record<string, unknown> }) {
  const facts = Object.entries(metadata);
  if (facts.length === 0) return null;
  return (
    <section>
      <h2 className="small">Metadata</h2>
      <dl className="facts">
        {facts.map(([key, value]) => (
          <div key={key}>
            <dt>
              <Shown text={key} />
            </dt>
            <dd>
              {typeof value === "object" ? (
                <Shown text={written(value)} />
              ) : (
                <Link href={`/jobs?metadata=${encodeURIComponent(`${key}=${String(value)}`)}`}>
                  <Shown text={written(value)} />
                </Link>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (Array.isArray(value) && value.length === 0);
}

function written(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > LETTERS ? `${text.slice(0, LETTERS)}…` : text;
}
