// Whoever works here: their keys are in memory while the page is open, and sealed on the device otherwise.

import { KeyFileError, MemberClient, type SecretKeys } from "meldbrug";
import { openedFile, sealedFile } from "meldbrug/keyfile";
import {
  newPrfSalt,
  openedByPasskey,
  type Passkey,
  passkeysIn,
  withoutPasskey,
  withPasskey,
} from "meldbrug/passkeys";
import { connected } from "../app/installation";
import { askPasskeys, newPasskey } from "./passkey";

const PLACE = "key-file";

/** Who is signed in, as the directory says and the chain proves. */
export interface Seat {
  readonly client: MemberClient;
  readonly title: string;
  readonly organisation: string;
  readonly isAdmin: boolean;
}

let current = $state.raw<Seat | undefined>();

/** The desk of this page. */
export const desk = {
  get seat(): Seat | undefined {
    return current;
  },
};

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

/** Removes the key file from this device. */
export function removeFile(storage: Storage = localStorage): void {
  storage.removeItem(PLACE);
  signOut();
}

/**
 * Signs in with the key file of this device.
 *
 * @throws KeyFileError - the passphrase is wrong, or the file is damaged.
 * @throws MeldbrugError - the directory does not know the key, or did not answer.
 */
export async function signIn(passphrase: string): Promise<void> {
  await seat(await openedFile(keptFile(), passphrase));
}

/** Returns the passkeys that open the key file of this device; none where it cannot be read. */
export function keptPasskeys(storage: Storage = localStorage): readonly Passkey[] {
  try {
    return passkeysIn(keptFile(storage));
  } catch (error) {
    if (error instanceof KeyFileError) return [];
    throw error;
  }
}

/**
 * Signs in with a passkey instead of the passphrase.
 *
 * @throws PasskeyError - no passkey was given.
 * @throws KeyFileError - the one that was given does not open the file, or the file is damaged.
 * @throws MeldbrugError - the directory does not know the key, or did not answer.
 */
export async function signInByPasskey(): Promise<void> {
  const { credential, prf } = await askPasskeys(keptPasskeys());
  await seat(await openedByPasskey(keptFile(), credential, prf));
}

/**
 * Lets a passkey of this device open its key file besides the passphrase.
 *
 * @throws PasskeyError - no passkey was made, or it cannot open a file.
 * @throws KeyFileError - the file of this device is another key's by now.
 */
export async function addPasskey(keys: SecretKeys): Promise<void> {
  const prfSalt = newPrfSalt();
  const { credential, prf } = await newPasskey(keys.kid, prfSalt);
  keepFile(await withPasskey(keptFile(), keys, { credential, prfSalt }, prf));
}

/** Lets the passphrase alone open the key file of this device. */
export function removePasskeys(): void {
  const file = keptPasskeys().reduce((held, { credential }) => withoutPasskey(held, credential), keptFile());
  keepFile(file);
}

/** Makes a key file out of new keys and keeps it. */
export async function keepKeys(keys: SecretKeys, passphrase: string): Promise<void> {
  keepFile(await sealedFile(keys, passphrase));
}

/** Takes a seat with keys that are open already. */
export async function seat(keys: SecretKeys): Promise<void> {
  const client = new MemberClient(await connected(), keys);
  const { member, organisation } = await client.me();
  current = {
    client,
    title: member?.title ?? "",
    organisation: organisation?.title ?? "",
    isAdmin: member?.admin ?? false,
  };
}

/** Forgets who is signed in; the key file stays on the device. */
export function signOut(): void {
  current = undefined;
}
