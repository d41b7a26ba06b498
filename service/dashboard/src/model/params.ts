/** Policy parameters as a form: from a JSON Schema to fields, from what was typed back to values. */

import type { Schema } from "../data/types";

export interface Field {
  name: string;
  kind: "integer" | "number" | "boolean" | "choice" | "text" | "json";
  choices: string[];
  doc: string;
  /** The policy's own default, as it would be typed; empty is none. */
  preset: string;
  range: string;
  required: boolean;
}

export function fieldsOf(schema: Schema): Field[] {
  return Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const core = property.anyOf?.find((one) => one.type !== "null") ?? property;
    const choices = (core.enum ?? (core.const === undefined ? [] : [core.const])).map(String);
    return {
      name,
      kind: kindOf(core, choices),
      choices,
      doc: property.description ?? core.description ?? "",
      preset: typed(property.default),
      range: rangeOf(core),
      required: schema.required?.includes(name) ?? false,
    };
  });
}

function kindOf(schema: Schema, choices: string[]): Field["kind"] {
  if (choices.length > 0) return "choice";
  if (schema.type === "integer" || schema.type === "number" || schema.type === "boolean") return schema.type;
  return schema.type === "string" ? "text" : "json";
}

function rangeOf({ minimum, maximum, exclusiveMinimum }: Schema): string {
  const low = minimum ?? exclusiveMinimum;
  if (low !== undefined && maximum !== undefined) return `${low} to ${maximum}`;
  if (low !== undefined) return exclusiveMinimum === undefined ? `at least ${low}` : `over ${low}`;
  return maximum === undefined ? "" : `at most ${maximum}`;
}

function typed(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The value that was typed into a field; undefined leaves the policy's default. Raises SyntaxError for what is no JSON. */
export function readField(field: Field, text: string): unknown {
  if (text.trim() === "" || text === field.preset) return undefined;
  if (field.kind === "text" || field.kind === "choice") return text;
  if (field.kind === "integer" || field.kind === "number")
    return Number.isNaN(Number(text)) ? text : Number(text);
  return JSON.parse(text);
}
