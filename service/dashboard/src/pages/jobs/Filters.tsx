import { useEffect, useState } from "react";
import type { Page, PolicyInfo } from "../../data/types";
import { useFetched } from "../../live";
import { FACTS, isFiltered, type JobFilter } from "../../model/listing";
import { changeQuery, navigate } from "../../router";

const STATUSES = ["queued", "running", "waiting", "succeeded", "failed", "cancelled"];
const SPANS: [string, number][] = [
  ["any time", 0],
  ["last 15 min", 900],
  ["last hour", 3600],
  ["last day", 86_400],
  ["last week", 604_800],
];
const MORE = [
  ["model", "Model", "as asked for"],
  ["seed", "Seed", ""],
  ["error", "Error type", "no-answer"],
  ["metadata", "Metadata", "team=search"],
  ["param", "Parameter", "n=8"],
  ["budget", "Budget", "tokens=2000"],
] as const;
const TYPING_MS = 300;

export function Filters({ filter }: { filter: JobFilter }) {
  const policies = useFetched<Page<PolicyInfo>>("/v1/policies").value?.items ?? [];
  const [text, setText] = useTyped(filter.said || filter.q, (said) =>
    changeQuery({ said, q: null }, { replace: true }),
  );
  const asked = MORE.filter(([name]) => filter[name].length > 0).length;
  return (
    <div className="filters" role="search">
      <input
        id="find-jobs"
        type="search"
        placeholder="Search questions, answers, outputs, errors"
        aria-label="Search jobs"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
      />
      <select
        aria-label="Status"
        value={filter.status}
        onChange={(event) => changeQuery({ status: event.target.value })}
      >
        <option value="">any status</option>
        {STATUSES.map((status) => (
          <option key={status}>{status}</option>
        ))}
      </select>
      <select
        aria-label="Policy"
        value={filter.policy}
        onChange={(event) => changeQuery({ policy: event.target.value })}
      >
        <option value="">any policy</option>
        {policies.map(({ name }) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <select
        aria-label="Time"
        value={String(filter.within)}
        onChange={(event) => changeQuery({ within: event.target.value === "0" ? null : event.target.value })}
      >
        {SPANS.map(([name, span]) => (
          <option key={span} value={span}>
            {name}
          </option>
        ))}
      </select>
      <details className="menu">
        <summary className="button">More{asked > 0 ? ` (${asked})` : ""}</summary>
        <div className="menu-sheet grid">
          {MORE.map(([name, title, example]) => (
            <Fact key={name} name={name} title={title} example={example} filter={filter} />
          ))}
        </div>
      </details>
      {isFiltered(filter) && (
        <button type="button" className="button plain" onClick={() => navigate("/jobs")}>
          Clear
        </button>
      )}
    </div>
  );
}

interface FactProps {
  name: (typeof MORE)[number][0];
  title: string;
  example: string;
  filter: JobFilter;
}

/** One more filter; of KEY=VALUE several may stand, one a line. */
function Fact({ name, title, example, filter }: FactProps) {
  const value = filter[name];
  const isList = FACTS.some((fact) => fact === name);
  const [text, setText] = useTyped(typeof value === "string" ? value : value.join("\n"), (typed) => {
    // What is not whole yet is not sent.
    const lines = typed.split("\n").filter((line) => !isList || /^[^=]+=/.test(line));
    changeQuery({ [name]: isList ? lines : typed.trim() }, { replace: true });
  });
  return (
    <div className="field">
      <label htmlFor={`filter-${name}`}>{title}</label>
      {isList ? (
        <textarea
          id={`filter-${name}`}
          rows={2}
          placeholder={example}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      ) : (
        <input
          id={`filter-${name}`}
          placeholder={example}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      )}
    </div>
  );
}

/** A text that is told on when typing rests; it follows what the address says when that changes by other ways. */
function useTyped(told: string, tell: (text: string) => void): [string, (text: string) => void] {
  const [text, setText] = useState(told);
  const [sent, setSent] = useState(told);
  useEffect(() => {
    if (told === sent) return;
    setText(told);
    setSent(told);
  }, [told]);
  useEffect(() => {
    if (text === sent) return;
    const timer = setTimeout(() => {
      setSent(text);
      tell(text);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, sent]);
  return [text, setText];
}
