/** Passkeys of key files: a second way in that neither opens more nor disturbs the first. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { KeyFileError } from "../src/client/errors.js";
import { openedFile, sealedFile } from "../src/client/keyfile.js";
import {
  MAX_PASSKEYS,
  newPrfSalt,
  openedByPasskey,
  passkeysIn,
  withoutPasskey,
  withPasskey,
} from "../src/client/passkeys.js";
import { base64, equal, textOf, utf8 } from "../src/crypto/bytes.js";
import { filled, KEYS, ROOT } from "./scripted.js";

const PASSPHRASE = "een wachtzin";
const PLAIN = await sealedFile(KEYS, undefined);
const SEALED = await sealedFile(KEYS, PASSPHRASE);
const PASSKEY = { credential: utf8("a credential"), prfSalt: newPrfSalt() };
const PRF = filled("p");
const BOTH = await withPasskey(SEALED, KEYS, PASSKEY, PRF);

// biome-ignore lint/suspicious/noExplicitAny: a file that a test changes anywhere
type Changed = any;

function changed(change: (entry: Changed, file: Changed) => void): Uint8Array {
  const file: Changed = JSON.parse(textOf(BOTH) ?? "");
  change(file.passkeys[0], file);
  return utf8(JSON.stringify(file));
}

async function reason(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => assert.fail("it opened"),
    (raised: unknown) => raised,
  );
  assert.ok(error instanceof KeyFileError, String(error));
  return error.reason;
}

test("a passkey opens what the passphrase opens, and is known by its credential", async () => {
  const [one, other] = [
    await openedByPasskey(BOTH, PASSKEY.credential, PRF),
    await openedFile(BOTH, PASSPHRASE),
  ];

  assert.ok(equal(one.signingSeed, other.signingSeed) && equal(one.sealingSeed, KEYS.sealingSeed));
  assert.deepEqual(
    passkeysIn(BOTH).map(({ prfSalt }) => base64(prfSalt)),
    [base64(PASSKEY.prfSalt)],
  );
  assert.deepEqual(passkeysIn(SEALED), []);
});

test("another answer of the authenticator opens nothing, and neither does another passkey", async () => {
  assert.equal(await reason(openedByPasskey(BOTH, PASSKEY.credential, filled("q"))), "passkey");
  assert.equal(await reason(openedByPasskey(BOTH, utf8("another"), PRF)), "passkey");
  assert.equal(await reason(openedByPasskey(SEALED, PASSKEY.credential, PRF)), "passkey");
  assert.equal(await reason(openedByPasskey(BOTH, PASSKEY.credential, PRF.slice(1))), "passkey");
});

for (const [name, held, why] of [
  ["another kid", changed((_, file) => (file.kid = "a".repeat(52))), "passkey"],
  ["another public key", changed((_, file) => (file.public.signing = "AAAA")), "passkey"],
  ["another salt", changed((entry) => (entry.prfSalt = base64(filled("x")))), "passkey"],
  ["a short salt", changed((entry) => (entry.prfSalt = "AAAA")), "damaged"],
  ["a short nonce", changed((entry) => (entry.nonce = "AAAA")), "damaged"],
  ["short seeds", changed((entry) => (entry.sealedSeeds = "AAAA")), "damaged"],
  ["an empty credential", changed((entry) => (entry.credential = "")), "damaged"],
  ["an endless credential", changed((entry) => (entry.credential = base64(new Uint8Array(1024)))), "damaged"],
  ["passkeys that are no list", changed((_, file) => (file.passkeys = {})), "damaged"],
  ["a passkey that is none", changed((_, file) => (file.passkeys = [null])), "damaged"],
  ["no keys", changed((_, file) => delete file.public), "damaged"],
  ["too many", changed((entry, file) => (file.passkeys = Array(MAX_PASSKEYS + 1).fill(entry))), "damaged"],
] as const) {
  test(`a changed file opens nothing: ${name}`, async () => {
    assert.equal(await reason(openedByPasskey(held, PASSKEY.credential, PRF)), why);
  });
}

test("an entry follows an earlier one of its credential, and can be taken out", async () => {
  const again = await withPasskey(BOTH, KEYS, { ...PASSKEY, prfSalt: newPrfSalt() }, filled("n"));

  assert.equal(passkeysIn(again).length, 1);
  assert.equal(await reason(openedByPasskey(again, PASSKEY.credential, PRF)), "passkey");
  assert.equal((await openedByPasskey(again, PASSKEY.credential, filled("n"))).kid, KEYS.kid);
  assert.deepEqual(passkeysIn(withoutPasskey(again, PASSKEY.credential)), []);
  assert.deepEqual(passkeysIn(withoutPasskey(again, utf8("another"))).length, 1);
});

test("a passkey is not added to a file that is another's, plain, or full", async () => {
  let full = SEALED;
  for (let count = 0; count < MAX_PASSKEYS; count++) {
    full = await withPasskey(full, KEYS, { ...PASSKEY, credential: utf8(`credential ${count}`) }, PRF);
  }

  assert.equal(await reason(withPasskey(SEALED, ROOT, PASSKEY, PRF)), "damaged");
  assert.equal(await reason(withPasskey(PLAIN, KEYS, PASSKEY, PRF)), "damaged");
  assert.equal(await reason(withPasskey(full, KEYS, PASSKEY, PRF)), "damaged");
  const endless = { ...PASSKEY, credential: new Uint8Array(1024) };
  assert.equal(await reason(withPasskey(SEALED, KEYS, endless, PRF)), "damaged");
});
