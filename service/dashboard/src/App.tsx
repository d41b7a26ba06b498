import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { useKeys } from "./keys";
import { useApprovals, useConnection } from "./live";
import { JobPage } from "./pages/JobPage";
import { KeySheet } from "./parts/KeySheet";
import { Link } from "./parts/Link";
import { Empty, Mark } from "./parts/small";
import { decoded, navigate, usePlace } from "./router";
import { toggleTheme, useTheme } from "./theme";

// Each page is loaded when it is opened; a job is opened most.
const ApprovalsPage = lazy(() => import("./pages/ApprovalsPage"));
const BatchesPage = lazy(() => import("./pages/BatchesPage"));
const JobsPage = lazy(() => import("./pages/jobs/JobsPage"));
const ComparePage = lazy(() => import("./pages/ComparePage"));
const EvaluationsPage = lazy(() => import("./pages/evaluations/EvaluationsPage"));
const PoliciesPage = lazy(() => import("./pages/PoliciesPage"));
const SubmitPage = lazy(() => import("./pages/SubmitPage"));

const PAGES = [
  { path: "/jobs", name: "Jobs", keys: "g j" },
  { path: "/approvals", name: "Approvals", keys: "g a" },
  { path: "/batches", name: "Batches", keys: "g b" },
  { path: "/compare", name: "Compare", keys: "g c" },
  { path: "/evaluations", name: "Evaluations", keys: "g e" },
  { path: "/policies", name: "Policies", keys: "g p" },
];

export function App() {
  const { path } = usePlace();
  const [sheet, setSheet] = useState(false);
  const main = useFocusOnArrival(path);
  useKeys([
    { keys: "?", does: "This sheet", group: "Everywhere", run: () => setSheet(true) },
    ...PAGES.map(({ path: to, name, keys }) => ({
      keys,
      does: name,
      group: "Everywhere",
      run: () => navigate(to),
    })),
    { keys: "g s", does: "Submit a job", group: "Everywhere", run: () => navigate("/submit") },
    { keys: "t", does: "Light or dark", group: "Everywhere", run: toggleTheme },
  ]);
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <Header path={path} openSheet={() => setSheet(true)} />
      <main id="main" className="page" tabIndex={-1} ref={main}>
        <Suspense fallback={<Empty>Loading…</Empty>}>
          <Content path={path} />
        </Suspense>
      </main>
      {sheet && <KeySheet close={() => setSheet(false)} />}
    </>
  );
}

/** On the way to another page the focus goes with the user, so that keyboard and screen reader begin at its top. */
function useFocusOnArrival(path: string) {
  const main = useRef<HTMLElement>(null);
  const last = useRef(path);
  useEffect(() => {
    if (last.current !== path) main.current?.focus({ preventScroll: true });
    last.current = path;
  }, [path]);
  return main;
}

function Content({ path }: { path: string }) {
  const [, page = "", id = "", ...deeper] = path.split("/");
  const title = PAGES.find((one) => one.path === `/${page}`)?.name ?? (page === "submit" ? "Submit" : "Jobs");
  useEffect(() => {
    if ((page !== "jobs" && page !== "evaluations") || !id) document.title = `${title} · Anabranch`;
  }, [page, id, title]);
  if (deeper.every((part) => part === "")) {
    if (page === "jobs" && id) return <JobPage key={id} id={id} />;
    if (page === "batches") return <BatchesPage id={id} />;
    if (page === "evaluations") return <EvaluationsPage run={decoded(id)} />;
    if (page === "policies") return <PoliciesPage named={id} />;
    if (!id) {
      if (page === "" || page === "jobs") return <JobsPage />;
      if (page === "approvals") return <ApprovalsPage />;
      if (page === "compare") return <ComparePage />;
      if (page === "submit") return <SubmitPage />;
    }
  }
  return (
    <Empty>
      <h1>Nothing here</h1>
      There is no page at <code>{path}</code>. <Link href="/jobs">All jobs</Link>
    </Empty>
  );
}

const CONNECTION = { live: "Live", connecting: "Connecting", paused: "Paused", lost: "Connection lost" };

function Header({ path, openSheet }: { path: string; openSheet: () => void }) {
  const connection = useConnection();
  const gates = useApprovals().value;
  const waiting = gates?.items.length ?? 0;
  const told = gates?.next_cursor ? `${waiting}+` : `${waiting}`;
  const isDark = useTheme() === "dark";
  return (
    <header className="shell-header">
      <Link className="brand" href="/jobs" aria-label="Anabranch: all jobs">
        <Mark />
        <span>Anabranch</span>
      </Link>
      <nav className="shell-nav" aria-label="Pages">
        {PAGES.map(({ path: to, name }) => (
          <Link
            key={to}
            href={to}
            aria-current={path.startsWith(to) || (path === "/" && to === "/jobs") ? "page" : undefined}
          >
            {name}
            {to === "/approvals" && waiting > 0 && (
              <span className="badge" aria-label={`${told} waiting`}>
                {told}
              </span>
            )}
          </Link>
        ))}
      </nav>
      <div className="shell-right">
        <div className={`connection ${connection}`} role="status" title={CONNECTION[connection]}>
          <i aria-hidden="true" />
          <span>{CONNECTION[connection]}</span>
        </div>
        <button
          type="button"
          className="button plain icon for-wide"
          aria-label="Keys"
          title="Keys (?)"
          onClick={openSheet}
        >
          ?
        </button>
        <button
          type="button"
          className="button plain icon"
          aria-label={isDark ? "Switch to light" : "Switch to dark"}
          title="Light or dark (t)"
          onClick={toggleTheme}
        >
          {isDark ? "☀" : "☾"}
        </button>
        <Link className="button primary new-job" href="/submit" aria-label="New job">
          + <span>New job</span>
        </Link>
      </div>
    </header>
  );
}
