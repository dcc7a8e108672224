/** Talks to an installation for one person or system: what is shown was verified, what is sent is sealed. */

export { Connection } from "./client/connection.js";
export * from "./crypto/index.js";
