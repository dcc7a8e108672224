/** Sealing on the device: a text becomes a section that only the named keys can open. */

import { create } from "@bufbuild/protobuf";

import type { RandomBytes } from "../crypto/bytes.js";
import type { PublicKeys, SecretKeys } from "../crypto/keys.js";
import { newCek, type SectionContext, sealSection, wrapKey } from "../crypto/sealing.js";
import type { Kind } from "../gen/common/v1/common_pb.js";
import {
  type NewSection,
  NewSectionSchema,
  type Wrap,
  WrapSchema,
} from "../gen/disclosure/v1/disclosure_pb.js";
import { incidentOf } from "./names.js";

/** A text and where it goes. */
export interface ToSeal {
  /** `incidents/{incident}/sections/{section}`. */
  readonly section: string;
  /** Counted from 1. */
  readonly version?: number;
  /** What it holds. */
  readonly kind: Kind;
  /** At most 65,532 bytes of UTF-8; bytes for evidence that is no text. */
  readonly content: string | Uint8Array;
  /** The reporter that the incident is pinned to. */
  readonly reporterKid: string;
}

/**
 * Returns a section sealed to `readers` under its incident's own grant.
 *
 * @throws SectionInvalid - the text is too long, or no Unicode.
 */
export async function seal(
  author: SecretKeys,
  installation: string,
  text: ToSeal,
  readers: Iterable<PublicKeys>,
  random: RandomBytes,
): Promise<NewSection> {
  const { section, version = 1, kind, content, reporterKid } = text;
  const incident = incidentOf(section);
  const context = { installation, incident, section, version, kind };
  const cek = newCek(random);
  const { ciphertext, ...sealed } = await sealSection(context, content, cek, author, reporterKid);
  const wraps = once(readers).map((reader) => wrapFor(reader, cek, context, incident, []));
  return create(NewSectionSchema, {
    header: { name: section, version, kind, ...sealed },
    ciphertext,
    wraps: await Promise.all(wraps),
  });
}

/** Returns a content key sealed to one reader under a grant. */
export async function wrapFor(
  reader: PublicKeys,
  cek: Uint8Array,
  context: SectionContext,
  grant: string,
  purposes: readonly number[],
): Promise<Wrap> {
  const { section, version } = context;
  const wrap = await wrapKey(cek, reader, context, grant, purposes);
  return create(WrapSchema, { section, version, readerKid: reader.kid, wrap });
}

/** Returns the readers, each once, in their order. */
export function once(readers: Iterable<PublicKeys>): PublicKeys[] {
  return [...new Map([...readers].map((reader) => [reader.kid, reader])).values()];
}
