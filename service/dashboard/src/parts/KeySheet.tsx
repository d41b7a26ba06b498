import { useState } from "react";
import { type Binding, bindings, shortcuts } from "../keys";
import { Dialog } from "./Dialog";

const NAMES: Record<string, string> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
  " ": "Space",
};

/** All keys that do something on this page. */
export function KeySheet({ close }: { close: () => void }) {
  const [on, setOn] = useState(shortcuts.on);
  const groups = new Map<string, Binding[]>();
  for (const binding of bindings())
    groups.set(binding.group, [...(groups.get(binding.group) ?? []), binding]);
  return (
    <Dialog title="Keys" close={close}>
      <div className="keys">
        {[...groups].map(([group, list]) => (
          <section key={group}>
            <h3>{group}</h3>
            <ul>
              {list.map(({ keys, does }) => (
                <li key={keys}>
                  <span>{does}</span>
                  <span>
                    {(keys === " " ? [" "] : keys.split(" ")).map((key) => (
                      <kbd key={key}>{NAMES[key] ?? key}</kbd>
                    ))}
                  </span>
                </li>
              ))}
            </ul>
          </section>
        ))}
      </div>
      <label className="row">
        <input
          type="checkbox"
          checked={on}
          onChange={(event) => {
            shortcuts.on = event.target.checked;
            setOn(event.target.checked);
          }}
        />
        Single-letter keys are on
      </label>
    </Dialog>
  );
}
