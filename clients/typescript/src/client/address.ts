/** Where an installation is, and whether what is sent there can be read on the way. */

import { MeldbrugError } from "./errors.js";

/** What surely stays on this machine. */
const LOCAL = /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])$/;

/**
 * Returns the address that every path is put behind, without a slash at its end.
 *
 * @throws MeldbrugError - it is no address, or one without TLS on another machine.
 */
export function baseOf(address: string, plaintext: boolean): string {
  const url = urlOf(address);
  const isPlain = url?.protocol === "http:";
  if (!url || !(isPlain || url.protocol === "https:") || url.search || url.hash || url.username) {
    throw new MeldbrugError("the base is no address of an installation");
  }
  if (isPlain && !plaintext && !LOCAL.test(url.hostname)) {
    throw new MeldbrugError("another machine is not called without TLS");
  }
  return (url.origin + url.pathname).replace(/\/+$/, "");
}

function urlOf(address: string): URL | undefined {
  try {
    return new URL(address);
  } catch {
    return undefined;
  }
}
