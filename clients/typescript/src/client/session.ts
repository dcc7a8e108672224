/** A member's own key at work: calls, signatures, and looking up whom to believe. */

import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";

import type { SecretKeys } from "../crypto/keys.js";
import { type StatementKind, sign, type ToSay } from "../crypto/statements.js";
import type { Signed } from "../gen/common/v1/common_pb.js";
import { type KeyBook, KeyBookSchema, type Production } from "../gen/directory/v1/directory_pb.js";
import { type GetMeResponse, MemberService } from "../gen/directory/v1/directory_service_pb.js";
import { Book } from "./book.js";
import { Circle } from "./circle.js";
import type { Connection, Credentials } from "./connection.js";
import { Stale } from "./errors.js";
import { every, type Listed } from "./paging.js";
import type { Eyes } from "./reading.js";
import { bookIn, part } from "./served.js";

export const KEYS_AT_A_TIME = 64;
/** How often the newest etag is read before giving up on a resource that keeps changing. */
const READS = 5;

/**
 * Acts on the etag that the caller read, or else on the newest, read again while it changes.
 *
 * @throws Stale - the resource changed since the caller read it.
 */
export async function onLatest<T>(
  etag: string | undefined,
  newest: () => Promise<string>,
  act: (etag: string) => Promise<T>,
): Promise<T> {
  if (etag !== undefined) {
    return act(etag);
  }
  for (let read = 1; read < READS; read++) {
    try {
      return await act(await newest());
    } catch (error) {
      if (!(error instanceof Stale)) {
        throw error;
      }
    }
  }
  return act(await newest());
}

/** One member and one key. */
export class Session {
  readonly connection: Connection;
  readonly eyes: Eyes;
  /** Whose key signs the tokens. */
  readonly credentials: Credentials;

  /** Uses `connection`. */
  constructor(connection: Connection, keys: SecretKeys) {
    this.connection = connection;
    this.eyes = { installation: connection.installation, keys };
    this.credentials = { keys };
  }

  /** The member's keys. */
  get keys(): SecretKeys {
    return this.eyes.keys;
  }

  /** The fingerprint of the member's keys. */
  get kid(): string {
    return this.eyes.keys.kid;
  }

  /** The pinned installation. */
  get installation(): string {
    return this.eyes.installation;
  }

  /** Returns the next sequence of a statement. */
  sequence(): bigint {
    return this.connection.clock.sequence();
  }

  /** Returns the statement signed by the member. */
  sign<K extends StatementKind>(kind: K, fields: ToSay<K>): Promise<Signed> {
    return sign(kind, fields, this.keys);
  }

  /** Calls a method with the member's key. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    return this.connection.call(method, request, { credentials: this.credentials });
  }

  /** Returns the caller's own membership, organisation and roles. */
  me(): Promise<GetMeResponse> {
    return this.call(MemberService.method.getMe, {});
  }

  /** Lists the productions that the caller's organisation takes part in. */
  productions(): Listed<Production> {
    return every(
      (pageToken) => this.call(MemberService.method.listProductions, { pageToken }),
      (page) => page.productions,
    );
  }

  /**
   * Returns who takes part in a production of the caller's organisation.
   *
   * @throws NotPermitted - it takes no part, or there is no such production.
   */
  async circle(production: string): Promise<Circle> {
    const answer = await this.call(MemberService.method.getCircle, { production });
    return new Circle(part(answer.circle, "circle"), this.installation);
  }

  /**
   * Returns an organisation's participations with their contacts; for the independent point.
   *
   * @throws NotPermitted - the caller is of another organisation.
   */
  async participationsOf(organisation: string): Promise<Circle> {
    const answer = await this.call(MemberService.method.lookUpParticipations, { organisation });
    return new Circle(part(answer.circle, "circle"), this.installation);
  }

  /** Returns a book of keys, past ones included; what is not in it does not verify when it is needed. */
  async lookUp(kids: Iterable<string>): Promise<Book> {
    const asked = [...new Set(kids)].sort();
    const served = create(KeyBookSchema);
    for (let start = 0; start < asked.length; start += KEYS_AT_A_TIME) {
      const some = asked.slice(start, start + KEYS_AT_A_TIME);
      merge(served, bookIn((await this.call(MemberService.method.lookUpKeys, { kids: some })).book));
    }
    return new Book(this.installation, served);
  }
}

function merge(into: KeyBook, more: KeyBook): void {
  into.keys.push(...more.keys);
  into.endorsements.push(...more.endorsements);
  into.rotations.push(...more.rotations);
  into.appointments.push(...more.appointments);
}
