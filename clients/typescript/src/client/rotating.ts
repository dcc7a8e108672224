/** A new key for the same member: announce it, hand over every seat, then let the old one end. */

import { create, toBinary } from "@bufbuild/protobuf";

import { concat, equal } from "../crypto/bytes.js";
import { CryptoError } from "../crypto/errors.js";
import type { PublicKeys, SecretKeys } from "../crypto/keys.js";
import { commitmentOf, digestOf, unwrapKey } from "../crypto/sealing.js";
import type { Member } from "../gen/directory/v1/directory_pb.js";
import { MemberService } from "../gen/directory/v1/directory_service_pb.js";
import { type Seat, SeatSchema, type Wrap } from "../gen/disclosure/v1/disclosure_pb.js";
import { SeatService } from "../gen/disclosure/v1/disclosure_service_pb.js";
import { type Rewrap_Item, Rewrap_ItemSchema, type SectionRef } from "../gen/statements/v1/statements_pb.js";
import { Unverified } from "./errors.js";
import { incidentOf } from "./names.js";
import { wrapFor } from "./sealing.js";
import { insist, part } from "./served.js";
import type { Session } from "./session.js";

/** A server cannot keep a client re-wrapping for ever. */
const MAX_SEATS = 100_000;

/** Rotates the caller's key. Every step may be repeated; the old key works until the last one. */
export class Rotating {
  readonly #session: Session;

  /** Acts with the old key. */
  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Announces `newKeys`, hands over every seat and ends the old key.
   *
   * The caller has stored `newKeys` before: when this returns nothing else opens.
   */
  async rotate(newKeys: SecretKeys): Promise<Member> {
    await this.begin(newKeys);
    await this.rewrap(newKeys);
    return this.complete(newKeys);
  }

  /** Announces the key that shall follow. */
  async begin(newKeys: SecretKeys): Promise<Member> {
    const { organisation, subject } = part((await this.#session.me()).member, "member");
    const rotation = await this.#session.sign("rotation", {
      installation: this.#session.installation,
      organisation,
      subject,
      oldKid: this.#session.kid,
      newKid: newKeys.kid,
      sequence: this.#session.sequence(),
    });
    const { signing, sealing } = newKeys.public;
    const requestId = this.#session.connection.newRequestId();
    const request = { rotation, newKeys: { signing, sealing }, requestId };
    return part((await this.#session.call(MemberService.method.beginRotation, request)).member, "member");
  }

  /**
   * Hands every seat that has no successor yet to the new key; returns how many steps it took.
   *
   * @throws Unverified - a wrap is not what it says; nothing of its seat was handed over.
   */
  async rewrap(newKeys: SecretKeys): Promise<number> {
    let steps = 0;
    let last: Uint8Array = new Uint8Array(0);
    for (
      let seats = await this.#seats(newKeys.kid);
      seats.length > 0;
      seats = await this.#seats(newKeys.kid)
    ) {
      const listed = concat(...seats.map((seat) => toBinary(SeatSchema, seat)));
      insist(!equal(listed, last) && steps < MAX_SEATS, "the list of seats does not end");
      last = listed;
      for (const seat of seats) {
        await this.#handOver(seat, newKeys.public);
        steps += 1;
      }
    }
    return steps;
  }

  /**
   * Ends the old key.
   *
   * @throws Refused - SEATS_WITHOUT_SUCCESSOR: a seat came meanwhile; re-wrap again.
   */
  async complete(newKeys: SecretKeys): Promise<Member> {
    const request = { newKid: newKeys.kid, requestId: this.#session.connection.newRequestId() };
    return part((await this.#session.call(MemberService.method.completeRotation, request)).member, "member");
  }

  async #seats(newKid: string): Promise<readonly Seat[]> {
    return (await this.#session.call(SeatService.method.listSeats, { newKid })).seats;
  }

  async #handOver(seat: Seat, successor: PublicKeys): Promise<void> {
    const wraps: Wrap[] = [];
    const items: Rewrap_Item[] = [];
    for (const ref of seat.sections) {
      const handed = await this.#handed(seat, ref, successor);
      const { section, version, commitment } = ref;
      const wrapDigest = await digestOf(handed.wrap);
      items.push(create(Rewrap_ItemSchema, { section, version, commitment, wrapDigest }));
      wraps.push(handed);
    }
    const rewrap = await this.#session.sign("rewrap", {
      installation: this.#session.installation,
      incident: seat.incident,
      grant: seat.grant,
      oldKid: this.#session.kid,
      newKid: successor.kid,
      items,
      sequence: this.#session.sequence(),
    });
    const request = { rewrap, wraps, requestId: this.#session.connection.newRequestId() };
    await this.#session.call(SeatService.method.rewrapSeat, request);
  }

  async #handed(seat: Seat, ref: SectionRef, successor: PublicKeys): Promise<Wrap> {
    const { section, version, kind } = ref;
    const held = part(
      seat.wraps.filter((wrap) => wrap.section === section && wrap.version === version).at(-1),
      "wrap of a seat",
    );
    insist(incidentOf(section) === seat.incident, "wrap of a seat");
    const { installation, keys } = this.#session;
    const context = { installation, incident: seat.incident, section, version, kind };
    const cek = await unwrapped(() => unwrapKey(held.wrap, keys, context, seat.grant, seat.purposes));
    insist(equal(await commitmentOf(cek), ref.commitment), "commitment of a seat");
    return wrapFor(successor, cek, context, seat.grant, seat.purposes);
  }
}

async function unwrapped(unwrap: () => Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await unwrap();
  } catch (error) {
    throw error instanceof CryptoError ? new Unverified("wrap of a seat") : error;
  }
}
