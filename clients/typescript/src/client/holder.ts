/** Whoever holds a receipt: calls and signatures with its keys, which are all the authority there is. */

import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";

import type { PublicKeys, SecretKeys } from "../crypto/keys.js";
import { type StatementKind, sign, type ToSay } from "../crypto/statements.js";
import type { Signed } from "../gen/common/v1/common_pb.js";
import type { Report } from "../gen/disclosure/v1/disclosure_pb.js";
import { ReporterService as Disclosure } from "../gen/disclosure/v1/disclosure_service_pb.js";
import { type Connection, type Credentials, WITHIN_S } from "./connection.js";
import { Refused } from "./errors.js";
import type { Eyes } from "./reading.js";
import { part } from "./served.js";
import { Voice } from "./speaking.js";

/** How long a report is repeated with the same request id until it is in. */
const REPORT_WITHIN_S = 120;

/** One receipt's keys. */
export class Holder {
  readonly connection: Connection;
  /** Signs what is about the whole report. */
  readonly voice: Voice;
  readonly keys: SecretKeys;
  readonly eyes: Eyes;
  readonly #credentials: Credentials;

  /** Uses `connection`. */
  constructor(connection: Connection, keys: SecretKeys) {
    this.connection = connection;
    this.voice = new Voice(keys, connection.installation, connection.clock);
    this.keys = keys;
    this.eyes = { installation: connection.installation, keys };
    this.#credentials = { keys, selfCertifying: true };
  }

  /** The fingerprint of the receipt's keys. */
  get kid(): string {
    return this.keys.kid;
  }

  /** The receipt's public keys. */
  get public(): PublicKeys {
    return this.keys.public;
  }

  /** The pinned installation. */
  get installation(): string {
    return this.connection.installation;
  }

  /** Returns the statement signed by the reporter. */
  sign<K extends StatementKind>(kind: K, fields: ToSay<K>): Promise<Signed> {
    return sign(kind, fields, this.keys);
  }

  /**
   * Lets the server tell the time before something is signed, unless it takes this clock's already.
   *
   * A statement carries its time and is repeated as it is: signed by a clock that is off it would be refused however often
   * it came, though the first refusal corrected the clock.
   */
  async agreeOnTime(patient = false): Promise<void> {
    if (this.connection.clock.isAgreed) {
      return;
    }
    try {
      await this.call(Disclosure.method.getReport, {}, patient);
    } catch (error) {
      // Who reports has no report to look at yet, and a server too full to look may still take what follows.
      if (!(error instanceof Refused)) {
        throw error;
      }
    }
  }

  /**
   * Returns the report of this receipt.
   *
   * @throws NotPermitted - there is none.
   */
  async find(): Promise<Report> {
    return part((await this.call(Disclosure.method.getReport, {})).report, "report");
  }

  /** Calls a method with the reporter's key. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    patient = false,
  ): Promise<MessageShape<O>> {
    return this.connection.call(method, request, {
      credentials: this.#credentials,
      withinS: patient ? REPORT_WITHIN_S : WITHIN_S,
      repeatWhenExhausted: patient,
    });
  }
}
