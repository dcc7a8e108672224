// Passkeys in this browser. No server is asked: what counts is the 32 bytes that only the authenticator can make,
// for the host of this page and once it has verified its user.

import { base64url, randomBytes } from "meldbrug";
import type { Passkey } from "meldbrug/passkeys";
import { PasskeyError } from "../app/problems";

const WITHIN_MS = 120_000;
const CHALLENGE_BYTES = 32;
const SHOWN = 8;
// EdDSA, ES256, RS256: nobody looks at what they sign, but an authenticator must know one of them.
const ALGORITHMS = [-8, -7, -257] as const;
// No authenticator at hand can do what is asked, or the address is one that no passkey can belong to.
const UNABLE: ReadonlySet<string> = new Set(["ConstraintError", "NotSupportedError", "SecurityError"]);

/** What an authenticator gave. */
export interface Given {
  /** The id of the passkey that was used. */
  readonly credential: Uint8Array;
  /** What opens a key file, 32 bytes. */
  readonly prf: Uint8Array;
}

/**
 * Makes a passkey for a key.
 *
 * @param kid - The key's fingerprint: whoever synchronises passkeys learns nothing else of its member.
 * @param prfSalt - What the passkey will be asked for.
 * @throws PasskeyError - the authenticator cannot do it, or its user did not agree.
 */
export async function newPasskey(kid: string, prfSalt: Uint8Array): Promise<Given> {
  const name = kid.slice(0, SHOWN);
  const made = await answered(() =>
    navigator.credentials.create({
      publicKey: {
        rp: { id: location.hostname, name: location.hostname },
        // Of the same key: a new passkey takes the place of an old one in the same authenticator.
        user: { id: new TextEncoder().encode(kid), name, displayName: name },
        challenge: challenge(),
        pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: {
          residentKey: "required",
          requireResidentKey: true,
          userVerification: "required",
        },
        extensions: { prf: { eval: { first: new Uint8Array(prfSalt) } } },
        timeout: WITHIN_MS,
      },
    }),
  );
  if (!made.getClientExtensionResults().prf?.enabled) throw new PasskeyError("unable");
  const credential = new Uint8Array(made.rawId);
  const prf = prfIn(made);
  // Security keys give nothing while they make a passkey: they are asked once more.
  return prf ? { credential, prf } : askPasskeys([{ credential, prfSalt }]);
}

/**
 * Asks for one of the passkeys, whichever is at hand.
 *
 * @throws PasskeyError - the authenticator cannot do it, has none of them, or its user did not agree.
 */
export async function askPasskeys(passkeys: readonly Passkey[]): Promise<Given> {
  const given = await answered(() =>
    navigator.credentials.get({
      publicKey: {
        rpId: location.hostname,
        challenge: challenge(),
        allowCredentials: passkeys.map(({ credential }) => ({
          type: "public-key",
          id: new Uint8Array(credential),
        })),
        userVerification: "required",
        extensions: { prf: { evalByCredential: Object.fromEntries(passkeys.map(salted)) } },
        timeout: WITHIN_MS,
      },
    }),
  );
  const prf = prfIn(given);
  if (!prf) throw new PasskeyError("unable");
  return { credential: new Uint8Array(given.rawId), prf };
}

function salted({ credential, prfSalt }: Passkey): [string, AuthenticationExtensionsPRFValues] {
  return [base64url(credential), { first: new Uint8Array(prfSalt) }];
}

function prfIn(given: PublicKeyCredential): Uint8Array | undefined {
  const first = given.getClientExtensionResults().prf?.results?.first;
  return first && new Uint8Array(first as ArrayBuffer);
}

function challenge(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(randomBytes(CHALLENGE_BYTES));
}

async function answered(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  if (typeof PublicKeyCredential === "undefined") throw new PasskeyError("unable");
  try {
    const given = await ask();
    if (given instanceof PublicKeyCredential) return given;
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    throw new PasskeyError(UNABLE.has(error.name) ? "unable" : "refused");
  }
  throw new PasskeyError("refused");
}
