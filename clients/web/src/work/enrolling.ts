// A newcomer's key. Whenever this page dies, what the installation took is on this device: the file is kept before the
// invitation is used, and the one that was here stays until the new key is taken.

import { acceptInvitation, type Connection, KeyFileError, Refused, SecretKeys } from "meldbrug";
import { openedFile, sealedFile } from "meldbrug/keyfile";
import { connected } from "../app/installation";
import { forgetInvited, invitedFile, keepInvited, keptFile, promoteInvited } from "./files";

const LOCK = "meldbrug/enrol";

/** Returns what tells whether the key file of this device is still the one that was asked about. */
export function deviceNow(): string {
  return new TextDecoder().decode(keptFile());
}

/**
 * Hands a new key in with an invitation and puts it in the place of the one of this device; goes on with the key that
 * waits where an earlier page stopped. Returns its fingerprint.
 *
 * @param code - The invitation's; of the one that was begun with where a key waits.
 * @param passphrase - For the new file; of the one that waits where a key does.
 * @param device - What `deviceNow` told when the member was asked whether the key here may be replaced.
 * @throws KeyFileError - `passphrase`: it is another one; `damaged`: the key file of this device changed meanwhile.
 * @throws Refused - the code is not, or no longer, one; a key that was made just for it is gone again.
 * @throws MeldbrugError - nobody knows whether it was taken; this may be repeated.
 */
export function enrol(code: string, passphrase: string, device: string): Promise<string> {
  // Two pages at once would each make a key, and the one that is kept might not be the one that is taken.
  return navigator.locks.request(LOCK, async () => {
    requireUnchanged(device);
    const connection = await connected();
    const waiting = invitedFile();
    const kid = waiting
      ? await handIn(connection, await openedFile(waiting, passphrase), code)
      : await handInNew(connection, code, passphrase);
    // The key waits on: whoever is asked about the file that is here now goes on with it.
    requireUnchanged(device);
    promoteInvited();
    return kid;
  });
}

/** Throws the key away that waits. A page that is handing it in comes first. */
export function beginAnew(): Promise<void> {
  return navigator.locks.request(LOCK, () => forgetInvited());
}

function requireUnchanged(device: string): void {
  if (deviceNow() !== device) throw new KeyFileError("damaged", "the key file of this device is another one");
}

async function handInNew(connection: Connection, code: string, passphrase: string): Promise<string> {
  const keys = await SecretKeys.generate();
  keepInvited(await sealedFile(keys, passphrase));
  try {
    return await handIn(connection, keys, code);
  } catch (error) {
    // A key that waited may have been taken with another code before: that one is never thrown away for a refusal.
    if (error instanceof Refused && error.code === "INVALID_ARGUMENT") forgetInvited();
    throw error;
  }
}

async function handIn(connection: Connection, keys: SecretKeys, code: string): Promise<string> {
  await acceptInvitation(connection, keys, code);
  return keys.kid;
}
