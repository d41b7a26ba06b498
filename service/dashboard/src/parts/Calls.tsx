import type { Call } from "../model/journal/events";
import { shown } from "../model/text/unseen";
import { Shown } from "./Shown";

/** The tools that a text calls behind itself, with their arguments as the model wrote them. */
export function Calls({ calls }: { calls: readonly Call[] }) {
  return calls.map((call, i) => (
    <p className="call" key={i}>
      calls <code>{shown(call.name)}</code> with{" "}
      <code className="text">
        <Shown text={call.arguments || "{}"} />
      </code>
    </p>
  ));
}
