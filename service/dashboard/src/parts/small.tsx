/** Parts of a few lines each. */

import { type ReactNode, useState } from "react";
import { apiKey, type Problem } from "../data/api";
import { percent, tokens } from "../model/words";

export function Status({ of, label }: { of: string; label?: string }) {
  return (
    <span className={`status ${of}`}>
      <i aria-hidden="true" />
      {label ?? of}
    </span>
  );
}

export function Mark() {
  return (
    <svg viewBox="0 0 32 32" fill="none" strokeLinecap="round" aria-hidden="true">
      <path d="M2 16h6c5 0 4-9 9-9s4 9 8 9h5" stroke="var(--decode)" strokeWidth="2.6" />
      <path d="M2 16h6c5 0 4 9 9 9s4-9 8-9h5" stroke="var(--decode)" strokeWidth="2.6" />
      <path d="M2 16h28" stroke="var(--critical)" strokeWidth="3" />
    </svg>
  );
}

export function Empty({ children }: { children: ReactNode }) {
  return <div className="empty">{children}</div>;
}

/** What went wrong and, where a key is missing, the place to give one. */
export function ProblemNote({ problem, retry }: { problem: Problem; retry?: () => void }) {
  const [key, setKey] = useState("");
  return (
    <div className="problem stack" role="alert">
      <div>
        <strong>{problem.title}</strong>
        {problem.detail && <p className="text">{problem.detail}</p>}
        {problem.errors.map(({ path, message }) => (
          <p key={path + message}>
            <code>{path}</code> {message}
          </p>
        ))}
      </div>
      {problem.status === 401 && (
        <form
          className="row"
          onSubmit={(event) => {
            event.preventDefault();
            apiKey.set(key);
            window.location.reload();
          }}
        >
          <input
            type="password"
            aria-label="API key"
            placeholder="API key"
            value={key}
            onChange={(e) => setKey(e.target.value)}
          />
          <button type="submit" className="button primary">
            Use this key in this tab
          </button>
        </form>
      )}
      {retry && problem.status !== 401 && (
        <div>
          <button type="button" className="button" onClick={retry}>
            Try again
          </button>
        </div>
      )}
    </div>
  );
}

/** How the decoded tokens split: the critical path, the rest, the waste. */
export function Gauge({ critical, total, waste }: { critical: number; total: number; waste: number }) {
  const share = (count: number): string => `${(100 * count) / Math.max(1, total)}%`;
  const rest = Math.max(0, total - critical - waste);
  const words = `${tokens(critical)} of ${tokens(total)} tokens on the critical path, ${percent(waste / Math.max(1, total))} waste`;
  return (
    <div className="gauge" role="img" aria-label={words} title={words}>
      <div className="critical" style={{ width: share(Math.min(critical, total)) }} />
      <div className="decode" style={{ width: share(rest) }} />
      <div className="waste" style={{ width: share(waste) }} />
    </div>
  );
}
