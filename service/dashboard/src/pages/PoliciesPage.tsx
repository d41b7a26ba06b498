import { useEffect } from "react";
import type { Page, PolicyInfo } from "../data/types";
import { useFetched } from "../live";
import { fieldsOf } from "../model/params";
import { Link } from "../parts/Link";
import { Empty, ProblemNote } from "../parts/small";

/** What each policy does, what it takes, and the way to try it. */
export default function PoliciesPage({ named }: { named: string }) {
  const { value, problem, again } = useFetched<Page<PolicyInfo>>("/v1/policies");
  useEffect(() => {
    if (named && value) document.getElementById(named)?.scrollIntoView();
  }, [named, value]);
  return (
    <div className="stack">
      <h1>Policies</h1>
      <p className="quiet lead">
        A policy decides when a job forks, when it joins and when it stops. Each follows a paper; all run on
        the same journal, so that you can compare them.
      </p>
      {problem && <ProblemNote problem={problem} retry={again} />}
      {named && value && !value.items.some((policy) => policy.name === named) && (
        <Empty>
          There is no policy <code>{named}</code> here. These there are:
        </Empty>
      )}
      <div className="policies">
        {value?.items.map((policy) => (
          <Policy key={policy.name} policy={policy} chosen={policy.name === named} />
        ))}
      </div>
    </div>
  );
}

function Policy({ policy, chosen }: { policy: PolicyInfo; chosen: boolean }) {
  const fields = fieldsOf(policy.params);
  return (
    <article id={policy.name} className={`card policy${chosen ? " chosen" : ""}`}>
      <header className="row spread">
        <h2>{policy.title}</h2>
        <Link className="button small-button" href={`/submit?policy=${policy.name}`}>
          Try it
        </Link>
      </header>
      <p className="row small">
        <code>{policy.name}</code>
        <Link className="quiet" href={`/jobs?policy=${policy.name}`}>
          its jobs
        </Link>
      </p>
      {policy.use_when && <p>{policy.use_when}</p>}
      <p className="faint small">
        <Paper text={policy.paper} />
      </p>
      {fields.length > 0 && (
        <dl className="params">
          {fields.map((field) => (
            <div key={field.name}>
              <dt>
                <code>{field.name}</code>
              </dt>
              <dd>
                {field.doc}{" "}
                <span className="faint">
                  {[
                    field.range || field.choices.join(", "),
                    field.preset && `default ${shortened(field.preset)}`,
                  ]
                    .filter(Boolean)
                    .join("; ")}
                </span>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </article>
  );
}

const LONGEST_PRESET = 80;

function shortened(preset: string): string {
  return preset.length > LONGEST_PRESET ? `${preset.slice(0, LONGEST_PRESET)}…` : preset;
}

/** A citation; what names an arXiv paper leads to it. */
function Paper({ text }: { text: string }) {
  const arxiv = /arXiv:? ?(\d{4}\.\d{4,5})/.exec(text);
  if (!arxiv) return text;
  return (
    <a className="quiet" href={`https://arxiv.org/abs/${arxiv[1]}`} rel="noreferrer" target="_blank">
      {text}
    </a>
  );
}
