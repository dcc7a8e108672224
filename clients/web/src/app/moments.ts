import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type Language, route } from "./route.svelte";
import { words } from "./words";

// As in Europe: the day before the month, and no a.m. or p.m.
const LOCALES: Readonly<Record<Language, string>> = { nl: "nl-NL", en: "en-GB" };

/** Returns a moment on the reader's own clock and in their language; empty for none. */
export function moment(when: Timestamp | Date | undefined): string {
  const date = asDate(when);
  return date ? date.toLocaleString(LOCALES[route.language], { dateStyle: "long", timeStyle: "short" }) : "";
}

/**
 * Returns until when something may be done. What is due at midnight is due the day before, and so it is said: an hour of
 * 00:00 reads as the day that begins. Midnight is that of the reader's own clock, on which every other moment is shown
 * too; where it is not midnight then, the hour is said.
 */
export function deadline(when: Timestamp | Date | undefined): string {
  const date = asDate(when);
  if (!date || date.getTime() !== new Date(date).setHours(0, 0, 0, 0)) return moment(date);
  const dayBefore = new Date(date.getFullYear(), date.getMonth(), date.getDate() - 1);
  return words().timeline.endOf(dayBefore.toLocaleDateString(LOCALES[route.language], { dateStyle: "full" }));
}

function asDate(when: Timestamp | Date | undefined): Date | undefined {
  return when instanceof Date ? when : when && dateOf(when);
}

/** Returns a served moment as a date, to the second. */
export function dateOf(when: Timestamp): Date {
  return new Date(Number(when.seconds) * 1000);
}

/** Returns a day. */
export function day(when: Date): string {
  return when.toLocaleDateString(LOCALES[route.language], { dateStyle: "long" });
}
