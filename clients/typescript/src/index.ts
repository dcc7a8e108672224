/** Talks to an installation for one person or system: what is shown was verified, what is sent is sealed. */

export type { Invitee, NewProduction, Role } from "./client/administering.js";
export { Book } from "./client/book.js";
export { Circle, type Person } from "./client/circle.js";
export {
  type CallOptions,
  Connection,
  type ConnectionOptions,
  type Credentials,
} from "./client/connection.js";
export { Consents } from "./client/consenting.js";
export { DEVICE, type Device, newId, newRequestId, ServerClock } from "./client/device.js";
export { acceptInvitation } from "./client/enrolling.js";
export * from "./client/errors.js";
export type { Case } from "./client/handlers.js";
export { MemberClient } from "./client/member.js";
export { nameOf } from "./client/names.js";
export type { OpenedNotice } from "./client/notices.js";
export { all, type Listed, type Page } from "./client/paging.js";
export { type Pin, type PinStore, Pins } from "./client/pins.js";
export { type Act, type Preview, WHOLE, type Yes } from "./client/previews.js";
export type { Decided, Proposal } from "./client/proposing.js";
export { PublicClient, type Terms } from "./client/public.js";
export type { Puzzle, Solver } from "./client/puzzle.js";
export type { Author, Content, Text } from "./client/reading.js";
export type { Watcher } from "./client/receiving.js";
export { ReporterClient } from "./client/reporter.js";
export type { Draft, Seen } from "./client/reports.js";
export type { Admitted } from "./client/secretariat.js";
export type { Fetch } from "./client/transport.js";
export * from "./crypto/index.js";
