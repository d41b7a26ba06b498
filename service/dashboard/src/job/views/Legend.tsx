/** What the colours and lines mean. */
export function Legend() {
  return (
    <ul className="legend" aria-label="Legend">
      <li>
        <i className="swatch queue" /> pool queue
      </li>
      <li>
        <i className="swatch prefill" /> prefill
      </li>
      <li>
        <i className="swatch decode" /> decode
      </li>
      <li>
        <i className="swatch blocked" /> blocked
      </li>
      <li>
        <i className="line critical" /> critical path
      </li>
      <li>
        <i className="line fork" /> fork
      </li>
      <li>
        <i className="line join" /> join
      </li>
    </ul>
  );
}
