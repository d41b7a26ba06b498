import { type FormEvent, useMemo, useState } from "react";
import { Problem, post } from "../data/api";
import type { Job, Page, PolicyInfo } from "../data/types";
import { useFetched } from "../live";
import { type Field, fieldsOf, readField } from "../model/params";
import { ParamField } from "../parts/ParamField";
import { ProblemNote } from "../parts/small";
import { changeQuery, jobAddress, navigate, usePlace } from "../router";

const GATES = ["plan", "fork", "join", "answer"] as const;
const LIMITS: [string, string][] = [
  ["tokens", "decoded tokens"],
  ["seconds", "from claim to answer"],
  ["branch_seconds", "of one branch"],
  ["branches", "at most"],
  ["depth", "forks below one another"],
  ["cost", "in the price table’s currency"],
];
const SAMPLING: [string, string][] = [
  ["temperature", "0 is greedy"],
  ["top_p", "above 0, at most 1"],
  ["max_tokens", "per segment"],
];

type Typed = Record<string, string>;

/** Numbers that were typed, by name; what is empty is left out. */
function numbers(
  typed: Typed,
  names: readonly (readonly [string, string])[],
): Record<string, number> | undefined {
  const given = names.flatMap(([name]) =>
    typed[name]?.trim() ? [[name, Number(typed[name])] as const] : [],
  );
  return given.length > 0 ? Object.fromEntries(given) : undefined;
}

/** Not randomUUID: browsers keep that for loopback and https. */
function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

export default function SubmitPage() {
  const { query } = usePlace();
  const policies = useFetched<Page<PolicyInfo>>("/v1/policies");
  const all = policies.value?.items ?? [];
  const wanted = query.get("policy");
  const policy = all.find((one) => one.name === wanted) ?? all.find((one) => one.default) ?? all[0];
  const fields = useMemo(() => (policy ? fieldsOf(policy.params) : []), [policy]);
  const [question, setQuestion] = useState(query.get("question") ?? "");
  const [params, setParams] = useState<Typed>({});
  const [more, setMore] = useState<Typed>({});
  const [gates, setGates] = useState<readonly string[]>([]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  // The same key for the same form: pressing twice submits once.
  const [key, setKey] = useState(newKey);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!policy) return;
    setBusy(true);
    setProblem(null);
    try {
      const body = {
        question,
        policy: { name: policy.name, params: valuesOf(fields, params) },
        budget: numbers(more, LIMITS),
        sampling: numbers(more, SAMPLING),
        ...numbers(more, [
          ["seed", ""],
          ["priority", ""],
        ]),
        approvals: gates,
      };
      const job = await post<Job>("/v1/jobs", body, { "Idempotency-Key": key });
      navigate(jobAddress(job.id));
    } catch (error) {
      if (error instanceof SyntaxError) setProblem(new Problem(0, "A parameter is not JSON", error.message));
      else if (error instanceof Problem) setProblem(error);
      else throw error;
      setKey(newKey());
      setBusy(false);
    }
  };
  const wrong = (end: string): string | undefined =>
    problem?.errors.find(({ path }) => path.endsWith(end))?.message;
  const number = (name: string, doc: string) => (
    <div className="field" key={name}>
      <label htmlFor={name}>{name.replace("_", " ")}</label>
      <input
        id={name}
        inputMode="decimal"
        value={more[name] ?? ""}
        aria-invalid={wrong(name) ? true : undefined}
        aria-describedby={`${name}-doc`}
        onChange={(event) => setMore({ ...more, [name]: event.target.value })}
      />
      <small id={`${name}-doc`}>{wrong(name) ? <span className="wrong">{wrong(name)}</span> : doc}</small>
    </div>
  );

  return (
    <form className="narrow stack submit" onSubmit={(event) => void submit(event)}>
      <h1>New job</h1>
      {policies.problem && <ProblemNote problem={policies.problem} retry={policies.again} />}
      <div className="field">
        <label htmlFor="question">Question</label>
        <textarea
          id="question"
          rows={5}
          value={question}
          aria-invalid={wrong("question") ? true : undefined}
          onChange={(event) => setQuestion(event.target.value)}
        />
        {wrong("question") && <small className="wrong">{wrong("question")}</small>}
      </div>
      <div className="field">
        <label htmlFor="policy">Policy</label>
        <select
          id="policy"
          value={policy?.name ?? ""}
          onChange={(event) => {
            setParams({});
            changeQuery({ policy: event.target.value }, { replace: true });
          }}
        >
          {all.map(({ name, title }) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
        <small>{policy?.use_when}</small>
      </div>
      {fields.length > 0 && (
        <fieldset className="grid">
          <legend>Parameters</legend>
          {fields.map((field) => (
            <ParamField
              key={field.name}
              field={field}
              value={params[field.name] ?? field.preset}
              wrong={wrong(`params.${field.name}`)}
              change={(value) => setParams({ ...params, [field.name]: value })}
            />
          ))}
        </fieldset>
      )}
      <details>
        <summary>Budget, sampling, seed, approvals</summary>
        <fieldset className="grid">
          <legend>Budget</legend>
          {LIMITS.map(([name, doc]) => number(name, doc))}
        </fieldset>
        <fieldset className="grid">
          <legend>Sampling and order</legend>
          {SAMPLING.map(([name, doc]) => number(name, doc))}
          {number("seed", "drawn when empty")}
          {number("priority", "0 first, 9 last; 5 when empty")}
        </fieldset>
        <fieldset className="row">
          <legend>A person decides at</legend>
          {GATES.map((gate) => (
            <label key={gate} className="row">
              <input
                type="checkbox"
                checked={gates.includes(gate)}
                onChange={(event) =>
                  setGates(event.target.checked ? [...gates, gate] : gates.filter((one) => one !== gate))
                }
              />
              {gate}
            </label>
          ))}
        </fieldset>
      </details>
      {problem && <ProblemNote problem={problem} />}
      <div>
        <button type="submit" className="button primary" disabled={busy || question.trim() === "" || !policy}>
          {busy ? "Submitting…" : "Submit"}
        </button>
      </div>
    </form>
  );
}

function valuesOf(fields: readonly Field[], typed: Typed): Record<string, unknown> {
  const given = fields.map((field) => [field.name, readField(field, typed[field.name] ?? "")] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}
