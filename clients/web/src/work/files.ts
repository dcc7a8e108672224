// The key file of this device, and the ones that are about to take its place: all sealed, each replaced in one step.

import { KeyFileError } from "meldbrug";
import { kidIn } from "meldbrug/keyfile";

const PLACE = "key-file";
/** Followed by the key that the file in it comes after. */
const NEXT = "next-key-file/";
/** The key that was made for an invitation, until the installation has taken it. */
const INVITED = "invited-key-file";

/** Whether this browser lets a site keep nothing: a key that is made here would be gone with the page. */
export function keepsNothing(): boolean {
  try {
    return !localStorage;
  } catch {
    return true;
  }
}

/** Whether a key file is kept on this device. */
export function hasKey(storage: Storage = localStorage): boolean {
  return storage.getItem(PLACE) !== null;
}

/** Keeps a key file on this device, as it is: sealed. */
export function keepFile(file: Uint8Array, storage: Storage = localStorage): void {
  storage.setItem(PLACE, new TextDecoder().decode(file));
}

/** Returns the key file of this device, to be exported. */
export function keptFile(storage: Storage = localStorage): Uint8Array {
  return new TextEncoder().encode(storage.getItem(PLACE) ?? "");
}

/** Removes the key file of this device. */
export function removeKept(storage: Storage = localStorage): void {
  storage.removeItem(PLACE);
}

/** Keeps the file of the key that is to follow `kid`. */
export function keepNext(kid: string, file: Uint8Array, storage: Storage = localStorage): void {
  storage.setItem(NEXT + kid, new TextDecoder().decode(file));
}

/** Returns the file of the key that is to follow `kid`; undefined when none waits. */
export function nextFile(kid: string, storage: Storage = localStorage): Uint8Array | undefined {
  const held = storage.getItem(NEXT + kid);
  return held === null ? undefined : new TextEncoder().encode(held);
}

/** Puts the file that waits in the place of the one of `kid`. It waits until the other is written. */
export function promoteNext(kid: string, storage: Storage = localStorage): void {
  const next = nextFile(kid, storage);
  if (!next) return;
  keepFile(next, storage);
  storage.removeItem(NEXT + kid);
}

/** Keeps the file of a key that was made for an invitation, beside the one of this device. */
export function keepInvited(file: Uint8Array, storage: Storage = localStorage): void {
  storage.setItem(INVITED, new TextDecoder().decode(file));
}

/** Returns the file of the key that was made for an invitation; undefined when none waits. */
export function invitedFile(storage: Storage = localStorage): Uint8Array | undefined {
  const held = storage.getItem(INVITED);
  return held === null ? undefined : new TextEncoder().encode(held);
}

/** Whether a key was made here for an invitation, and not taken as far as this device knows. */
export function isEnrolling(): boolean {
  return invitedFile() !== undefined;
}

/** Puts the file of the invited key in the place of the one of this device. It waits until the other is written. */
export function promoteInvited(storage: Storage = localStorage): void {
  const invited = invitedFile(storage);
  if (!invited) return;
  keepFile(invited, storage);
  forgetInvited(storage);
}

/** Forgets the key that was made for an invitation. */
export function forgetInvited(storage: Storage = localStorage): void {
  storage.removeItem(INVITED);
}

/** Forgets what waits to follow `kid`, and what is left of how `kid` itself came. */
export function forgetNext(kid: string, storage: Storage = localStorage): void {
  const waiting = Object.keys(storage).filter((place) => place.startsWith(NEXT));
  for (const place of waiting) {
    const after = place.slice(NEXT.length);
    if (after === kid || isOf(kid, nextFile(after, storage))) storage.removeItem(place);
  }
}

function isOf(kid: string, file: Uint8Array | undefined): boolean {
  try {
    return file !== undefined && kidIn(file) === kid;
  } catch (error) {
    // A damaged file is nobody's, and keeps nobody from removing theirs.
    if (error instanceof KeyFileError) return false;
    throw error;
  }
}
