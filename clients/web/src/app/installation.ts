// The installation this app was served for: who its root is, and the one connection to it.

import { Connection, PublicClient } from "meldbrug";
import { configured } from "./configuration";
import { solvedBeside } from "./solving";

let connecting: Promise<Connection> | undefined;

/** Returns the connection of this page; asks again the next time when the configuration could not be read. */
export function connected(): Promise<Connection> {
  connecting ??= connect().catch((error: unknown) => {
    connecting = undefined;
    throw error;
  });
  return connecting;
}

async function connect(): Promise<Connection> {
  const { installation } = await configured();
  const connection = new Connection({ base: location.origin, installation, solver: solvedBeside });
  // Asked of nobody in particular: a clock that is off is right before anything is signed.
  await new PublicClient(connection).root();
  connection.clock.agree();
  return connection;
}
