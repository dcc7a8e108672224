/** The two keys every principal holds: Ed25519 to sign, X-Wing (ML-KEM-768 and X25519) to be sealed to. */

import { XWing } from "@hpke/hybridkem-x-wing";

import { base32, copied, type RandomBytes, randomBytes } from "./bytes.js";
import { ed25519, type Signer } from "./ed25519.js";
import { KeyMalformed } from "./errors.js";
import { sha256, source } from "./platform.js";

export const SEED_BYTES = 32;
export const SIGNING_BYTES = 32;
export const SIGNATURE_BYTES = 64;
export const SEALING_BYTES = 1216;
const MLKEM_BYTES = 1184;
/** Of the ML-KEM part, the coefficients; the rest is a seed. */
const COEFFICIENT_BYTES = 1152;
/** FIPS 203: every coefficient is below this. */
const MLKEM_Q = 3329;

const KID = /^[a-z2-7]{52}$/;
const P = 2n ** 255n - 19n;
const WITHOUT_SIGN = (1n << 255n) - 1n;

// y-coordinates of the points of order 1, 2, 4 and 8 on edwards25519; a signature under such a key verifies
// for more than one message (Brendel et al. 2020, "The Provable Security of Ed25519").
const SMALL_ORDER_Y = new Set([
  0n,
  1n,
  P - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
]);

// u-coordinates of the points of small order on curve25519 and its twist; a shared secret with such a key is
// zero whatever the other side's secret (RFC 7748, section 6.1).
const SMALL_ORDER_U = new Set([
  0n,
  1n,
  P - 1n,
  0x00b8495f16056286fdb1329ceb8d09da6ac49ff1fae35616aeb8413b7c7aebe0n,
  0x57119fd0dd4e22d8868e1c58c45c44045bef839c55b1d0b1248c50a3bc959c5fn,
]);

const KEM = new XWing();

/** Returns the fingerprint of a pair of public keys: base32 of SHA-256, lower case, 52 characters. */
export async function kidOf(signing: Uint8Array, sealing: Uint8Array): Promise<string> {
  return base32(await sha256(signing, sealing));
}

/** Tells whether `text` has the shape of a fingerprint. */
export function isKid(text: string): boolean {
  return KID.test(text);
}

/** A principal's public keys; one that exists is well-formed and in no small subgroup. */
export class PublicKeys {
  readonly signing: Uint8Array;
  readonly sealing: Uint8Array;
  /** The fingerprint of both keys together. */
  readonly kid: string;

  private constructor(signing: Uint8Array, sealing: Uint8Array, kid: string) {
    this.signing = signing;
    this.sealing = sealing;
    this.kid = kid;
  }

  /**
   * Returns the keys, copied.
   *
   * @throws KeyMalformed - a key has the wrong length, is not canonical, or is of small order.
   */
  static async of(signing: Uint8Array, sealing: Uint8Array): Promise<PublicKeys> {
    requireLength(signing, SIGNING_BYTES, "signing-length");
    requireLength(sealing, SEALING_BYTES, "sealing-length");
    requireSigningKey(signing);
    requireHonestPoint(numberOf(sealing.subarray(MLKEM_BYTES)), SMALL_ORDER_U, "sealing");
    requireCoefficients(sealing);
    return new PublicKeys(copied(signing), copied(sealing), await kidOf(signing, sealing));
  }

  /** Tells whether `signature` is this key's over exactly `message`. */
  verify(signature: Uint8Array, message: Uint8Array): Promise<boolean> {
    return verifySignature(this.signing, signature, message);
  }
}

/** A principal's secret keys, as the two 32-byte seeds that everything else follows from. */
export class SecretKeys {
  readonly #signingSeed: Uint8Array;
  readonly #sealingSeed: Uint8Array;
  readonly #signer: Signer;
  /** The public halves. */
  readonly public: PublicKeys;

  private constructor(signingSeed: Uint8Array, sealingSeed: Uint8Array, signer: Signer, both: PublicKeys) {
    this.#signingSeed = signingSeed;
    this.#sealingSeed = sealingSeed;
    this.#signer = signer;
    this.public = both;
  }

  /**
   * Returns the keys that follow from two seeds.
   *
   * @throws KeyMalformed - a seed has another length.
   */
  static async of(signingSeed: Uint8Array, sealingSeed: Uint8Array): Promise<SecretKeys> {
    requireLength(signingSeed, SEED_BYTES, "signing-seed-length");
    requireLength(sealingSeed, SEED_BYTES, "sealing-seed-length");
    const signer = await (await ed25519()).signer(signingSeed);
    const pair = await KEM.generateKeyPairDerand(copied(sealingSeed));
    const sealing = new Uint8Array(await KEM.serializePublicKey(pair.publicKey));
    const both = await PublicKeys.of(signer.signing, sealing);
    return new SecretKeys(copied(signingSeed), copied(sealingSeed), signer, both);
  }

  /** Returns new keys from 64 random bytes. */
  static generate(random: RandomBytes = randomBytes): Promise<SecretKeys> {
    return SecretKeys.of(random(SEED_BYTES), random(SEED_BYTES));
  }

  /** The fingerprint of the public halves. */
  get kid(): string {
    return this.public.kid;
  }

  /** The seed of the signing key; whoever has it signs as this principal. */
  get signingSeed(): Uint8Array {
    return copied(this.#signingSeed);
  }

  /** The seed of the sealing key; whoever has it reads what was sealed to this principal. */
  get sealingSeed(): Uint8Array {
    return copied(this.#sealingSeed);
  }

  /** Returns the Ed25519 signature over `message`, which must begin with its own label. */
  sign(message: Uint8Array): Promise<Uint8Array> {
    return this.#signer.sign(message);
  }
}

/** Tells whether `signature` verifies under the Ed25519 key `signing`; never under a malformed one. */
export async function verifySignature(
  signing: Uint8Array,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  if (signature.length !== SIGNATURE_BYTES || !isSigningKey(signing)) {
    return false;
  }
  return (await ed25519()).verify(signing, signature, message);
}

/**
 * Returns when `signing` is 32 bytes, canonical, and not of small order.
 *
 * @throws KeyMalformed - it is not.
 */
export function requireSigningKey(signing: Uint8Array): void {
  requireLength(signing, SIGNING_BYTES, "signing-length");
  requireHonestPoint(numberOf(signing) & WITHOUT_SIGN, SMALL_ORDER_Y, "signing");
}

function isSigningKey(signing: Uint8Array): boolean {
  try {
    requireSigningKey(signing);
    return true;
  } catch {
    return false;
  }
}

function requireLength(value: Uint8Array, length: number, detail: string): void {
  if (value.length !== length) {
    throw new KeyMalformed(detail);
  }
}

function requireHonestPoint(coordinate: bigint, small: ReadonlySet<bigint>, which: string): void {
  if (coordinate >= P) {
    throw new KeyMalformed(`${which}-not-canonical`);
  }
  if (small.has(coordinate)) {
    throw new KeyMalformed(`${which}-small-order`);
  }
}

/** Refuses an ML-KEM key with a coefficient that is not reduced (FIPS 203, section 7.2): 12 bits each, low first. */
function requireCoefficients(sealing: Uint8Array): void {
  const view = new DataView(source(sealing).buffer, source(sealing).byteOffset, COEFFICIENT_BYTES);
  for (let at = 0; at < COEFFICIENT_BYTES; at += 3) {
    const low = view.getUint8(at) | ((view.getUint8(at + 1) & 0x0f) << 8);
    const high = (view.getUint8(at + 1) >> 4) | (view.getUint8(at + 2) << 4);
    if (low >= MLKEM_Q || high >= MLKEM_Q) {
      throw new KeyMalformed("sealing-not-canonical");
    }
  }
}

function numberOf(littleEndian: Uint8Array): bigint {
  return littleEndian.reduceRight((number, byte) => (number << 8n) | BigInt(byte), 0n);
}
