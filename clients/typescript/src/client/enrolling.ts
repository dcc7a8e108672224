/** How a newcomer's key reaches the organisation that invited it. */

import { concat } from "../crypto/bytes.js";
import type { SecretKeys } from "../crypto/keys.js";
import { audience, bodyHash, mint } from "../crypto/tokens.js";
import type { Member } from "../gen/directory/v1/directory_pb.js";
import { EnrolmentService } from "../gen/directory/v1/directory_service_pb.js";
import type { Connection } from "./connection.js";
import { pathOf } from "./names.js";
import { insist, part } from "./served.js";

/**
 * Hands a new key to the organisation that invited; returns the membership, waiting for endorsement.
 *
 * Whoever endorses compares `keys.kid` with what the newcomer reads out, on another channel.
 *
 * @param connection - To the installation.
 * @param keys - New ones, made for this membership.
 * @param code - The invitation's.
 * @param knownAs - The keys of another membership, where the invitation names somebody who has one.
 * @throws Refused - INVITATION_INVALID: the code is unknown, used or too old; FIELD_INVALID: the invitation names somebody
 *   who is known, and `knownAs` is missing or somebody else's.
 * @throws Unverified - the directory took note of another key.
 */
export async function acceptInvitation(
  connection: Connection,
  keys: SecretKeys,
  code: string,
  knownAs?: SecretKeys,
): Promise<Member> {
  const subjectProof = knownAs ? await subjectProofOf(connection, keys, knownAs) : "";
  const answer = await connection.call(
    EnrolmentService.method.acceptInvitation,
    { code, requestId: connection.newRequestId(), subjectProof },
    { credentials: { keys, selfCertifying: true } },
  );
  const member = part(answer.member, "key");
  insist(member.kid === keys.kid, "key");
  return member;
}

async function subjectProofOf(
  connection: Connection,
  keys: SecretKeys,
  knownAs: SecretKeys,
): Promise<string> {
  const to = audience(connection.installation, pathOf(EnrolmentService.method.acceptInvitation));
  const hash = await bodyHash(concat(keys.public.signing, keys.public.sealing));
  return mint(knownAs, to, hash, connection.clock.now(), false);
}
