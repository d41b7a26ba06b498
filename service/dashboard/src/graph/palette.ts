/** The colours of the style sheet, resolved for a canvas. */

const NAMES = [
  "paper",
  "card",
  "sunken",
  "line",
  "line-strong",
  "ink",
  "ink-2",
  "ink-3",
  "accent",
  "accent-soft",
  "queue",
  "prefill",
  "decode",
  "blocked",
  "critical",
  "critical-soft",
  "ok",
  "failed",
  "waiting",
  "fork",
  "join",
  "mark",
] as const;

export type ColourName = (typeof NAMES)[number];
export type Palette = Record<ColourName, string> & { sans: string; mono: string };

export function readPalette(from: HTMLElement): Palette {
  const probe = document.createElement("i");
  from.append(probe);
  const palette: Record<string, string> = {};
  for (const name of NAMES) {
    probe.style.color = `var(--${name})`;
    palette[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  const root = getComputedStyle(document.documentElement);
  palette.sans = root.getPropertyValue("--sans").trim() || "sans-serif";
  palette.mono = root.getPropertyValue("--mono").trim() || "monospace";
  return palette as Palette;
}
