/**
 * What vouches for keys, verified from the pinned root before anything is sealed to them or shown as theirs.
 *
 * A directory serves a flat book of keys and statements (`KeyBook`). Nothing in it is believed for being there:
 * whatever a client needs is verified from the root's fingerprint, and what does not verify does not exist.
 */

import {
  type Place,
  type SignedBy,
  type VerifiedAppointment,
  type VerifiedMember,
  verifyAppointment,
  verifyMember,
} from "../crypto/chains.js";
import { CryptoError } from "../crypto/errors.js";
import { PublicKeys } from "../crypto/keys.js";
import { parse, type Said, type StatementKind } from "../crypto/statements.js";
import type { Signed } from "../gen/common/v1/common_pb.js";
import type { KeyBook } from "../gen/directory/v1/directory_pb.js";
import { Unverified } from "./errors.js";

/** A statement of the book with what it says; unverified. */
interface Claimed<K extends StatementKind> {
  readonly signed: Signed;
  readonly said: Said<K>;
}

/** The statements of the book by what they are looked up with; nothing in it is verified. */
interface Claims {
  readonly endorsements: ReadonlyMap<string, Claimed<"endorsement">>;
  readonly rotations: ReadonlyMap<string, Claimed<"rotation">>;
  readonly successors: ReadonlyMap<string, string>;
  readonly appointments: readonly Claimed<"appointment">[];
}

/** A key book and the root that everything in it must lead to. */
export class Book {
  readonly #rootKid: string;
  readonly #served: KeyBook;
  #byKid: Promise<ReadonlyMap<string, PublicKeys>> | undefined;
  #read: Claims | undefined;

  /** Keeps what was served; what is needed of it is verified when it is asked for. */
  constructor(rootKid: string, served: KeyBook) {
    this.#rootKid = rootKid;
    this.#served = served;
  }

  /**
   * Returns the public keys of `kid`.
   *
   * @throws Unverified - the book does not hold them.
   */
  async keys(kid: string): Promise<PublicKeys> {
    this.#byKid ??= keysIn(this.#served);
    const found = (await this.#byKid).get(kid);
    if (!found) {
      throw new Unverified("key");
    }
    return found;
  }

  /**
   * Returns whose key `kid` is, as the root or an admin under it vouches.
   *
   * @throws Unverified - no chain of the book leads from the root to the key.
   */
  async member(kid: string): Promise<VerifiedMember> {
    const line = this.#line(kid);
    const own = this.#endorsement(line, "endorsement");
    const signer = own.said.signerKid;
    const admins = signer === this.#rootKid ? [] : [this.#line(signer)];
    const endorsements = [
      ...admins.map((above) => this.#endorsement(above, "endorsement of the admin")),
      own,
    ];
    const rotations = new Map(
      [...admins, line].flat().map((step) => [step, this.#claims.rotations.get(step)]),
    );
    const led = [...rotations.values()].filter((rotation) => rotation !== undefined);
    return await held("endorsement", async () =>
      verifyMember(
        this.#rootKid,
        await Promise.all(endorsements.map((each) => this.#signedBy(each, each.said.signerKid))),
        await Promise.all(led.map((each) => this.#signedBy(each, each.said.oldKid))),
        await this.keys(kid),
      ),
    );
  }

  /**
   * Returns the seat called `name`, as an admin of its organisation gave it.
   *
   * @throws Unverified - the book does not prove it for this participation and capacity.
   */
  async appointment(name: string, place: Place): Promise<VerifiedAppointment> {
    const appointed = this.#claims.appointments.find(({ said }) => said.appointment === name);
    if (!appointed) {
      throw new Unverified("appointment");
    }
    return this.#verified(appointed, place, this.#newest(appointed.said.kid));
  }

  /**
   * Returns a seat that the holder of `kid` has or had at a place.
   *
   * @throws Unverified - the book proves none.
   */
  async appointmentOf(kid: string, place: Place): Promise<VerifiedAppointment> {
    const line = this.#line(kid);
    const appointed = this.#claims.appointments.find(
      ({ said }) =>
        said.participation === place.participation &&
        said.capacity === place.capacity &&
        line.includes(said.kid),
    );
    if (!appointed) {
      throw new Unverified("appointment");
    }
    return this.#verified(appointed, place, kid);
  }

  async #verified(
    appointed: Claimed<"appointment">,
    place: Place,
    holder: string,
  ): Promise<VerifiedAppointment> {
    const signer = appointed.said.signerKid;
    const carried = await this.#signedBy(appointed, signer);
    const [admin, member] = [await this.member(signer), await this.member(holder)];
    return await held("appointment", () => verifyAppointment(this.#rootKid, carried, admin, member, place));
  }

  /** Returns the endorsement that a line of keys begins with. */
  #endorsement(line: readonly string[], what: string): Claimed<"endorsement"> {
    const found = this.#claims.endorsements.get(line[0] ?? "");
    if (!found) {
      throw new Unverified(what);
    }
    return found;
  }

  /** Returns the keys that were rotated into `kid`, oldest first, itself last. */
  #line(kid: string): string[] {
    const line = [kid];
    let rotation = this.#claims.rotations.get(kid);
    while (rotation) {
      const { oldKid } = rotation.said;
      if (line.includes(oldKid)) {
        throw new Unverified("rotation");
      }
      line.unshift(oldKid);
      rotation = this.#claims.rotations.get(oldKid);
    }
    return line;
  }

  /** Returns the key that `kid` was rotated into; itself when it was not. */
  #newest(kid: string): string {
    const seen = new Set<string>();
    let newest = kid;
    for (let next: string | undefined = kid; next !== undefined; next = this.#claims.successors.get(next)) {
      if (seen.has(next)) {
        throw new Unverified("rotation");
      }
      seen.add(next);
      newest = next;
    }
    return newest;
  }

  async #signedBy(claimed: Claimed<StatementKind>, signer: string): Promise<SignedBy> {
    return { signed: claimed.signed, signer: await this.keys(signer) };
  }

  get #claims(): Claims {
    this.#read ??= claimsIn(this.#served);
    return this.#read;
  }
}

function claimsIn(served: KeyBook): Claims {
  const endorsements = served.endorsements.map((signed) => claimed("endorsement", signed));
  const rotations = served.rotations.map((signed) => claimed("rotation", signed));
  const byNew = new Map(rotations.map((rotation) => [rotation.said.newKid, rotation]));
  return {
    endorsements: new Map(endorsements.map((endorsement) => [endorsement.said.kid, endorsement])),
    rotations: byNew,
    successors: new Map([...byNew].map(([newKid, { said }]) => [said.oldKid, newKid])),
    appointments: served.appointments.map((signed) => claimed("appointment", signed)),
  };
}

function claimed<K extends StatementKind>(kind: K, signed: Signed): Claimed<K> {
  try {
    return { signed, said: parse(kind, signed) };
  } catch (error) {
    throw unverified(kind, error);
  }
}

async function keysIn(served: KeyBook): Promise<ReadonlyMap<string, PublicKeys>> {
  const keys = await held("key", () =>
    Promise.all(served.keys.map((each) => PublicKeys.of(each.signing, each.sealing))),
  );
  return new Map(keys.map((each) => [each.kid, each]));
}

async function held<T>(what: string, verify: () => Promise<T>): Promise<T> {
  try {
    return await verify();
  } catch (error) {
    throw unverified(what, error);
  }
}

function unverified(what: string, error: unknown): unknown {
  return error instanceof CryptoError ? new Unverified(`${what}: ${error.detail}`) : error;
}
