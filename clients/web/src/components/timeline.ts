// What is due, in the order of time, with how it stands now.

import type { Clock, ClockKind } from "meldbrug/gen/coordination/v1/coordination_pb";
import { dateOf } from "../app/moments";

export type Standing = "met" | "metLate" | "late" | "due";

/** One thing that is due. */
export interface Mark {
  readonly kind: ClockKind;
  readonly due: Date;
  /** When it was done; absent until then. */
  readonly met: Date | undefined;
  readonly standing: Standing;
}

/** What is due, on both sides of now. */
export interface Timeline {
  readonly before: readonly Mark[];
  readonly after: readonly Mark[];
}

/** Returns what is due in the order of time, before now and after it. */
export function timelineOf(clocks: readonly Clock[], now: Date): Timeline {
  const marks = clocks.flatMap((clock) => markOf(clock, now)).sort((one, other) => +one.due - +other.due);
  return { before: marks.filter(({ due }) => due <= now), after: marks.filter(({ due }) => due > now) };
}

function markOf({ kind, dueTime, metTime }: Clock, now: Date): Mark[] {
  if (!dueTime) return [];
  const due = dateOf(dueTime);
  const met = metTime && dateOf(metTime);
  const isLate = (met ?? now) > due;
  return [{ kind, due, met, standing: met ? (isLate ? "metLate" : "met") : isLate ? "late" : "due" }];
}
