// A report that is being written, kept on the device only under the receipt: without the twelve words nobody reads it.

import { DRAFTS } from "../app/leaving";

const NONCE_BYTES = 12;
const PLACE_BITS = 128;
const KEY_LABEL = "meldbrug/receipt/draft/v1";
const PLACE_LABEL = "meldbrug/receipt/draft-place/v1";

/** What of a report that is not sent yet survives a dropped tab. */
export interface Kept {
  /** Code of the production; empty for the standing entry. */
  readonly code: string;
  /** Keys of whoever would handle it. */
  readonly intake: readonly string[];
  readonly excludedSubjects: readonly string[];
  readonly excludedOrganisations: readonly string[];
  readonly categories: readonly number[];
  readonly context: string;
  readonly account: string;
}

/** A draft as it is kept: where, and what nobody reads without the receipt. */
export interface Sealed {
  readonly place: string;
  readonly text: string;
}

/** Returns a draft sealed under a receipt. */
export async function sealed(draft: Kept, entropy: Uint8Array): Promise<Sealed> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const plain = new TextEncoder().encode(JSON.stringify(draft));
  const held = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, await keyOf(entropy), plain);
  // One by one: a long text is more than a browser takes as the arguments of one call.
  const characters = Array.from([...nonce, ...new Uint8Array(held)], (byte) => String.fromCharCode(byte));
  return { place: await placeOf(entropy), text: btoa(characters.join("")) };
}

/** Keeps a sealed draft on this device, in the place of any before it under the same receipt. */
export function keep({ place, text }: Sealed): void {
  localStorage.setItem(place, text);
}

/** Returns the draft that is kept under a receipt; nothing when there is none that it opens. */
export async function kept(entropy: Uint8Array): Promise<Kept | undefined> {
  try {
    const held = localStorage.getItem(await placeOf(entropy)) ?? "";
    const bytes = Uint8Array.from(atob(held), (character) => character.charCodeAt(0));
    const [nonce, sealed] = [bytes.slice(0, NONCE_BYTES), bytes.slice(NONCE_BYTES)];
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonce }, await keyOf(entropy), sealed);
    return JSON.parse(new TextDecoder().decode(plain)) as Kept;
  } catch {
    return undefined;
  }
}

/** Forgets what is kept under a receipt. */
export async function forget(entropy: Uint8Array): Promise<void> {
  const place = await placeOf(entropy);
  try {
    localStorage.removeItem(place);
  } catch {
    // A device that keeps nothing has nothing to forget.
  }
}

/** Returns where a receipt's draft is kept: two that are written at once are never in each other's place. */
async function placeOf(entropy: Uint8Array): Promise<string> {
  const bits = await crypto.subtle.deriveBits(under(PLACE_LABEL), await secretOf(entropy), PLACE_BITS);
  return DRAFTS + Array.from(new Uint8Array(bits), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function keyOf(entropy: Uint8Array): Promise<CryptoKey> {
  const secret = await secretOf(entropy);
  return crypto.subtle.deriveKey(under(KEY_LABEL), secret, { name: "AES-GCM", length: 256 }, false, [
    "encrypt",
    "decrypt",
  ]);
}

function secretOf(entropy: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", Uint8Array.from(entropy), "HKDF", false, ["deriveKey", "deriveBits"]);
}

function under(label: string): HkdfParams {
  return { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: new TextEncoder().encode(label) };
}
