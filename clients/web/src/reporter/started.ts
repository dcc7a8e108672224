import { whenLeaving } from "../app/leaving";
import { Report } from "./report.svelte";

let current: Report | undefined;

// From whatever page somebody leaves: what they wrote is gone, and nothing that is under way brings it back.
whenLeaving(() => current?.forget());

/** Returns the report that is being made; a new one when there is none, or when the last one was sent. */
export function started(): Report {
  if (!current || current.step === "sent") current = new Report();
  return current;
}

/** Goes on with a report that was begun before. */
export function goOnWith(report: Report): void {
  current = report;
}
