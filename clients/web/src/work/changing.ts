// Another key for the one of this device. Whenever this page dies, one of the two files opens what the member has:
// the new one is kept before anything is announced, and the old one until the installation has taken the new one.

import { KeyFileError, MemberClient, SecretKeys } from "meldbrug";
import { kidIn, openedFile, sealedFile } from "meldbrug/keyfile";
import { newPrfSalt, withPasskey } from "meldbrug/passkeys";
import { isUnknownKey } from "../app/problems";
import { goOnAs, keptPasskeys, type Seat } from "./desk.svelte";
import { keepNext, keptFile, nextFile, promoteNext } from "./files";
import { askPasskeys } from "./passkey";

const LOCK = "meldbrug/change-key";

/** Whether a change of this key was begun here and not finished. */
export function isHalfway(kid: string): boolean {
  return nextFile(kid) !== undefined;
}

/**
 * Changes the key of a seat and goes on with the new one; goes on where an earlier change stopped.
 *
 * @param passphrase - Of the key file; of the one that waits where a change was begun before.
 * @throws KeyFileError - `passphrase`: it is another one; `damaged`: the file of this device is another key's by now.
 * @throws PasskeyError - the passkey that opens the file was not given; nothing was changed.
 * @throws MeldbrugError - the installation did not take it; the old key goes on to work, and this may be repeated.
 */
export function changeKey(seat: Seat, passphrase: string): Promise<void> {
  // Two pages at once would each make a key, and the one that is kept might not be the one that is taken.
  return navigator.locks.request(LOCK, () => change(seat, passphrase));
}

async function change(seat: Seat, passphrase: string): Promise<void> {
  const { kid } = seat.client;
  if (kidIn(keptFile()) !== kid)
    throw new KeyFileError("damaged", "the key file of this device is another one");
  const keys = await nextKeys(kid, passphrase);
  keepNext(kid, await openedByItsPasskey(await sealedFile(keys, passphrase), keys));
  await rotate(seat.client, keys);
  promoteNext(kid);
  goOnAs(keys);
}

/** Returns the keys that wait, or new ones under the same passphrase as the old ones. */
async function nextKeys(kid: string, passphrase: string): Promise<SecretKeys> {
  const waiting = nextFile(kid);
  if (waiting) return openedFile(waiting, passphrase);
  await openedFile(keptFile(), passphrase);
  return SecretKeys.generate();
}

/** Lets the passkey of the old file open the new one too: the same passkey, asked for something else. */
async function openedByItsPasskey(file: Uint8Array, keys: SecretKeys): Promise<Uint8Array> {
  const prfSalt = newPrfSalt();
  const asked = keptPasskeys().map(({ credential }) => ({ credential, prfSalt }));
  if (asked.length === 0) return file;
  const { credential, prf } = await askPasskeys(asked);
  return withPasskey(file, keys, { credential, prfSalt }, prf);
}

/** Rotates, or finds that an earlier page did and died before the new file was in place. */
async function rotate(client: MemberClient, keys: SecretKeys): Promise<void> {
  try {
    await client.rotation.rotate(keys);
  } catch (error) {
    if (!isUnknownKey(error)) throw error;
    await new MemberClient(client.connection, keys).me();
  }
}
