// A report that is being written, kept on the device only under the receipt: without the twelve words nobody reads it.

const PLACE = "draft";
const NONCE_BYTES = 12;

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

/** Returns a draft sealed under a receipt. */
export async function sealed(draft: Kept, entropy: Uint8Array): Promise<string> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const plain = new TextEncoder().encode(JSON.stringify(draft));
  const held = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, await keyOf(entropy), plain);
  return btoa(String.fromCharCode(...nonce, ...new Uint8Array(held)));
}

/** Keeps a sealed draft on this device, in the place of any before it. */
export function keep(draft: string, storage: Storage = localStorage): void {
  storage.setItem(PLACE, draft);
}

/** Returns the draft that is kept under a receipt; nothing when there is none that it opens. */
export async function kept(entropy: Uint8Array, storage: Storage = localStorage): Promise<Kept | undefined> {
  const held = storage.getItem(PLACE);
  if (!held) return undefined;
  try {
    const bytes = Uint8Array.from(atob(held), (character) => character.charCodeAt(0));
    const [nonce, sealed] = [bytes.slice(0, NONCE_BYTES), bytes.slice(NONCE_BYTES)];
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonce }, await keyOf(entropy), sealed);
    return JSON.parse(new TextDecoder().decode(plain)) as Kept;
  } catch {
    return undefined;
  }
}

/** Forgets it. */
export function forget(storage: Storage = localStorage): void {
  storage.removeItem(PLACE);
}

async function keyOf(entropy: Uint8Array): Promise<CryptoKey> {
  const secret = await crypto.subtle.importKey("raw", Uint8Array.from(entropy), "HKDF", false, ["deriveKey"]);
  const info = new TextEncoder().encode("meldbrug/receipt/draft/v1");
  const derived = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
  return crypto.subtle.deriveKey(derived, secret, { name: "AES-GCM", length: 256 }, false, [
    "encrypt",
    "decrypt",
  ]);
}
