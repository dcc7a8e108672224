import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type Language, route } from "./route.svelte";

// As in Europe: the day before the month, and no a.m. or p.m.
const LOCALES: Readonly<Record<Language, string>> = { nl: "nl-NL", en: "en-GB" };

/** Returns a moment on the reader's own clock and in their language; empty for none. */
export function moment(when: Timestamp | Date | undefined): string {
  const date = when instanceof Date ? when : when && dateOf(when);
  return date ? date.toLocaleString(LOCALES[route.language], { dateStyle: "long", timeStyle: "short" }) : "";
}

/** Returns a served moment as a date, to the second. */
export function dateOf(when: Timestamp): Date {
  return new Date(Number(when.seconds) * 1000);
}

/** Returns a day. */
export function day(when: Date): string {
  return when.toLocaleDateString(LOCALES[route.language], { dateStyle: "long" });
}
