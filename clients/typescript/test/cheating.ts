/**
 * T7, T26, T27: a server that lies. Answers of the real one are changed on their way, and nothing of them may be shown or
 * sealed to: `tests/integration/client/test_cheating.py`, lie by lie.
 */

import { create, type DescMethodUnary, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { pathOf } from "../src/client/names.js";
import {
  Capacity,
  Ground,
  Kind,
  OpeningCapacity,
  PublicKeysSchema,
  Purpose,
  type Signed,
  SignedSchema,
} from "../src/gen/common/v1/common_pb.js";
import { ReaderService as Stubs } from "../src/gen/coordination/v1/coordination_service_pb.js";
import { type Member, OrganisationSchema } from "../src/gen/directory/v1/directory_pb.js";
import {
  AdminService,
  EnrolmentService,
  MemberService,
  PublicService,
} from "../src/gen/directory/v1/directory_service_pb.js";
import type { ConsentRequest, OpenedSection, Opening, Seat } from "../src/gen/disclosure/v1/disclosure_pb.js";
import { OpenedSectionSchema } from "../src/gen/disclosure/v1/disclosure_pb.js";
import {
  HandlerService,
  type OpenSectionsResponse,
  ReaderService,
  ReporterService,
  SeatService,
  TermsService,
} from "../src/gen/disclosure/v1/disclosure_service_pb.js";
import {
  acceptInvitation,
  all,
  Connection,
  Consents,
  MemberClient,
  newCek,
  Pins,
  PublicClient,
  ReporterClient,
  type Said,
  SecretKeys,
  type StatementKind,
  sealSection,
  statements,
  type ToSay,
  Unverified,
  wrapKey,
} from "../src/index.js";

/** A report with messages and a notice that its reader may open, and who acts on it. */
export interface Scene {
  readonly base: string;
  readonly installation: string;
  readonly code: string;
  readonly elsewhere: string;
  readonly incident: string;
  readonly notice: string;
  readonly reporter: SecretKeys;
  readonly handler: SecretKeys;
  readonly reader: SecretKeys;
  readonly outsider: SecretKeys;
  /** A member with a seat of its own, whose key is to be rotated. */
  readonly hired: SecretKeys;
  /** An admin with a member waiting for endorsement. */
  readonly admin: SecretKeys;
  readonly pending: { readonly member: string; readonly kid: string };
  /** A code that nobody has used yet. */
  readonly invitation: string;
}

const STRANGER = await SecretKeys.generate();
const ELSEWHERE = "a".repeat(26);
const { PROTECT_PEOPLE } = Purpose;

type Lie<M extends DescMethodUnary> = (answer: MessageShape<M["output"]>) => unknown;

/** A connection whose answers to one method are changed, and which remembers what it was asked. */
function lying<M extends DescMethodUnary>(scene: Scene, method: M, lie: Lie<M>, ...more: Changes[]): Liar {
  const lies = [{ path: pathOf(method), lie: changing(method, lie) }, ...more];
  const asked: string[] = [];
  const fetch = async (input: string, init: RequestInit): Promise<Response> => {
    const path = new URL(input).pathname;
    asked.push(path.split("/").at(-1) ?? "");
    const response = await globalThis.fetch(input, init);
    const told = lies.find((each) => each.path === path);
    if (!told || response.status !== 200) {
      return response;
    }
    const body = await told.lie(new Uint8Array(await response.arrayBuffer()));
    return new Response(body as BodyInit, { headers: response.headers });
  };
  return { connection: new Connection({ base: scene.base, installation: scene.installation, fetch }), asked };
}

interface Liar {
  readonly connection: Connection;
  readonly asked: readonly string[];
}

interface Changes {
  readonly path: string;
  readonly lie: (body: Uint8Array) => Promise<Uint8Array>;
}

function changing<M extends DescMethodUnary>(method: M, lie: Lie<M>): Changes["lie"] {
  return async (body) => {
    const answer = fromBinary(method.output, body) as MessageShape<M["output"]>;
    await lie(answer);
    return toBinary(method.output, answer);
  };
}

const publicOf = ({ public: { signing, sealing } }: SecretKeys) =>
  create(PublicKeysSchema, { signing, sealing });

/** Puts the statement again in its place, changed, and signed by other keys. */
async function forge<K extends StatementKind>(
  kind: K,
  signed: Signed | undefined,
  keys: SecretKeys,
  changes: Partial<ToSay<K>>,
): Promise<void> {
  if (!signed) {
    throw new Error("there is no statement to forge");
  }
  const { $typeName: _, ...said } = statements.parse(kind, signed);
  Object.assign(signed, await statements.sign(kind, { ...said, ...changes } as unknown as ToSay<K>, keys));
}

/** Exchanges a field of the first two entries. */
function swap<T>(list: T[], name: keyof T): void {
  const [one, other] = list;
  if (one && other) {
    [one[name], other[name]] = [other[name], one[name]];
  }
}

function first<T>(list: readonly T[]): T {
  const [item] = list;
  if (item === undefined) {
    throw new Error("there is nothing to lie about");
  }
  return item;
}

/** Puts a text of `author` in the place of a section, sealed as it should be. */
async function forged(
  scene: Scene,
  opened: OpenedSection,
  author: SecretKeys,
  reader: SecretKeys,
  reporterKid = scene.reporter.kid,
): Promise<void> {
  const { header, wrap } = opened;
  if (!header || !wrap) {
    throw new Error("there is no section to forge");
  }
  const { name: section, version, kind } = header;
  const { installation, incident } = scene;
  const context = { installation, incident, section, version, kind };
  const cek = newCek();
  const text = "Trek je melding in.";
  const { ciphertext, ...sealed } = await sealSection(context, text, cek, author, reporterKid);
  opened.ciphertext = ciphertext;
  wrap.wrap = await wrapKey(cek, reader.public, context, opened.grant, opened.purposes);
  Object.assign(header, sealed);
}

type Cheat = (scene: Scene) => readonly [act: () => Promise<unknown>, liar: Liar, unasked?: string];

function lookingUp(lie: Lie<typeof PublicService.method.getProductionByCode>): Cheat {
  return (scene) => {
    const liar = lying(scene, PublicService.method.getProductionByCode, lie);
    return [async () => (await new PublicClient(liar.connection).circle(scene.code)).everyone(), liar];
  };
}

function previewing(lie: (asked: ConsentRequest, scene: Scene) => unknown): Cheat {
  return (scene) => {
    const liar = lying(
      scene,
      ReporterService.method.getConsentRequest,
      ({ consentRequest }) => consentRequest && lie(consentRequest, scene),
    );
    const consents = new Consents(new ReporterClient(liar.connection, scene.reporter));
    return [() => consents.preview(scene.notice), liar];
  };
}

function reading(lie: (sections: OpenedSection[], scene: Scene) => unknown): Cheat {
  return (scene) => {
    const liar = lying(scene, ReporterService.method.openSections, ({ sections }) => lie(sections, scene));
    return [() => new ReporterClient(liar.connection, scene.reporter).mailbox(), liar];
  };
}

function opening(lie: (answer: OpenSectionsResponse, scene: Scene) => unknown): Cheat {
  return (scene) => {
    const liar = lying(scene, ReaderService.method.openSections, (answer) => lie(answer, scene));
    const { reader } = new MemberClient(liar.connection, scene.reader);
    return [() => reader.open(scene.notice, PROTECT_PEOPLE, [Kind.SUMMARY, Kind.MEASURES]), liar];
  };
}

/** Talks after the intake was signed again by its own reporter, with changes. */
function choosing(change: (intake: Said<"intake">) => Partial<ToSay<"intake">>): Cheat {
  return (scene) => {
    const liar = lying(scene, ReporterService.method.getReport, ({ report }) => {
      const intake = statements.parse("intake", report?.intake ?? create(SignedSchema));
      return forge("intake", report?.intake, scene.reporter, change(intake));
    });
    return [() => new ReporterClient(liar.connection, scene.reporter).send("Niet zo."), liar, "PutSection"];
  };
}

/** Looks at openings of which one was changed. */
function seeing(change: Partial<Opening>): Cheat {
  return (scene) => {
    const liar = lying(scene, ReporterService.method.listOpenings, ({ openings }) =>
      Object.assign(first(openings.filter((each) => each.capacity === OpeningCapacity.READER)), change),
    );
    return [() => all(new ReporterClient(liar.connection, scene.reporter).openings()), liar];
  };
}

/** Hands over seats of which each was changed. */
function rotating(change: (seat: Seat) => unknown): Cheat {
  return (scene) => {
    const liar = lying(scene, SeatService.method.listSeats, ({ seats }) => seats.forEach(change));
    const { rotation } = new MemberClient(liar.connection, scene.hired);
    const act = () => rotation.begin(STRANGER).then(() => rotation.rewrap(STRANGER));
    return [act, liar, "RewrapSeat"];
  };
}

/** Endorses a member whom the directory serves otherwise than it is. */
function endorsing(change: (member: Member) => unknown): Cheat {
  return (scene) => {
    const liar = lying(scene, AdminService.method.listMembers, ({ members }) => members.forEach(change));
    const { admin } = new MemberClient(liar.connection, scene.admin);
    return [() => admin.endorse(scene.pending.member, scene.pending.kid), liar, "EndorseMember"];
  };
}

const decisionShown = (changes: Partial<ToSay<"decision">>): Cheat =>
  previewing((asked, { handler }) => forge("decision", asked.decision, handler, changes));
const consentOf = (changes: Partial<ToSay<"consent">>): Cheat =>
  opening((answer, { reporter }) => forge("consent", answer.consent, reporter, changes));
const decisionOf = (changes: Partial<ToSay<"decision">>): Cheat =>
  opening((answer, { handler }) => forge("decision", answer.decision, handler, changes));

/** Every lie, by what it is. */
export const CHEATS: Readonly<Record<string, Cheat>> = {
  "a false key of a counsellor": lookingUp(({ circle }) => {
    for (const contact of circle?.contacts ?? []) {
      contact.kid = STRANGER.kid;
    }
    circle?.book?.keys.push(publicOf(STRANGER));
  }),
  "a contact moved to another participation": (scene) =>
    lookingUp(({ circle }) => {
      for (const contact of circle?.contacts ?? []) {
        contact.participation = scene.elsewhere;
      }
    })(scene),
  "a safety contact as counsellor": lookingUp(({ circle }) => {
    for (const contact of circle?.contacts ?? []) {
      contact.capacity = Capacity.COUNSELLOR;
    }
  }),
  "another root": (scene) => {
    const liar = lying(scene, PublicService.method.getInstallation, (answer) => {
      answer.root = publicOf(STRANGER);
    });
    return [() => new PublicClient(liar.connection).root(), liar];
  },
  "another installation": (scene) => {
    const liar = lying(scene, PublicService.method.getInstallation, (answer) => {
      answer.installation = STRANGER.kid;
    });
    return [() => new PublicClient(liar.connection).root(), liar];
  },
  "other terms than the digest names": (scene) => {
    const liar = lying(scene, TermsService.method.getTerms, (answer) => {
      answer.text += " Alles mag.";
    });
    return [() => new PublicClient(liar.connection).terms(1), liar];
  },
  "a handler whom the reporter did not choose": (scene) => {
    const kid = scene.reader.kid;
    const lie = { path: pathOf(ReporterService.method.getCircle), lie: withBook(scene, kid) };
    const method = ReporterService.method.getReport;
    const liar = lying(scene, method, ({ report }) => report?.handlerKids.push(kid), lie);
    return [
      () => new ReporterClient(liar.connection, scene.reporter).send("Niet voor hen."),
      liar,
      "PutSection",
    ];
  },
  "an intake of somebody else": (scene) => {
    const liar = lying(scene, ReporterService.method.getReport, ({ report }) =>
      forge("intake", report?.intake, STRANGER, { reporterKid: STRANGER.kid }),
    );
    return [() => new ReporterClient(liar.connection, scene.reporter).send("Niet zo."), liar, "PutSection"];
  },
  "an intake of another incident": choosing(() => ({ incident: `incidents/${ELSEWHERE}` })),
  "an intake of another installation": choosing(() => ({ installation: STRANGER.kid })),
  "handlers in each other's roles": choosing(({ handlers: [one, other] }) => ({
    handlers: [
      { kid: one?.kid ?? "", participation: one?.participation ?? "", appointment: other?.appointment ?? "" },
      {
        kid: other?.kid ?? "",
        participation: other?.participation ?? "",
        appointment: one?.appointment ?? "",
      },
    ],
  })),
  "a report of another incident": (scene) => {
    const liar = lying(scene, HandlerService.method.getReport, ({ report }) =>
      Object.assign(report ?? {}, { name: `incidents/${ELSEWHERE}` }),
    );
    return [() => new MemberClient(liar.connection, scene.handler).handler.report(scene.incident), liar];
  },
  "a handler's seat that was forged": (scene) => {
    const method = HandlerService.method.getReport;
    const liar = lying(scene, method, ({ report }) => report?.handlerKids.push(scene.reader.kid));
    const { handler } = new MemberClient(liar.connection, scene.handler);
    return [() => handler.note(scene.incident, "Onder ons."), liar, "PutSection"];
  },
  "a reporter who was exchanged": (scene) => {
    const pins = new Pins();
    const liar = lying(scene, HandlerService.method.getReport, async ({ report }) => {
      await forge("intake", report?.intake, STRANGER, { reporterKid: STRANGER.kid });
      Object.assign(report ?? {}, { reporterKeys: publicOf(STRANGER) });
    });
    const { handler } = new MemberClient(liar.connection, scene.handler, pins);
    const pinned = () => pins.check(scene.incident, scene.reporter.kid, 1n);
    return [() => pinned().then(() => handler.send(scene.incident, "Hallo?")), liar, "PutSection"];
  },
  "an older intake": (scene) => {
    const pins = new Pins();
    const liar = lying(scene, HandlerService.method.getReport, () => undefined);
    const { handler } = new MemberClient(liar.connection, scene.handler, pins);
    const seenLater = () => pins.check(scene.incident, scene.reporter.kid, 2n ** 52n);
    return [() => seenLater().then(() => handler.report(scene.incident)), liar];
  },

  "a reader nobody vouches for": previewing((asked) => asked.readerKids.push(STRANGER.kid)),
  "sections exchanged": previewing((asked) => swap(asked.sections, "section")),
  "digests exchanged": previewing((asked) => swap(asked.sections, "digest")),
  "commitments exchanged": previewing((asked) => swap(asked.sections, "commitment")),
  "a decision of nobody": previewing((asked) =>
    forge("decision", asked.decision, STRANGER, { handlerKid: STRANGER.kid }),
  ),
  "a decision of another installation": decisionShown({ installation: "a".repeat(52) }),
  "a decision on another notice": decisionShown({ notice: `incidents/${ELSEWHERE}/notices/${ELSEWHERE}` }),
  "a decision about a stranger": decisionShown({ reporterKid: STRANGER.kid }),
  "another recipient": previewing((asked) => {
    asked.recipient = `participations/${ELSEWHERE}`;
  }),
  "a request about another notice": previewing((asked) => {
    asked.notice = `incidents/${ELSEWHERE}/notices/${ELSEWHERE}`;
  }),
  "readers of another organisation than is shown": (scene) => {
    const method = ReporterService.method.getConsentRequest;
    const liar = lying(scene, method, ({ circle, consentRequest }) => {
      const other = create(OrganisationSchema, { name: `organisations/${ELSEWHERE}`, title: "De recherche" });
      circle?.organisations.push(other);
      const ours = circle?.participations.find(({ name }) => name === consentRequest?.recipient);
      Object.assign(ours ?? {}, { organisation: other.name });
    });
    return [
      () => new Consents(new ReporterClient(liar.connection, scene.reporter)).preview(scene.notice),
      liar,
    ];
  },

  "texts exchanged": reading((sections) => swap(sections, "ciphertext")),
  "another author": reading((sections) => {
    Object.assign(sections[0]?.header ?? {}, { authorKid: sections[1]?.header?.authorKid });
  }),
  "another kind": reading((sections) => {
    Object.assign(sections[0]?.header ?? {}, { kind: Kind.ACCOUNT });
  }),
  "a message left out": reading((sections) => sections.pop()),
  "wraps of messages exchanged": reading((sections) => swap(sections, "wrap")),
  "a wrap of another reader": reading((sections) => {
    Object.assign(sections[0]?.wrap ?? {}, { readerKid: STRANGER.kid });
  }),
  "a message pinned to another reporter": reading((sections, scene) =>
    forged(scene, first(sections), scene.handler, scene.reporter, STRANGER.kid),
  ),
  "an opening by another": seeing({ subject: `persons/${ELSEWHERE}` }),
  "an opening in another role": seeing({ participation: `participations/${ELSEWHERE}` }),
  "a case with a text left out": (scene) => {
    const liar = lying(scene, HandlerService.method.openSections, ({ sections }) => sections.pop());
    return [() => new MemberClient(liar.connection, scene.handler).handler.read(scene.incident), liar];
  },
  "another section than was written": (scene) => {
    const { base, installation, incident } = scene;
    const { handler: honest } = new MemberClient(new Connection({ base, installation }), scene.handler);
    const liar = lying(scene, HandlerService.method.putSection, async ({ section }) => {
      Object.assign(section ?? {}, { name: first(await all(honest.headers(incident))).name });
    });
    const act = async () => {
      const reader = first(await (await honest.circle(incident)).safetyContacts());
      return new MemberClient(liar.connection, scene.handler).handler.propose(incident, {
        recipient: reader.appointment.participation,
        readers: [reader],
        purposes: [PROTECT_PEOPLE],
        validUntil: new Date(Date.now() + 86_400_000),
        ground: Ground.REPORTER_CONSENT,
        necessity: "Zonder is er geen bescherming.",
        texts: new Map([[Kind.SUMMARY, "Alleen dit."]]),
      });
    };
    return [act, liar, "ProposeNotice"];
  },
  "another message than was written": (scene) => {
    const liar = lying(scene, ReporterService.method.putSection, ({ section }) =>
      Object.assign(section ?? {}, { name: `${scene.incident}/sections/${ELSEWHERE}` }),
    );
    return [() => new ReporterClient(liar.connection, scene.reporter).send("Niet dit."), liar];
  },
  "a message of a stranger": reading((sections, scene) =>
    forged(scene, first(sections), STRANGER, scene.reporter),
  ),
  "a message in the reporter's name": (scene) => {
    const liar = lying(scene, HandlerService.method.openSections, async ({ sections }) => {
      const last = first(sections.slice(-1));
      await forged(scene, last, STRANGER, scene.handler);
      Object.assign(last.header ?? {}, { authorKid: scene.reporter.kid });
    });
    return [() => new MemberClient(liar.connection, scene.handler).handler.mailbox(scene.incident), liar];
  },

  "a forged consent": opening(({ consent }) =>
    forge("consent", consent, STRANGER, { reporterKid: STRANGER.kid }),
  ),
  "an exchanged reporter": opening(async (answer) => {
    answer.reporterKeys = publicOf(STRANGER);
    await forge("consent", answer.consent, STRANGER, { reporterKid: STRANGER.kid });
  }),
  "a forged decision": opening(({ decision }) =>
    forge("decision", decision, STRANGER, { handlerKid: STRANGER.kid }),
  ),
  "no decision": opening((answer) => delete answer.decision),
  "no consent": opening((answer) => delete answer.consent),
  "no reporter": opening((answer) => delete answer.reporterKeys),
  "a notice's texts exchanged": opening(({ sections }) => swap(sections, "ciphertext")),
  "wraps exchanged": opening(({ sections }) => swap(sections, "wrap")),
  "a notice's section of another kind": opening(({ sections }) => {
    Object.assign(sections[0]?.header ?? {}, { kind: Kind.IMPACT });
  }),
  "another version": opening(({ sections }) => {
    Object.assign(sections[0]?.header ?? {}, { version: 2 });
  }),
  "another grant": opening(({ sections }) => {
    first(sections).grant = `consents/${ELSEWHERE}`;
  }),
  "a section that was not consented to": opening(({ sections }, scene) => {
    const extra = create(OpenedSectionSchema, first(sections));
    const name = `${scene.incident}/sections/${ELSEWHERE}`;
    sections.push({ ...extra, header: Object.assign({}, extra.header, { name }) });
  }),
  "a kind withheld": opening(({ sections }) => sections.pop()),
  "a decision of one who is no counsellor": opening(({ decision }, { outsider }) =>
    forge("decision", decision, outsider, { handlerKid: outsider.kid }),
  ),
  "a decision that does not stand": decisionOf({ stands: false }),
  "a decision for another notice": decisionOf({ notice: `incidents/${ELSEWHERE}/notices/${ELSEWHERE}` }),
  "a decision at another installation": decisionOf({ installation: "a".repeat(52) }),
  "a decision for another recipient": decisionOf({ recipient: `participations/${ELSEWHERE}` }),
  "a decision about another reporter": decisionOf({ reporterKid: "a".repeat(52) }),
  "a consent to another notice": consentOf({ notice: `incidents/${ELSEWHERE}/notices/${ELSEWHERE}` }),
  "a consent on another incident": consentOf({ incident: `incidents/${ELSEWHERE}` }),
  "a consent of another installation": consentOf({ installation: "a".repeat(52) }),
  "another consent": consentOf({ consent: `consents/${ELSEWHERE}` }),
  "a consent for another recipient": consentOf({ recipient: `participations/${ELSEWHERE}` }),
  "a consent for other readers": consentOf({ readerKids: [STRANGER.kid] }),
  "an answer for another purpose": (scene) => {
    let kept: Uint8Array | undefined;
    const path = pathOf(ReaderService.method.openSections);
    const fetch = async (input: string, init: RequestInit): Promise<Response> => {
      if (kept && new URL(input).pathname === path) {
        return new Response(kept as BodyInit, { headers: { "content-type": "application/proto" } });
      }
      const response = await globalThis.fetch(input, init);
      const body = new Uint8Array(await response.arrayBuffer());
      kept = new URL(input).pathname === path ? body : kept;
      return new Response(body as BodyInit, { status: response.status, headers: response.headers });
    };
    const connection = new Connection({ base: scene.base, installation: scene.installation, fetch });
    const { reader } = new MemberClient(connection, scene.reader);
    const act = async () => {
      await reader.open(scene.notice, PROTECT_PEOPLE);
      await reader.open(scene.notice, Purpose.PRESERVE_EVIDENCE);
    };
    return [act, { connection, asked: [] }];
  },
  "a stub of another notice": (scene) => {
    const liar = lying(scene, Stubs.method.getNotice, ({ notice }) =>
      Object.assign(notice ?? {}, { name: `incidents/${ELSEWHERE}/notices/${ELSEWHERE}` }),
    );
    return [() => new MemberClient(liar.connection, scene.reader).reader.stub(scene.notice), liar];
  },
  "a consent for another purpose": consentOf({ purposes: [Purpose.PRESERVE_EVIDENCE] }),
  "a consent that is over": consentOf({ validUntil: create(TimestampSchema, { seconds: 1_700_000_000n }) }),
  "a consent that has not begun": consentOf({
    validFrom: create(TimestampSchema, { seconds: 9_000_000_000n }),
  }),

  "a seat that is not what it says": rotating((seat) => {
    first(seat.sections).commitment = new Uint8Array(32);
  }),
  "a seat of another incident": rotating((seat) => {
    seat.incident = `incidents/${ELSEWHERE}`;
  }),
  "a seat's wrap left out": rotating((seat) => seat.wraps.splice(0)),
  "a key that was not compared": endorsing((member) =>
    Object.assign(member, { kid: STRANGER.kid, keys: publicOf(STRANGER) }),
  ),
  "a fingerprint that was not compared": endorsing((member) => Object.assign(member, { kid: STRANGER.kid })),
  "keys that were not compared": endorsing((member) => Object.assign(member, { keys: publicOf(STRANGER) })),
  "a member of another organisation": endorsing((member) =>
    Object.assign(member, { organisation: `organisations/${ELSEWHERE}` }),
  ),
  "another organisation's member to appoint": (scene) => {
    const liar = lying(scene, MemberService.method.lookUpKeys, () => undefined);
    const { admin } = new MemberClient(liar.connection, scene.admin);
    const role = {
      participation: scene.elsewhere,
      kid: scene.reader.kid,
      capacity: Capacity.COUNSELLOR,
      role: "x",
    };
    return [() => admin.appoint(role), liar, "AppointMember"];
  },
  "an invitation that another key accepted": (scene) => {
    const liar = lying(scene, EnrolmentService.method.acceptInvitation, ({ member }) =>
      Object.assign(member ?? {}, { kid: STRANGER.kid }),
    );
    const act = async () => acceptInvitation(liar.connection, await SecretKeys.generate(), scene.invitation);
    return [act, liar];
  },
};

/** Adds what vouches for a key to the handlers of a circle. */
function withBook(scene: Scene, kid: string): Changes["lie"] {
  return changing(ReporterService.method.getCircle, async (answer) => {
    const { base, installation } = scene;
    const member = new MemberClient(new Connection({ base, installation }), scene.reader);
    const { book } = await member.call(MemberService.method.lookUpKeys, { kids: [kid] });
    for (const list of ["keys", "endorsements", "rotations", "appointments"] as const) {
      answer.handlers?.[list].push(...((book?.[list] ?? []) as never[]));
    }
  });
}

/** Tells every lie; returns one line for each that was believed, or refused as something else than a lie. */
export async function cheat(scene: Scene): Promise<string[]> {
  const failures: string[] = [];
  for (const [name, make] of Object.entries(CHEATS)) {
    const [act, { asked }, unasked] = make(scene);
    const error = await act().then(
      () => "it was believed",
      (raised: unknown) => (raised instanceof Unverified ? undefined : raised),
    );
    if (error !== undefined || (unasked && asked.includes(unasked))) {
      failures.push(`${name}: ${String(error ?? `${unasked} was called`)}`);
    }
  }
  return failures;
}

/** Does honestly what the lies are told about; returns the messages that do not open. */
export async function honest(scene: Scene): Promise<string[]> {
  const connection = new Connection({ base: scene.base, installation: scene.installation });
  const reporter = new ReporterClient(connection, scene.reporter);
  const reader = new MemberClient(connection, scene.reader).reader;
  const handler = new MemberClient(connection, scene.handler).handler;
  await (await new PublicClient(connection).circle(scene.code)).everyone();
  await new PublicClient(connection).root();
  await new Consents(reporter).preview(scene.notice);
  await reader.open(scene.notice, PROTECT_PEOPLE, [Kind.SUMMARY, Kind.MEASURES]);
  const messages = [...(await reporter.mailbox()), ...(await handler.mailbox(scene.incident))];
  return messages.filter((text) => text.isUnopened).map(({ section }) => section);
}
