// What went wrong, in the reader's words. Nothing of what was sent or served is repeated.

import {
  CryptoError,
  DoesNotOpen,
  KeyFileError,
  NotPermitted,
  NotReached,
  Refused,
  Stale,
  Unavailable,
  Unverified,
} from "meldbrug";
import type { Words } from "../words/nl";
import { OtherInstallation } from "./links";

/** Something is in under these twelve words already, and it may be another text than the one that was to be sent. */
export class AlreadyIn extends Error {}

/** Why a passkey gave nothing. */
export type PasskeyReason = "unable" | "refused";

/** A passkey was not made, or opened nothing; `reason` says why. */
export class PasskeyError extends Error {
  readonly reason: PasskeyReason;

  /** Keeps the reason. */
  constructor(reason: PasskeyReason) {
    super(`passkey: ${reason}`);
    this.reason = reason;
  }
}

/** Whether the installation knows the key no more, or not yet. */
export function isUnknownKey(error: unknown): boolean {
  return error instanceof Refused && error.reason === "KEY_UNKNOWN";
}

/** Returns one sentence for a failure: what it means, and what helps. */
export function problemOf(error: unknown, w: Words["problems"]): string {
  if (error instanceof OtherInstallation) return w.otherInstallation;
  if (error instanceof AlreadyIn) return w.alreadyIn;
  if (error instanceof NotPermitted) return w.notPermitted;
  if (error instanceof Stale) return w.changedMeanwhile;
  if (error instanceof DoesNotOpen) return w.doesNotOpen;
  if (error instanceof Unverified || error instanceof CryptoError) return w.doesNotVerify;
  if (error instanceof Unavailable || error instanceof NotReached) return w.comeBackLater;
  if (error instanceof Refused) return refusedBy(error, w);
  if (error instanceof PasskeyError || error instanceof KeyFileError) return withTheKey(error, w);
  return error instanceof TypeError ? w.comeBackLater : w.unexpected;
}

function withTheKey(error: PasskeyError | KeyFileError, w: Words["problems"]): string {
  if (error instanceof PasskeyError) return error.reason === "unable" ? w.passkeyUnable : w.passkeyRefused;
  return error.reason === "passkey" ? w.passkeyWrong : w.keyChanged;
}

function refusedBy(error: Refused, w: Words["problems"]): string {
  if (error.reason === "OVERLOADED") return w.comeBackLater;
  if (error.reason === "SEATS_WITHOUT_SUCCESSOR") return w.seatCame;
  if (isUnknownKey(error)) return w.keyUnknown;
  if (error.reason === "INVITATION_INVALID") return w.invitationInvalid;
  if (error.reason === "WRONG_STATE") return w.wrongState;
  return error.code === "INVALID_ARGUMENT" ? w.doesNotFit : w.unexpected;
}
