import { type FormEvent, useState } from "react";
import { COLUMNS } from "../../model/listing";
import { Link } from "../../parts/Link";
import { changeQuery, usePlace } from "../../router";
import { useViews } from "./views";

interface Props {
  columns: readonly string[];
  show: (columns: readonly string[]) => void;
  sort: string;
  grouped: boolean;
  selecting: boolean;
  select: (on: boolean) => void;
}

/** How the list is shown: views by name, columns, order, groups, and the way to select. */
export function ListTools({ columns, show, sort, grouped, selecting, select }: Props) {
  return (
    <div className="list-tools">
      <SavedViews />
      <label className="row small">
        Sort
        <select
          aria-label="Sort"
          value={sort}
          onChange={(event) => changeQuery({ sort: event.target.value }, { replace: true })}
        >
          <option value="">newest first</option>
          {COLUMNS.filter(({ sorts }) => sorts).map(({ name, title }) => (
            <option key={name} value={name}>
              {title}, most first
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        className="button small-button"
        aria-pressed={grouped}
        onClick={() => changeQuery({ group: grouped ? null : "error" }, { replace: true })}
      >
        Group errors
      </button>
      <details className="menu">
        <summary className="button small-button">Columns</summary>
        <div className="menu-sheet stack">
          {COLUMNS.map(({ name, title }) => (
            <label key={name} className="row">
              <input
                type="checkbox"
                checked={columns.includes(name)}
                onChange={(event) =>
                  show(event.target.checked ? [...columns, name] : columns.filter((one) => one !== name))
                }
              />
              {title}
            </label>
          ))}
        </div>
      </details>
      <button
        type="button"
        className="button small-button"
        aria-pressed={selecting}
        onClick={() => select(!selecting)}
      >
        Select
      </button>
    </div>
  );
}

/** Filters and order under a name, kept on this machine. */
function SavedViews() {
  const { query } = usePlace();
  const [views, keep] = useViews();
  const [name, setName] = useState("");
  const here = query.toString();
  const known = views.find((view) => view.query === here);
  const save = (event: FormEvent): void => {
    event.preventDefault();
    if (name.trim() === "") return;
    keep([...views.filter((view) => view.name !== name.trim()), { name: name.trim(), query: here }]);
    setName("");
  };
  return (
    <div className="row saved-views">
      {views.map((view) => (
        <span key={view.name} className="saved-view">
          <Link
            href={`/jobs${view.query ? `?${view.query}` : ""}`}
            aria-current={view === known ? "page" : undefined}
          >
            {view.name}
          </Link>
          <button
            type="button"
            className="link-button"
            aria-label={`Forget the view ${view.name}`}
            onClick={() => keep(views.filter((one) => one !== view))}
          >
            ✕
          </button>
        </span>
      ))}
      {here !== "" && !known && (
        <form className="row" onSubmit={save}>
          <input
            className="small-input"
            aria-label="Name of this view"
            placeholder="Save this view as…"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </form>
      )}
    </div>
  );
}
