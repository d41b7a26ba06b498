import { readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

// `npm run dev` serves the pages with hot reload and passes the API on to a running Anabranch.
const api = process.env.ANABRANCH_URL ?? "http://127.0.0.1:8000";

/** KaTeX names each of its fonts three times; every browser that this page knows reads the first. */
const woff2Only: Plugin = {
  name: "woff2-only",
  enforce: "pre",
  transform: (code, id) =>
    id.endsWith("katex.min.css") ? code.replace(/,url\([^)]*\.(?:woff|ttf)\) format\("\w+"\)/g, "") : null,
};

/** What `/docs` loads beside the page of this service's own: files as their makers built them, and their licence. */
const viewer: Plugin = {
  name: "viewer",
  generateBundle() {
    for (const name of ["swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "NOTICE"]) {
      const source = readFileSync(new URL(`node_modules/swagger-ui-dist/${name}`, import.meta.url), "utf8");
      this.emitFile({
        type: "asset",
        fileName: `viewer/${name.includes(".") ? name : `${name}.txt`}`,
        source: source.replace(/\n?\/[/*]# sourceMappingURL=\S+(?: \*\/)?\s*$/, "\n"),
      });
    }
  },
};

export default defineConfig({
  plugins: [react(), woff2Only, viewer],
  base: "/",
  build: {
    outDir: "static",
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    // Browsers that know light-dark(): since May 2024.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // The service's content policy refuses data: in scripts and styles, so nothing is inlined.
    assetsInlineLimit: 0,
  },
  server: { host: "127.0.0.1", proxy: { "/v1": api } },
  test: { include: ["tests/**/*.test.ts"] },
});
