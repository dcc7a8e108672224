/** Talks to an installation for one person or system: what is shown was verified, what is sent is sealed. */

export { Circle, type Person } from "./client/circle.js";
export { Connection } from "./client/connection.js";
export { Consents } from "./client/consenting.js";
export * from "./client/errors.js";
export { openedFile, sealedFile } from "./client/keyfile.js";
export * from "./client/previews.js";
export { PublicClient, type Terms } from "./client/public.js";
export type { Author, Text } from "./client/reading.js";
export { ReporterClient } from "./client/reporter.js";
export type { Draft, Seen } from "./client/reports.js";
export * from "./crypto/index.js";
