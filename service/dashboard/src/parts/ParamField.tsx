import type { Field } from "../model/params";

interface Props {
  field: Field;
  value: string;
  wrong?: string;
  change: (value: string) => void;
}

/** One parameter of a policy. Left alone it keeps the policy's default. */
export function ParamField({ field, value, wrong, change }: Props) {
  const id = `param-${field.name}`;
  const described = {
    id,
    "aria-invalid": wrong ? true : undefined,
    "aria-describedby": `${id}-doc`,
  } as const;
  return (
    <div className="field">
      <label htmlFor={id}>{field.name}</label>
      {field.kind === "boolean" || field.kind === "choice" ? (
        <select {...described} value={value} onChange={(event) => change(event.target.value)}>
          {field.preset === "" && <option value="">default</option>}
          {(field.kind === "boolean" ? ["true", "false"] : field.choices).map((choice) => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      ) : (
        <input
          {...described}
          inputMode={field.kind === "integer" ? "numeric" : field.kind === "number" ? "decimal" : undefined}
          placeholder={field.preset || (field.required ? "required" : "default")}
          value={value}
          onChange={(event) => change(event.target.value)}
        />
      )}
      <small id={`${id}-doc`}>
        {wrong ? <span className="wrong">{wrong}</span> : [field.doc, field.range].filter(Boolean).join(" ")}
      </small>
    </div>
  );
}
