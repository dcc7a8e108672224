// Whoever works here: their keys are in memory while the page is open, and sealed on the device otherwise.

import { KeyFileError, MemberClient, Pins, type SecretKeys } from "meldbrug";
import { Organisation_Kind } from "meldbrug/gen/directory/v1/directory_pb";
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
import { isUnknownKey } from "../app/problems";
import { forgetNext, keepFile, keptFile, nextFile, promoteNext, removeKept } from "./files";
import { askPasskeys, newPasskey } from "./passkey";

/** Who is signed in, as the directory says and the chain proves. */
export interface Seat {
  readonly client: MemberClient;
  readonly title: string;
  readonly organisation: string;
  readonly isAdmin: boolean;
  /** Whether it may act for the secretariat. */
  readonly isSecretariat: boolean;
  /** Whether the key is the root that every chain leads to: it alone vouches for admins, and is never changed. */
  readonly isRoot: boolean;
  /** What this page remembers of reporters; it outlives a change of keys. */
  readonly pins: Pins;
}

let current = $state.raw<Seat | undefined>();

/** The desk of this page. */
export const desk = {
  get seat(): Seat | undefined {
    return current;
  },
};

/** Removes the key file from this device. */
export function removeFile(storage: Storage = localStorage): void {
  if (current) forgetNext(current.client.kid, storage);
  removeKept(storage);
  signOut();
}

/**
 * Signs in with the key file of this device.
 *
 * @throws KeyFileError - the passphrase is wrong, or the file is damaged.
 * @throws MeldbrugError - the directory does not know the key, or did not answer.
 */
export async function signIn(passphrase: string): Promise<void> {
  await enter(await openedFile(keptFile(), passphrase), (next) => openedFile(next, passphrase));
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
  await enter(await openedWithPasskey(keptFile()), openedWithPasskey);
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
  const pins = new Pins();
  const client = new MemberClient(await connected(), keys, pins);
  const { member, organisation } = await client.me();
  const isAdmin = member?.admin ?? false;
  current = {
    client,
    title: member?.title ?? "",
    organisation: organisation?.title ?? "",
    isAdmin,
    isSecretariat: isAdmin && organisation?.kind === Organisation_Kind.SECRETARIAT,
    isRoot: client.kid === client.installation,
    pins,
  };
}

/** Goes on in the same seat with the keys that follow. */
export function goOnAs(keys: SecretKeys): void {
  if (!current) return;
  const { client, pins } = current;
  current = { ...current, client: new MemberClient(client.connection, keys, pins) };
}

/** Takes a seat; with the next key where the installation took it and the page that changed it died before it knew. */
async function enter(keys: SecretKeys, open: (next: Uint8Array) => Promise<SecretKeys>): Promise<void> {
  try {
    await seat(keys);
  } catch (error) {
    const next = nextFile(keys.kid);
    if (!next || !isUnknownKey(error)) throw error;
    await seat(await open(next));
    promoteNext(keys.kid);
  }
}

async function openedWithPasskey(file: Uint8Array): Promise<SecretKeys> {
  const passkeys = passkeysIn(file);
  if (passkeys.length === 0) throw new KeyFileError("passkey", "no passkey opens this key file");
  const { credential, prf } = await askPasskeys(passkeys);
  return openedByPasskey(file, credential, prf);
}

/** Forgets who is signed in; the key file stays on the device. */
export function signOut(): void {
  current = undefined;
}
