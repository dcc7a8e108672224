// The installation this app was served for: who its root is, and the one connection to it.

import { Connection, PublicClient } from "meldbrug";
import { configuration } from "./configuration";

const WITHIN_MS = 15_000;

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
  const answer = await fetch(new URL("config.json", document.baseURI), {
    cache: "no-store",
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  if (!answer.ok) throw new Error("the configuration is not served");
  const given = (await answer.json()) as { installation: string; leaveTo?: string };
  if (given.leaveTo) configuration.leaveTo = given.leaveTo;
  const connection = new Connection({ base: location.origin, installation: given.installation });
  // Asked of nobody in particular: a clock that is off is right before anything is signed.
  await new PublicClient(connection).root();
  connection.clock.agree();
  return connection;
}
