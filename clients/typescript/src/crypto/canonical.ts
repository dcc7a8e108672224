/** One unambiguous byte string for a list of fields: what is signed, bound and hashed outside protobuf. */

import { concat, utf8 } from "./bytes.js";

/** What has a canonical form. Numbers are whole, from 0 to 2^64 - 1. */
export type Field = Uint8Array | string | number | bigint | readonly Field[];

const LABEL = /^[a-z][a-z-]{0,31}$/;
const BYTES = 1;
const TEXT = 2;
const INTEGER = 3;
const LIST = 4;

/**
 * Returns `meldbrug/<label>/v1`, a zero byte, and every field with its tag and length.
 *
 * Two different lists of fields never give the same bytes, because each field says its type and its length.
 *
 * @throws RangeError - `label` is not lower-case letters and hyphens, or a number does not fit 64 bits unsigned.
 * @throws TypeError - a field is of another type.
 */
export function canonical(label: string, ...fields: readonly Field[]): Uint8Array {
  if (!LABEL.test(label)) {
    throw new RangeError("a label is 1-32 lower-case letters and hyphens");
  }
  return concat(utf8(`meldbrug/${label}/v1\0`), ...fields.map(encoded));
}

function encoded(field: Field): Uint8Array {
  if (field instanceof Uint8Array) {
    return concat(head(BYTES, field.length), field);
  }
  if (Array.isArray(field)) {
    return concat(head(LIST, field.length), ...field.map(encoded));
  }
  switch (typeof field) {
    case "string": {
      const text = utf8(field);
      return concat(head(TEXT, text.length), text);
    }
    case "number":
    case "bigint":
      return concat(head(INTEGER, 8), u64(field));
    default:
      throw new TypeError(`no canonical form for ${typeof field}`);
  }
}

function head(tag: number, length: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = tag;
  new DataView(bytes.buffer).setUint32(1, length);
  return bytes;
}

function u64(number: number | bigint): Uint8Array {
  if (typeof number === "number" && !Number.isSafeInteger(number)) {
    throw new RangeError("a number is whole, and exact");
  }
  const exact = BigInt(number);
  if (exact < 0n || exact >= 1n << 64n) {
    throw new RangeError("a number is 0 to 2^64 - 1");
  }
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, exact);
  return bytes;
}
