/** Markdown as elements: built from the tree of `parse.ts`, never from markup. Loaded when the first text needs it. */

import { createElement, lazy, memo, type ReactNode, Suspense, useMemo } from "react";
import { CopyButton } from "../CopyButton";
import { Shown } from "../Shown";
import { type Node, parse } from "./parse";

const Formula = lazy(() => import("./Formula"));

interface Props {
  text: string;
  find: string;
}

export default memo(function Rendered({ text, find }: Props) {
  const tree = useMemo(() => parse(text), [text]);
  return <div className="markdown">{tree.map((node, i) => draw(node, i, find))}</div>;
});

function draw(node: Node, key: number, find: string): ReactNode {
  switch (node.kind) {
    case "text":
      return <Shown key={key} text={node.text} find={find} />;
    case "element":
      return element(node, key, find);
    case "heading":
      // Not a heading of this page: its outline is for those who go through it by headings.
      return (
        <p key={key} dir="auto" className={`heading level-${node.level}`}>
          {all(node.children, find)}
        </p>
      );
    case "link":
      return (
        <a key={key} href={node.href} title={node.href} target="_blank" rel="noopener noreferrer nofollow">
          {all(node.children, find)}
        </a>
      );
    case "code":
      return <Code key={key} text={node.text} language={node.language} find={find} />;
    case "codespan":
      return (
        <code key={key}>
          <Shown text={node.text} find={find} />
        </code>
      );
    case "math":
      return (
        <Suspense key={key} fallback={<code>{node.tex}</code>}>
          <Formula tex={node.tex} display={node.display} />
        </Suspense>
      );
    case "break":
      return <br key={key} />;
    case "rule":
      return <hr key={key} />;
  }
}

function all(nodes: readonly Node[], find: string): ReactNode[] {
  return nodes.map((node, i) => draw(node, i, find));
}

function element(
  { tag, start, align, children }: Node & { kind: "element" },
  key: number,
  find: string,
): ReactNode {
  const drawn = createElement(
    tag,
    {
      key,
      dir: tag === "p" || tag === "li" ? "auto" : undefined,
      start,
      className: align && `align-${align}`,
    },
    ...all(children, find),
  );
  if (tag !== "table") return drawn;
  return (
    <div className="scrolled" key={key} tabIndex={0} role="group" aria-label="Table">
      {drawn}
    </div>
  );
}

function Code({ text, language, find }: { text: string; language: string; find: string }) {
  return (
    <div className="code-block">
      <div className="row spread">
        <span className="faint small">
          <Shown text={language.slice(0, 30)} />
        </span>
        <CopyButton label="Copy" text={() => text} />
      </div>
      <pre tabIndex={0}>
        <code>
          <Shown text={text} find={find} />
        </code>
      </pre>
    </div>
  );
}
