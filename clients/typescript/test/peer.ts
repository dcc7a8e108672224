/**
 * Plays what it is told on a real stack, for whoever plays the other half of a story in another language.
 *
 * One line of JSON in, one out: `{"act": "send", "given": {...}}` gives `{"result": ...}` or `{"error": {...}}`. Where the
 * edge is and which installation it serves are the two arguments.
 */

import { once } from "node:events";
import { createInterface } from "node:readline";
import { solve } from "../src/client/puzzle.js";
import {
  acceptInvitation,
  all,
  Connection,
  Consents,
  CryptoError,
  DEVICE,
  fromWords,
  keysFrom,
  MemberClient,
  type OpenedNotice,
  type Person,
  type Preview,
  PublicClient,
  Refused,
  ReporterClient,
  SecretKeys,
  type Solver,
  type Text,
} from "../src/index.js";
import { CHEATS, cheat, honest, type Scene } from "./cheating.js";

// biome-ignore lint/suspicious/noExplicitAny: the other side says what it means
type Given = any;

const [base = "", installation = ""] = process.argv.slice(2);
let solved = 0;
const solver: Solver = (puzzle, withinS) => {
  solved += 1;
  return solve(puzzle, DEVICE, withinS);
};
const connection = new Connection({ base, installation, solver });
const publicly = new PublicClient(connection);

const reporters = new Map<string, Promise<ReporterClient>>();
const members = new Map<string, Promise<MemberClient>>();
const watching = new Map<string, AsyncGenerator<{ name: string; tombstone: boolean }>>();

function reporterOf({ receipt }: Given): Promise<ReporterClient> {
  const known =
    reporters.get(receipt) ??
    (async () => new ReporterClient(connection, await keysFrom(await fromWords(receipt))))();
  reporters.set(receipt, known);
  return known;
}

function memberOf({ seeds }: Given): Promise<MemberClient> {
  const known = members.get(seeds) ?? (async () => new MemberClient(connection, await keysOf(seeds)))();
  members.set(seeds, known);
  return known;
}

function keysOf(seeds: string): Promise<SecretKeys> {
  const both = Buffer.from(seeds, "hex");
  return SecretKeys.of(both.subarray(0, 32), both.subarray(32));
}

function chosen(people: readonly Person[], kids: readonly string[]): Person[] {
  return kids.map((kid) => people.find((person) => person.kid === kid) ?? missing(kid));
}

function missing(what: string): never {
  throw new Error(`nobody is ${what}`);
}

const told = (texts: readonly Text[]) =>
  texts.map(({ kind, text, author, isUnopened }) => ({
    kind,
    text,
    author: author.member?.subjectName ?? (author.isReporter ? "reporter" : ""),
    isUnopened,
  }));
const byKind = (texts: Record<string, string>) =>
  new Map(Object.entries(texts).map(([kind, text]) => [Number(kind), text]));
const preview = ({ texts, readers, organisationTitle, handler, decision, validUntil }: Preview) => ({
  texts: told(texts),
  readers: readers.map(({ member, isSystem }) => [member.subjectName, isSystem]),
  organisationTitle,
  handler: handler.member?.subjectName,
  ground: decision.ground,
  validUntil: validUntil.getTime() / 1000,
});
const opened = ({ texts, consent, handler }: OpenedNotice) => ({
  texts: told(texts),
  purposes: consent.purposes,
  handler: handler.member?.subjectName,
});

const ACTS: Readonly<Record<string, (given: Given) => Promise<unknown>>> = {
  root: async () => (await publicly.root()).kid,
  circle: async ({ code }) =>
    (await (await publicly.circle(code)).everyone()).map(({ kid, appointment }) => [kid, appointment.role]),
  independent: async () =>
    (await (await publicly.standingEntry()).independent()).map(({ kid, appointment }) => [
      kid,
      appointment.role,
    ]),
  flood: async ({ code, times }) => {
    const before = solved;
    const found = await Promise.all(Array.from({ length: times }, () => publicly.circle(code)));
    return [found.length, solved - before];
  },
  terms: async ({ language }) => (await publicly.terms(language)).text,

  report: async (given) => {
    const circle = given.code ? await publicly.circle(given.code) : await publicly.standingEntry();
    const report = await (await reporterOf(given)).report({
      texts: byKind(given.texts),
      intake: chosen(await circle.counsellors(), given.intake),
      production: circle.production,
      excludedOrganisations: given.excluded ?? [],
    });
    return report.name;
  },
  status: async (given) => (await (await reporterOf(given)).status()).state,
  send: async (given) => (await (await reporterOf(given)).send(given.text)).name,
  mailbox: async (given) => told(await (await reporterOf(given)).mailbox()),
  read: async (given) => {
    const reporter = await reporterOf(given);
    return told(await reporter.read((await all(reporter.headers())).map(({ name }) => name)));
  },
  changeIntake: async (given) => {
    const reporter = await reporterOf(given);
    const people = await (await reporter.circle()).counsellors();
    const shared = (await all(reporter.headers())).map(({ name }) => name);
    return (await reporter.changeIntake(chosen(people, given.intake), shared)).handlerKids;
  },
  exclude: async (given) => (await (await reporterOf(given)).exclude(given.subjects)).name,
  withdrawReport: async (given) => (await (await reporterOf(given)).withdrawReport()).name,
  openings: async (given) =>
    (await all((await reporterOf(given)).openings())).map(({ opening, who, role }) => [
      opening.notice,
      who?.subjectName ?? "reporter",
      role,
    ]),

  requests: async (given) =>
    (await all(new Consents(await reporterOf(given)).requests())).map(({ notice }) => notice),
  preview: async (given) => preview(await new Consents(await reporterOf(given)).preview(given.notice)),
  give: async (given) => {
    const consents = new Consents(await reporterOf(given));
    const shown = await consents.preview(given.notice);
    const sections = shown.texts
      .filter(({ kind }) => given.kinds?.includes(kind))
      .map(({ section }) => section);
    const part = { sections, readerKids: given.readers ?? [], purposes: given.purposes ?? [] };
    return (await consents.give(shown, part)).state;
  },
  refuse: async (given) => (await new Consents(await reporterOf(given)).refuse(given.notice)).state,
  withdraw: async (given) =>
    (await new Consents(await reporterOf(given)).withdraw(given.notice, { readerKids: given.readers ?? [] }))
      .state,
  history: async (given) =>
    (await all(new Consents(await reporterOf(given)).history())).map(({ kind, notice }) => [kind, notice]),

  cases: async (given) =>
    (await all((await memberOf(given)).handler.cases(given.state, given.production))).map(({ name }) => name),
  acknowledgeCase: async (given) => (await (await memberOf(given)).handler.acknowledge(given.incident)).state,
  assess: async (given) =>
    (await (await memberOf(given)).handler.assess(given.incident, given.outcome)).state,
  readCase: async (given) => told(await (await memberOf(given)).handler.read(given.incident)),
  answer: async (given) => (await (await memberOf(given)).handler.send(given.incident, given.text)).name,
  note: async (given) => (await (await memberOf(given)).handler.note(given.incident, given.text)).name,
  replace: async (given) =>
    (await (await memberOf(given)).handler.replace(given.section, given.text)).version,
  propose: async (given) => {
    const { handler } = await memberOf(given);
    const circle = await handler.circle(given.incident);
    const proposed = await handler.propose(given.incident, {
      recipient: given.recipient,
      readers: chosen(await circle.safetyContacts(given.recipient), given.readers),
      purposes: given.purposes,
      validUntil: new Date(given.validUntil * 1000),
      ground: given.ground,
      necessity: given.necessity,
      texts: byKind(given.texts),
    });
    return proposed.notice;
  },
  decide: async (given) =>
    (await memberOf(given)).handler.decide(given.notice, {
      ground: given.ground,
      necessity: given.necessity,
      stands: given.stands,
    }),
  notices: async (given) =>
    (await all((await memberOf(given)).handler.notices(given.incident))).map(({ name, state }) => [
      name,
      state,
    ]),

  inbox: async (given) =>
    (await all((await memberOf(given)).reader.inbox(given.states))).map(({ name, tombstone }) => [
      name,
      tombstone,
    ]),
  watch: async (given) => {
    const { reader } = await memberOf(given);
    const page = await reader.inboxPage();
    watching.set(given.seeds, reader.watch(page.resumeToken));
    return page.notices.length;
  },
  next: async (given) => {
    const found = (await watching.get(given.seeds)?.next())?.value;
    return [found?.name, found?.tombstone];
  },
  accept: async (given) => (await memberOf(given)).reader.accept(given.notice, await publicly.terms(1)),
  decline: async (given) =>
    (await memberOf(given)).reader.decline(given.notice, await publicly.terms(1), given.reason),
  open: async (given) => opened(await (await memberOf(given)).reader.open(given.notice, given.purpose)),
  acknowledgeNotice: async (given) => (await (await memberOf(given)).reader.acknowledge(given.notice)).state,

  invite: async (given) => (await (await memberOf(given)).admin.invite({ title: given.title })).code,
  enrol: async (given) => (await acceptInvitation(connection, await keysOf(given.seeds), given.code)).name,
  endorse: async (given) => (await (await memberOf(given)).admin.endorse(given.member, given.kid)).name,
  appoint: async (given) => {
    const { participation, kid, capacity, role } = given;
    const contact = await (await memberOf(given)).admin.appoint({ participation, kid, capacity, role });
    return contact.appointment;
  },
  endAppointment: async (given) =>
    (await (await memberOf(given)).admin.endAppointment(given.appointment)).ended,
  remove: async (given) => (await (await memberOf(given)).admin.remove(given.member)).name,
  admit: async (given) => {
    const { title, kind, adminTitle } = given;
    return (await (await memberOf(given)).secretariat.admit({ title, kind, adminTitle })).code;
  },
  endorseAdmin: async (given) =>
    (await (await memberOf(given)).secretariat.endorseAdmin(given.member, given.kid)).name,
  rotate: async (given) => (await (await memberOf(given)).rotation.rotate(await keysOf(given.successor))).kid,
  cheat: async (given) => [Object.keys(CHEATS).length, await cheat(await sceneOf(given))],
  honest: async (given) => honest(await sceneOf(given)),
  me: async (given) => (await (await memberOf(given)).me()).member?.title,
};

async function sceneOf(given: Given): Promise<Scene> {
  const roles = ["handler", "reader", "outsider", "hired", "admin"] as const;
  const keys = await Promise.all(roles.map(async (role) => [role, await keysOf(given[role])] as const));
  const reporter = await keysFrom(await fromWords(given.receipt));
  return { base, installation, ...given, reporter, ...Object.fromEntries(keys) };
}

function failure(error: unknown) {
  const {
    reason = "",
    detail = "",
    what = "",
  } = error as { reason?: string; detail?: string; what?: string };
  const kind = error instanceof Refused || error instanceof CryptoError ? reason : detail || what;
  return { type: (error as Error).constructor.name, kind, message: String(error) };
}

async function answer(line: string): Promise<unknown> {
  const { act, given } = JSON.parse(line) as { act: string; given: Given };
  try {
    return { result: await (ACTS[act] ?? missing(act))(given) };
  } catch (error) {
    return { error: failure(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const said = `${JSON.stringify(await answer(line))}\n`;
  if (!process.stdout.write(said)) {
    await once(process.stdout, "drain");
  }
}
process.exit(0);
