import type { Context } from "../../data/types";
import type { Branch, GraphNode } from "../../model/journal/graph";
import { counted } from "../../model/words";
import { LongText } from "../../parts/LongText";

interface Props {
  context: Context;
  branch: Branch;
  segment: GraphNode;
  find: string;
}

/** The exact context of a segment, as the engine got it; what was inherited is folded, what is its own is open. */
export function ContextView({ context, branch, segment, find }: Props) {
  const inherited = Math.max(0, context.messages.length - branch.messages.length);
  const before = context.messages.slice(0, inherited);
  const own = context.messages.slice(inherited);
  return (
    <section className="context">
      <h3>
        Context as sent
        {branch.nodes.length > 1 && (
          <>
            {" "}
            for <code>{segment.id}</code>
          </>
        )}
      </h3>
      {before.length > 0 && (
        <details open={own.length === 0 && !context.continuation}>
          <summary>
            Inherited from {branch.base === "parent" ? `branch ${branch.parent}` : "the question"}:{" "}
            {counted(before.length, "message")}, {counted(lengthOf(before), "character")}
          </summary>
          <Messages messages={before} find={find} />
        </details>
      )}
      <Messages messages={own} find={find} />
      {context.continuation && (
        <div className="message">
          <h4>assistant, begun</h4>
          <LongText text={context.continuation} mono first={1500} find={find} />
        </div>
      )}
    </section>
  );
}

function Messages({ messages, find }: { messages: Context["messages"]; find: string }) {
  return messages.map(({ role, content }, i) => (
    <div className="message" key={i}>
      <h4>{role}</h4>
      <LongText text={content} mono first={1500} find={find} />
    </div>
  ));
}

function lengthOf(messages: Context["messages"]): number {
  return messages.reduce((sum, { content }) => sum + content.length, 0);
}
