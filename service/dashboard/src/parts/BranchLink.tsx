import { addressWith, navigate } from "../router";

/** The id of a branch: a click selects it in graph, waterfall and panel, and it has an address of its own. */
export function BranchLink({ branch, node }: { branch: string; node?: string | null }) {
  const target = node ?? `${branch}/1`;
  return (
    <a
      className="branch"
      href={addressWith({ node: target })}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        navigate(addressWith({ node: target }));
      }}
    >
      {branch}
    </a>
  );
}
