import { useState } from "react";

export function CopyButton({ text, label }: { text: () => string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async (button: HTMLElement): Promise<void> => {
    // Browsers give the clipboard only to loopback and https; elsewhere the older way still works.
    if (navigator.clipboard) await navigator.clipboard.writeText(text());
    else copyBySelection(text(), button);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <button type="button" className="button small-button" onClick={(event) => void copy(event.currentTarget)}>
      <span aria-live="polite">{copied ? "Copied" : label}</span>
    </button>
  );
}

function copyBySelection(text: string, beside: HTMLElement): void {
  const area = document.createElement("textarea");
  area.className = "visually-hidden";
  area.value = text;
  beside.after(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  beside.focus();
}
