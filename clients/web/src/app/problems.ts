// What went wrong, in the reader's words. Nothing of what was sent or served is repeated.

import {
  CryptoError,
  DoesNotOpen,
  NotPermitted,
  NotReached,
  Refused,
  Stale,
  Unavailable,
  Unverified,
} from "meldbrug";
import type { Words } from "../words/nl";

/** Returns one sentence for a failure: what it means, and what helps. */
export function problemOf(error: unknown, w: Words["problems"]): string {
  if (error instanceof NotPermitted) return w.notPermitted;
  if (error instanceof Stale) return w.changedMeanwhile;
  if (error instanceof DoesNotOpen) return w.doesNotOpen;
  if (error instanceof Unverified || error instanceof CryptoError) return w.doesNotVerify;
  if (error instanceof Unavailable || error instanceof NotReached) return w.comeBackLater;
  if (error instanceof Refused) return refusedBy(error, w);
  return error instanceof TypeError ? w.comeBackLater : w.unexpected;
}

function refusedBy(error: Refused, w: Words["problems"]): string {
  if (error.reason === "OVERLOADED") return w.comeBackLater;
  if (error.reason === "WRONG_STATE") return w.wrongState;
  return error.code === "INVALID_ARGUMENT" ? w.doesNotFit : w.unexpected;
}
