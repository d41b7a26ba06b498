import { type FormEvent, useMemo, useState } from "react";
import { Problem, post } from "../data/api";
import type { Job, Page, PolicyInfo } from "../data/types";
import { useFetched } from "../live";
import { fieldsOf } from "../model/params";
import { bodyOf, EMPTY, type Form, formOf, LIMITS, SAMPLING } from "../model/request";
import { Link } from "../parts/Link";
import { ParamField } from "../parts/ParamField";
import { ProblemNote } from "../parts/small";
import { changeQuery, jobAddress, navigate, usePlace } from "../router";

const GATES = ["plan", "fork", "join", "answer"] as const;

/** Not randomUUID: browsers keep that for loopback and https. */
function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

/** A new job: from nothing, or, with `from` in the address, like an earlier one. */
export default function SubmitPage() {
  const { query } = usePlace();
  const from = query.get("from");
  const earlier = useFetched<Job>(from === null ? null : `/v1/jobs/${encodeURIComponent(from)}`);
  if (from === null)
    return <Submit key="new" start={{ ...EMPTY, question: query.get("question") ?? "" }} policy="" />;
  if (earlier.problem) return <ProblemNote problem={earlier.problem} retry={earlier.again} />;
  if (earlier.value === null) return <p className="quiet">Loading…</p>;
  return <Submit key={from} start={formOf(earlier.value)} policy={earlier.value.policy.name} from={from} />;
}

/** Models that the pool serves, as the list of an OpenAI client tells them: POLICY@MODEL. */
function useModels(): string[] {
  const listed = useFetched<{ data: { id: string }[] }>("/v1/models").value?.data ?? [];
  return [...new Set(listed.flatMap(({ id }) => (id.includes("@") ? [id.slice(id.indexOf("@") + 1)] : [])))];
}

function Submit({ start, policy: first, from }: { start: Form; policy: string; from?: string }) {
  const { query } = usePlace();
  const policies = useFetched<Page<PolicyInfo>>("/v1/policies");
  const models = useModels();
  const all = policies.value?.items ?? [];
  const wanted = query.get("policy") ?? first;
  const policy = all.find((one) => one.name === wanted) ?? all.find((one) => one.default) ?? all[0];
  const fields = useMemo(() => (policy ? fieldsOf(policy.params) : []), [policy]);
  const [form, setForm] = useState(start);
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
      const job = await post<Job>("/v1/jobs", bodyOf(form, policy.name, fields), { "Idempotency-Key": key });
      navigate(jobAddress(job.id));
    } catch (error) {
      if (error instanceof SyntaxError)
        setProblem(new Problem(0, "Metadata or a parameter is not JSON", error.message));
      else if (error instanceof Problem) setProblem(error);
      else throw error;
      setKey(newKey());
      setBusy(false);
    }
  };
  const wrong = (end: string): string | undefined =>
    problem?.errors.find(({ path }) => path.endsWith(end))?.message;
  const change = (name: string, value: string): void =>
    setForm({ ...form, more: { ...form.more, [name]: value } });
  const entry = (name: string, doc: string, kind: "decimal" | "text" = "decimal", list?: string) => (
    <div className="field" key={name}>
      <label htmlFor={name}>{name.replace("_", " ")}</label>
      <input
        id={name}
        inputMode={kind}
        list={list}
        value={form.more[name] ?? ""}
        aria-invalid={wrong(name) ? true : undefined}
        aria-describedby={`${name}-doc`}
        onChange={(event) => change(name, event.target.value)}
      />
      <small id={`${name}-doc`}>{wrong(name) ? <span className="wrong">{wrong(name)}</span> : doc}</small>
    </div>
  );
  const keptOf = Object.keys(form.kept);

  return (
    <form className="narrow stack submit" onSubmit={(event) => void submit(event)}>
      <h1>{from ? "Run again" : "New job"}</h1>
      {from && (
        <p className="quiet">
          A new job like <Link href={jobAddress(from)}>{from.slice(0, 8)}…</Link>; edit what should differ.
          {keptOf.length > 0 && ` Sent as it was: ${keptOf.join(", ").replaceAll("_", " ")}.`}
        </p>
      )}
      {policies.problem && <ProblemNote problem={policies.problem} retry={policies.again} />}
      <div className="field">
        <label htmlFor="question">Question</label>
        <textarea
          id="question"
          rows={5}
          value={form.question}
          aria-invalid={wrong("question") ? true : undefined}
          onChange={(event) => setForm({ ...form, question: event.target.value })}
        />
        {wrong("question") && <small className="wrong">{wrong("question")}</small>}
      </div>
      <div className="grid">
        <div className="field">
          <label htmlFor="policy">Policy</label>
          <select
            id="policy"
            value={policy?.name ?? ""}
            onChange={(event) => {
              setForm({ ...form, params: {} });
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
        {entry("model", "the pool’s own when empty", "text", "models")}
        <datalist id="models">
          {models.map((model) => (
            <option key={model} value={model} />
          ))}
        </datalist>
        <div className="field">
          <label htmlFor="thinking">Thinking</label>
          <select
            id="thinking"
            value={form.more.thinking ?? ""}
            onChange={(event) => change("thinking", event.target.value)}
          >
            <option value="">auto</option>
            <option>on</option>
            <option>off</option>
          </select>
          <small>whether models that can think first do</small>
        </div>
      </div>
      {fields.length > 0 && (
        <fieldset className="grid">
          <legend>Parameters</legend>
          {fields.map((field) => (
            <ParamField
              key={field.name}
              field={field}
              value={form.params[field.name] ?? field.preset}
              wrong={wrong(`params.${field.name}`)}
              change={(value) => setForm({ ...form, params: { ...form.params, [field.name]: value } })}
            />
          ))}
        </fieldset>
      )}
      <details open={from !== undefined}>
        <summary>Budget, sampling, seed, metadata, approvals</summary>
        <fieldset className="grid">
          <legend>Budget</legend>
          {LIMITS.map(([name, doc]) => entry(name, doc))}
        </fieldset>
        <fieldset className="grid">
          <legend>Sampling and order</legend>
          {SAMPLING.map(([name, doc]) => entry(name, doc))}
          {entry("seed", "drawn when empty")}
          {entry("priority", "0 first, 9 last; 5 when empty")}
        </fieldset>
        <div className="field">
          <label htmlFor="metadata">Metadata</label>
          <textarea
            id="metadata"
            rows={3}
            className="mono"
            placeholder='{"team": "search"}'
            value={form.metadata}
            aria-invalid={wrong("metadata") ? true : undefined}
            aria-describedby="metadata-doc"
            onChange={(event) => setForm({ ...form, metadata: event.target.value })}
          />
          <small id="metadata-doc">
            {wrong("metadata") ? (
              <span className="wrong">{wrong("metadata")}</span>
            ) : (
              "a JSON object; jobs can be found by it"
            )}
          </small>
        </div>
        <fieldset className="row">
          <legend>A person decides at</legend>
          {GATES.map((gate) => (
            <label key={gate} className="row">
              <input
                type="checkbox"
                checked={form.approvals.includes(gate)}
                onChange={(event) =>
                  setForm({
                    ...form,
                    approvals: event.target.checked
                      ? [...form.approvals, gate]
                      : form.approvals.filter((one) => one !== gate),
                  })
                }
              />
              {gate}
            </label>
          ))}
        </fieldset>
      </details>
      {problem && <ProblemNote problem={problem} />}
      <div>
        <button
          type="submit"
          className="button primary"
          disabled={busy || form.question.trim() === "" || !policy}
        >
          {busy ? "Submitting…" : "Submit"}
        </button>
      </div>
    </form>
  );
}
