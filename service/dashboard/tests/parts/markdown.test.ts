import { describe, expect, it } from "vitest";
import { headOf, isMarked } from "../../src/model/text/markdown";
import { type Node, parse } from "../../src/parts/markdown/parse";

/** The tree in short: tags, and formulas between signs of their own. */
function short(nodes: readonly Node[]): string {
  return nodes
    .map((node) => {
      switch (node.kind) {
        case "text":
          return node.text;
        case "math":
          return node.display ? `[[${node.tex}]]` : `[${node.tex}]`;
        case "element":
          return `<${node.tag}>${short(node.children)}</${node.tag}>`;
        case "link":
          return `<a ${node.href}>${short(node.children)}</a>`;
        case "heading":
          return `<h${node.level}>${short(node.children)}</h>`;
        case "code":
          return `<pre ${node.language}>${node.text}</pre>`;
        case "codespan":
          return `<code>${node.text}</code>`;
        default:
          return `<${node.kind}>`;
      }
    })
    .join("");
}

describe("formulas", () => {
  it.each([
    ["so $x^2$ holds", "<p>so [x^2] holds</p>"],
    ["so \\(x_1*y*z\\) holds", "<p>so [x_1*y*z] holds</p>"],
    ["$$\\frac{1}{2}$$", "[[\\frac{1}{2}]]"],
    ["\\[\nx\n= 1\n\\]", "[[\nx\n= 1\n]]"],
    ["then\n\\[ a \\]\nand", "<p>then</p>[[ a ]]<p>and</p>"],
    ["inside $$a$$ a line", "<p>inside [[a]] a line</p>"],
    ["it costs $5 and $6, or $7", "<p>it costs $5 and $6, or $7</p>"],
    ["a \\$5 note", "<p>a $5 note</p>"],
    ["`$x$` stays", "<p><code>$x$</code> stays</p>"],
    ["\\[ never closed", "<p>[ never closed</p>"],
    ["$$ never closed", "<p>$$ never closed</p>"],
  ])("%j", (text, tree) => expect(short(parse(text))).toBe(tree));
});

describe("what is not on the list stays text", () => {
  it.each([
    ["<img src=x onerror=alert(1)>", "<p><img src=x onerror=alert(1)></p>"],
    ["<script>alert(1)</script>", "<p><script>alert(1)</script></p>"],
    ["[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"],
    ["[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>"],
    ["[a](/v1/jobs)", "<p>a</p>"],
    ["[a](vbscript:x) [b](file:///etc/passwd)", "<p>[a](vbscript:x) [b](file:///etc/passwd)</p>"],
    ["![spy](https://evil.example/x.png)", "<p><a https://evil.example/x.png>[picture: spy]</a></p>"],
    ["[x](https://a.example 't')", "<p><a https://a.example>x</a></p>"],
    ["&lt;b&gt; &#106;", "<p><b> j</p>"],
  ])("%j", (text, tree) => expect(short(parse(text))).toBe(tree));
});

it("reads lists, tables, code and headings", () => {
  const text = "# T\n\n1. a\n2. **b**\n\n| x | y |\n|--:|---|\n| 1 | 2 |\n\n```py\nprint(1)\n```\n> q\n\n---";
  expect(short(parse(text))).toBe(
    "<h1>T</h><ol><li>a</li><li><strong>b</strong></li></ol>" +
      "<table><thead><tr><th>x</th><th>y</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>" +
      "<pre py>print(1)\n</pre><blockquote><p>q</p></blockquote><rule>",
  );
});

it.each(["\\(", "$ $", "\\[\n", "$a ", "[", "![", "*a_", "`", "> ", "- ", "$$", "|a", "<a ", "&#", "**a "])(
  "hostile repeats of %j are read in time that grows with them",
  (piece) => expect(parse(piece.repeat(20_000)).length).toBeGreaterThan(0),
);

describe("what is nested without end", () => {
  const depth = (nodes: readonly Node[]): number =>
    nodes.reduce((most, node) => Math.max(most, "children" in node ? 1 + depth(node.children) : 0), 0);

  it.each(["* ", "> ", ">", "1. ", "> * "])("ends as text: %j", (mark) => {
    const tree = parse(`${mark.repeat(300)}deep\n\n**After** it.`);
    expect(depth(tree)).toBeLessThan(20);
    expect(short(tree)).toMatch(/deep<\/(p|li)>/);
    expect(short(tree)).toMatch(/<p><strong>After<\/strong> it\.<\/p>$/);
  });

  it("is drawn as deep as anybody nests", () => {
    const list = ["- a", "  - b", "    - c", "      - d", "        - e", "- f"].join("\n");
    expect(short(parse(list))).not.toContain("- ");
  });

  it("ends where its item does", () => {
    const lines = `${"- ".repeat(6)}a\n${"  ".repeat(5)}- b\n- c`;
    expect(short(parse(lines))).toMatch(/<li>c<\/li><\/ul>$/);
  });
});

it("knows what needs no drawing, and cuts between paragraphs", () => {
  expect(isMarked("plain words, 3.5 of them; and a dash - here")).toBe(false);
  expect(isMarked("1. first")).toBe(true);
  expect(headOf(`${"a".repeat(60)}\n\n${"b".repeat(60)}`, 100)).toBe("a".repeat(60));
  expect(headOf("ab😀", 3)).toBe("ab");
});
