import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { route } from "./route.svelte";

/** Returns a moment on the reader's own clock and in their language; empty for none. */
export function moment(when: Timestamp | Date | undefined): string {
  const date = when instanceof Date ? when : when && dateOf(when);
  return date ? date.toLocaleString(route.language, { dateStyle: "long", timeStyle: "short" }) : "";
}

/** Returns a served moment as a date, to the second. */
export function dateOf(when: Timestamp): Date {
  return new Date(Number(when.seconds) * 1000);
}

/** Returns a day. */
export function day(when: Date): string {
  return when.toLocaleDateString(route.language, { dateStyle: "long" });
}
