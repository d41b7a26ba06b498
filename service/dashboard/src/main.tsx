import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { stream } from "./data/stream";
import { listenToKeys } from "./keys";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/parts.css";
import "./styles/prose.css";
import "./styles/pages.css";
import "./styles/evaluations.css";
import "./styles/job.css";
import "./styles/panel.css";

stream.start();
listenToKeys();
createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
