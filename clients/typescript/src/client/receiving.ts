/** A named reader's acts: see the stub, answer the terms, open, acknowledge. Opening verifies first. */

import { DeclineReason, type Kind, type NoticeState, type Purpose } from "../gen/common/v1/common_pb.js";
import type { Stub } from "../gen/coordination/v1/coordination_pb.js";
import {
  ReaderService as Coordination,
  type ListInboxResponse,
} from "../gen/coordination/v1/coordination_service_pb.js";
import {
  ReaderService as Disclosure,
  type OpenSectionsResponse,
} from "../gen/disclosure/v1/disclosure_service_pb.js";
import type { Connection } from "./connection.js";
import { MeldbrugError, NotReached, Refused } from "./errors.js";
import { claimed, type OpenedNotice, readNotice } from "./notices.js";
import { every, type Listed } from "./paging.js";
import type { Terms } from "./public.js";
import { insist, part } from "./served.js";
import { onLatest, type Session } from "./session.js";

/** Below the longest stream that the service takes; the next one goes on where this one ended. */
const STREAM_S = 1_700;
/** Above two of the longest heartbeats that a service may be set to: a line that is silent for longer is dead. */
const SILENT_S = 130;
const COMES_BACK = new Set(["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED", "INTERNAL"]);

/** Who watches an inbox. */
export interface Watcher {
  /** Ends the watching, whatever is under way. */
  readonly signal?: AbortSignal | undefined;
  /** Told whether the server is heard: at each message that it is, and when a stream broke that it is not. */
  readonly heard?: (isHeard: boolean) => void;
}

/** The notices of one named reader. */
export class Receiving {
  readonly #session: Session;

  /** Acts with the member's key. */
  constructor(session: Session) {
    this.#session = session;
  }

  /** Lists stubs and tombstones, newest change first; of some states when they are named. */
  inbox(states: readonly NoticeState[] = []): Listed<Stub> {
    return every(
      (pageToken) => this.inboxPage(pageToken, states),
      (page) => page.notices,
    );
  }

  /** Returns one page, with the token to watch from. */
  inboxPage(pageToken = "", states: readonly NoticeState[] = []): Promise<ListInboxResponse> {
    return this.#session.call(Coordination.method.listInbox, { pageToken, states: [...states] });
  }

  /**
   * Yields changed stubs and tombstones until the watcher ends it; goes on by itself where a stream ended or broke.
   *
   * @throws Refused - the server refused for good: the key ended, or the token is of another list.
   */
  async *watch(resumeToken = "", watcher: Watcher = {}): AsyncGenerator<Stub, void, undefined> {
    const { signal, heard } = watcher;
    const { connection, credentials } = this.#session;
    let [failures, corrected, token] = [0, false, resumeToken];
    while (!signal?.aborted) {
      try {
        const request = { resumeToken: token };
        const method = Coordination.method.watchInbox;
        const stream = connection.stream(method, request, credentials, STREAM_S, {
          signal,
          silentS: SILENT_S,
        });
        for await (const message of stream) {
          [failures, corrected, token] = [0, false, message.resumeToken || token];
          heard?.(true);
          if (message.notice) {
            yield message.notice;
          }
        }
        corrected = false;
      } catch (error) {
        // The refusal itself corrected the clock: once in a row is enough, whatever failed before it.
        const isClock = error instanceof Refused && error.reason === "TOKEN_STALE";
        if (!comesBack(error) && !(isClock && !corrected)) {
          throw error;
        }
        corrected = isClock;
        heard?.(false);
      }
      // A stream that only ended is reopened after a pause too: one that ends at once would spin.
      failures += 1;
      await pause(connection, failures, signal);
    }
  }

  /** Returns a notice's stub, or its tombstone. */
  async stub(notice: string): Promise<Stub> {
    const answer = await this.#session.call(Coordination.method.getNotice, { notice });
    const found = part(answer.notice, "another notice");
    insist(found.name === notice, "another notice");
    return found;
  }

  /**
   * Accepts the handling terms as read, for the participation; returns where the notice stands.
   *
   * @throws Refused - TERMS_MISMATCH: these are not the terms of the notice.
   */
  accept(notice: string, terms: Terms): Promise<NoticeState> {
    return this.#answer(notice, terms, DeclineReason.UNSPECIFIED);
  }

  /** Declines for the participation. */
  async decline(notice: string, terms: Terms, reason: DeclineReason): Promise<NoticeState> {
    if (reason === DeclineReason.UNSPECIFIED) {
      throw new MeldbrugError("say why it is declined");
    }
    return this.#answer(notice, terms, reason);
  }

  /**
   * Opens a notice and returns it after every check held; the reporter sees that and for what.
   *
   * @param notice - `incidents/{incident}/notices/{notice}`.
   * @param purpose - What for; one that was consented to.
   * @param kinds - Which kinds; empty for all.
   * @throws NotPermitted - no consent, no decision, terms not accepted, a conflict, or no such notice.
   * @throws Unverified - something of it is not what it says; nothing is shown.
   */
  async open(notice: string, purpose: Purpose, kinds: readonly Kind[] = []): Promise<OpenedNotice> {
    const { sender } = await this.stub(notice);
    const requestId = this.#session.connection.newRequestId();
    const request = { notice, kinds: [...kinds], purpose, requestId };
    const answer = await this.#session.call(Disclosure.method.openSections, request);
    const book = await this.#session.lookUp([this.#session.kid, ...kidsIn(answer)]);
    const now = this.#session.connection.clock.now();
    return readNotice(this.#session.eyes, { notice, kinds, purpose, sender, now }, answer, book);
  }

  /**
   * Acknowledges an opened notice.
   *
   * @throws Stale - the notice changed since `etag` was read; without one the newest is used.
   */
  acknowledge(notice: string, etag?: string): Promise<Stub> {
    return onLatest(
      etag,
      async () => (await this.stub(notice)).etag,
      async (read) => {
        const request = { notice, etag: read, requestId: this.#session.connection.newRequestId() };
        const answer = await this.#session.call(Coordination.method.acknowledgeNotice, request);
        return part(answer.notice, "notice");
      },
    );
  }

  async #answer(notice: string, terms: Terms, declineReason: DeclineReason): Promise<NoticeState> {
    const stub = await this.stub(notice);
    const answer = await this.#session.sign("terms", {
      installation: this.#session.installation,
      notice,
      participation: stub.recipient,
      termsVersion: terms.version,
      termsDigest: terms.digest,
      accepted: declineReason === DeclineReason.UNSPECIFIED,
      declineReason,
      readerKid: this.#session.kid,
      sequence: this.#session.sequence(),
    });
    const request = { notice, answer, requestId: this.#session.connection.newRequestId() };
    return (await this.#session.call(Disclosure.method.answerTerms, request)).state;
  }
}

/** Returns the keys that the answer's statements and texts name; unverified, to look them up. */
function kidsIn(answer: OpenSectionsResponse): string[] {
  return [
    claimed("decision", answer.decision, "statement").handlerKid,
    ...answer.rewraps.map((step) => claimed("rewrap", step, "statement").oldKid),
    ...answer.sections.flatMap(({ header }) => header?.authorKid || []),
  ];
}

async function pause(
  connection: Connection,
  failures: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!signal?.aborted) {
    await connection.device.pause(connection.backoffS(failures));
  }
}

/** Tells whether a broken stream is worth another one. */
function comesBack(error: unknown): boolean {
  return error instanceof NotReached || (error instanceof Refused && COMES_BACK.has(error.code));
}
