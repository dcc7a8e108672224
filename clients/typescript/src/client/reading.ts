/**
 * What is checked before a text is shown: who wrote it, that it is whole, and by whose yes it is read.
 *
 * Three doors, one core. Nothing is returned unless every section of the answer verified; no check is optional. A mailbox
 * or a case names a section that is as its author signed it but does not open, and goes on with the others: else one
 * author who seals wrongly closes it for ever, and a server that exchanges a wrap could as well have left the section
 * out. A notice or a preview is whole or not at all.
 */

import { create } from "@bufbuild/protobuf";

import { textOf } from "../crypto/bytes.js";
import type { VerifiedAppointment, VerifiedMember } from "../crypto/chains.js";
import { CryptoError } from "../crypto/errors.js";
import type { PublicKeys, SecretKeys } from "../crypto/keys.js";
import {
  openSection,
  type SealedSection,
  type SectionContext,
  unwrapKey,
  verifySealed,
} from "../crypto/sealing.js";
import { Kind } from "../gen/common/v1/common_pb.js";
import type { OpenedSection, SectionHeader, Wrap } from "../gen/disclosure/v1/disclosure_pb.js";
import { type SectionRef, SectionRefSchema } from "../gen/statements/v1/statements_pb.js";
import { DoesNotOpen, Unverified } from "./errors.js";
import { incidentOf } from "./names.js";
import { wrapFor } from "./sealing.js";
import { dateOf, insist, part } from "./served.js";

/** Who wrote a text: the reporter, or a member with the role an admin of its organisation gave it. */
export interface Author {
  readonly kid: string;
  readonly isReporter: boolean;
  readonly member?: VerifiedMember;
  readonly appointment?: VerifiedAppointment;
}

/** Authors by their keys, each with its public keys. */
export type Authors = ReadonlyMap<string, readonly [author: Author, keys: PublicKeys]>;

/** One section, opened and verified. */
export interface Text {
  /** `incidents/{incident}/sections/{section}`. */
  readonly section: string;
  /** Counted from 1. */
  readonly version: number;
  readonly kind: Kind;
  /** What it says; empty when it is no text, or when it does not open. */
  readonly text: string;
  /** Who wrote it. */
  readonly author: Author;
  /** When the service stored it, as the service says. */
  readonly createTime: Date;
  /** What evidence holds that is no text, a picture for instance; empty for every text. */
  readonly data: Uint8Array;
  /** Whether its author signed it but it does not open for these eyes; it says nothing then. */
  readonly isUnopened: boolean;
}

/** A verified section with the key that opens it: what its holder may hand on. */
export class Content {
  readonly text: Text;
  readonly header: SectionHeader;
  readonly #context: SectionContext;
  readonly #cek: Uint8Array;

  /** Keeps the key out of what a console shows. */
  constructor(text: Text, header: SectionHeader, context: SectionContext, cek: Uint8Array) {
    this.text = text;
    this.header = header;
    this.#context = context;
    this.#cek = cek;
  }

  /** How statements name it. */
  get ref(): SectionRef {
    const { name: section, version, kind, digest, commitment } = this.header;
    return create(SectionRefSchema, { section, version, kind, digest, commitment });
  }

  /** Returns the content key sealed to `reader` under a grant. */
  wrap(reader: PublicKeys, grant: string, purposes: readonly number[]): Promise<Wrap> {
    return wrapFor(reader, this.#cek, this.#context, grant, purposes);
  }
}

/** A section that its author signed but that does not open for these eyes. */
export interface Unopened {
  readonly text: Text;
}

/** Returns what is shown of each, in their order. */
export function textsOf(items: readonly (Content | Unopened)[]): Text[] {
  return items.map((item) => item.text);
}

/**
 * Returns the contents.
 *
 * @throws DoesNotOpen - one of them did not open.
 */
export function allOpen(items: readonly (Content | Unopened)[]): Content[] {
  return items.map((item) => {
    if (!(item instanceof Content)) {
      throw new DoesNotOpen();
    }
    return item;
  });
}

/** Tells whether an answer holds exactly the sections asked for, in their order. */
export function areNamed(opened: readonly OpenedSection[], sections: readonly string[]): boolean {
  return opened.length === sections.length && opened.every(({ header }, at) => header?.name === sections[at]);
}

/** Whose eyes read: the keys of this device and the installation they belong to. */
export interface Eyes {
  readonly installation: string;
  readonly keys: SecretKeys;
}

/** Opens sections through one door: one grant, one reporter, these eyes. */
export class Reader {
  readonly #eyes: Eyes;
  readonly #reporter: PublicKeys;
  readonly #grant: string;
  readonly #purposes: readonly number[];
  readonly #authors: Authors;

  /** Keeps what every section of the answer is held against. */
  constructor(
    eyes: Eyes,
    reporter: PublicKeys,
    grant: string,
    purposes: readonly number[],
    authors: Authors,
  ) {
    this.#eyes = eyes;
    this.#reporter = reporter;
    this.#grant = grant;
    this.#purposes = purposes;
    const own = { kid: reporter.kid, isReporter: true };
    this.#authors = new Map([...authors, [reporter.kid, [own, reporter]]]);
  }

  /**
   * Returns one section with its content key.
   *
   * @throws Unverified - place, author, text or key is not what it says.
   * @throws DoesNotOpen - it is as its author signed it, but does not open for these eyes.
   */
  async content(opened: OpenedSection, incident: string): Promise<Content> {
    const found = await this.look(opened, incident);
    if (!(found instanceof Content)) {
      throw new DoesNotOpen();
    }
    return found;
  }

  /**
   * Returns one section with its content key, or that it does not open.
   *
   * @throws Unverified - place, author or text is not what it says.
   */
  async look(opened: OpenedSection, incident: string): Promise<Content | Unopened> {
    const header = part(opened.header, "section");
    insist(incidentOf(header.name) === incident, "section of another incident");
    insist(header.reporterKid === this.#reporter.kid, "section pinned to another reporter");
    const [author, keys] = part(this.#authors.get(header.authorKid), "author");
    insist(opened.grant === this.#grant, "grant");
    const wrap = part(opened.wrap, "wrap of another section");
    insist(wrap.section === header.name && wrap.version === header.version, "wrap of another section");
    insist(wrap.readerKid === this.#eyes.keys.kid, "wrap of another reader");
    const { name: section, version, kind } = header;
    const context = { installation: this.#eyes.installation, incident, section, version, kind };
    const sealed = await signed(opened, header, context, keys);
    const shown = { section, version, kind, author, createTime: dateOf(header.createTime) };
    return (
      (await this.#opened(wrap, sealed, context, keys, shown, header)) ?? {
        text: { ...shown, text: "", data: new Uint8Array(0), isUnopened: true },
      }
    );
  }

  /** Returns undefined when the wrap or the content does not open. */
  async #opened(
    wrap: Wrap,
    sealed: SealedSection,
    context: SectionContext,
    author: PublicKeys,
    shown: Omit<Text, "text" | "data" | "isUnopened">,
    header: SectionHeader,
  ): Promise<Content | undefined> {
    try {
      const cek = await unwrapKey(wrap.wrap, this.#eyes.keys, context, this.#grant, this.#purposes);
      const told = toldBy(await openSection(context, sealed, cek, author), shown.kind);
      return told && new Content({ ...shown, ...told, isUnopened: false }, header, context, cek);
    } catch (error) {
      if (error instanceof CryptoError) {
        return undefined;
      }
      throw error;
    }
  }
}

/**
 * Returns the section as its author signed it.
 *
 * @throws Unverified - the ciphertext or anything about it is not what the author signed.
 */
async function signed(
  opened: OpenedSection,
  header: SectionHeader,
  context: SectionContext,
  author: PublicKeys,
): Promise<SealedSection> {
  const { digest, commitment, authorKid, authorSignature, reporterKid } = header;
  const sealed = {
    ciphertext: opened.ciphertext,
    digest,
    commitment,
    authorKid,
    authorSignature,
    reporterKid,
  };
  try {
    await verifySealed(context, sealed, author);
  } catch (error) {
    throw error instanceof CryptoError ? new Unverified("content") : error;
  }
  return sealed;
}

/** Returns a content as text, or as the bytes that evidence alone may be; undefined when it should be text. */
function toldBy(content: Uint8Array, kind: Kind): Pick<Text, "text" | "data"> | undefined {
  const text = textOf(content);
  if (text === undefined) {
    return kind === Kind.EVIDENCE ? { text: "", data: content } : undefined;
  }
  return { text, data: new Uint8Array(0) };
}
