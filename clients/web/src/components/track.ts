// How far a notice is, as its state alone proves it: what an end does not tell is not shown.

import { NoticeState as State } from "meldbrug/gen/common/v1/common_pb";

export type Standing = "done" | "now" | "ahead" | "ended";

/** One step of a notice. */
export interface Step {
  readonly state: State;
  readonly standing: Standing;
}

const WAY: readonly State[] = [
  State.CONSENT_PENDING,
  State.OFFERED,
  State.TERMS_ACCEPTED,
  State.OPENED,
  State.ACKNOWLEDGED,
];

/** How many steps of the way lie behind each end for certain; the others may or may not have been made. */
const PROVEN: Readonly<Partial<Record<State, number>>> = {
  [State.NOT_CONSENTED]: 1,
  [State.WITHDRAWN]: 1,
  [State.DECLINED]: 2,
  [State.LAPSED]: 2,
  [State.EXPIRED]: 2,
  [State.RECALL_REQUESTED]: 4,
};

/** Returns the steps of a notice in this state; none for a state that is newer than this app. */
export function stepsOf(state: State): Step[] {
  const at = WAY.indexOf(state);
  if (at >= 0) return WAY.map((step, place) => ({ state: step, standing: standing(place - at) }));
  const proven = PROVEN[state];
  if (proven === undefined) return [];
  const behind = WAY.slice(0, proven).map((step): Step => ({ state: step, standing: "done" }));
  return [...behind, { state, standing: "ended" }];
}

function standing(ahead: number): Standing {
  if (ahead === 0) return "now";
  return ahead < 0 ? "done" : "ahead";
}
