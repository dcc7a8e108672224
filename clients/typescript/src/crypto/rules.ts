/** Holds a message against the rules of its fields (`docs/sealing.md`, section 6), from the table in `gen/rules.ts`. */

import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";

import { RULES } from "../gen/rules.js";
import { isUnicode, utf8 } from "./bytes.js";

/** What one field must be. */
export interface Rule {
  readonly required?: boolean;
  /** Whether nothing else is asked of an empty field. */
  readonly mayBeEmpty?: boolean;
  readonly pattern?: RegExp;
  readonly minChars?: number;
  readonly maxChars?: number;
  readonly maxBytes?: number;
  readonly bytes?: number;
  readonly min?: number;
  readonly max?: number;
  /** Whether only defined numbers of the enum are taken. */
  readonly defined?: boolean;
  readonly notZero?: boolean;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly unique?: boolean;
  readonly each?: Rule;
}

type Holds = (value: unknown, rule: Rule, field: DescField) => boolean;

/** Tells whether every field of `message`, at any depth, keeps its rule. */
export function keepsRules(schema: DescMessage, message: Message): boolean {
  const rules = RULES[schema.typeName] ?? {};
  return schema.fields.every((field) => {
    const value = heldIn(message, field);
    const rule = rules[field.name];
    return (!rule || keeps(value, rule, field)) && itemsOf(field, value).every((item) => keepsRules(...item));
  });
}

/** Returns the messages that a message holds directly, each with its schema. */
export function submessages(schema: DescMessage, message: Message): [DescMessage, Message][] {
  return schema.fields.flatMap((field) => itemsOf(field, heldIn(message, field)));
}

function heldIn(message: Message, field: DescField): unknown {
  const held = message as unknown as Record<string, unknown>;
  if (!field.oneof) {
    return held[field.localName];
  }
  const chosen = held[field.oneof.localName] as { case?: string; value?: unknown };
  return chosen.case === field.localName ? chosen.value : undefined;
}

function itemsOf(field: DescField, value: unknown): [DescMessage, Message][] {
  const schema = field.message;
  if (!schema || value === undefined) {
    return [];
  }
  const items = field.fieldKind === "list" ? (value as Message[]) : [value as Message];
  return items.map((item) => [schema, item]);
}

function keeps(value: unknown, rule: Rule, field: DescField): boolean {
  if (rule.mayBeEmpty && isEmpty(value)) {
    return true;
  }
  const holds = BY_KIND[field.fieldKind];
  return holds?.(value, rule, field) ?? false;
}

const BY_KIND: Partial<Record<DescField["fieldKind"], Holds>> = {
  message: (value, rule) => !rule.required || value !== undefined,
  enum: isNumberOf,
  scalar: isScalar,
  list: (value, rule, field) => {
    const items = value as unknown[];
    const { each } = rule;
    return (
      within(items.length, rule.minItems, rule.maxItems) &&
      (!rule.unique || new Set(items).size === items.length) &&
      (!each || items.every((item) => isItem(item, each, field)))
    );
  },
};

function isItem(item: unknown, rule: Rule, field: DescField): boolean {
  return field.enum ? isNumberOf(item, rule, field) : isScalar(item, rule);
}

function isNumberOf(value: unknown, rule: Rule, field: DescField): boolean {
  const number = value as number;
  const isDefined = !rule.defined || field.enum?.value[number] !== undefined;
  return isDefined && !(rule.notZero && number === 0);
}

function isScalar(value: unknown, rule: Rule): boolean {
  switch (typeof value) {
    case "string":
      return isText(value, rule);
    case "number":
    case "bigint":
      return within(value, rule.min, rule.max);
    default:
      return value instanceof Uint8Array && (rule.bytes === undefined || value.length === rule.bytes);
  }
}

function isText(value: string, rule: Rule): boolean {
  return (
    isUnicode(value) &&
    within([...value].length, rule.minChars, rule.maxChars) &&
    within(utf8(value).length, 0, rule.maxBytes) &&
    (!rule.pattern || rule.pattern.test(value))
  );
}

function within(number: number | bigint, min = 0, max = Number.POSITIVE_INFINITY): boolean {
  return number >= min && number <= max;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === "" || value === 0 || value === 0n;
}
