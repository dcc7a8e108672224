// Puzzles are solved beside the page, which stays alive meanwhile: whoever must leave quickly is not held up by one.

import { NotReached, type Puzzle } from "meldbrug";
import { whenLeaving } from "./leaving";
import address from "./puzzle.worker?worker&url";

interface Policy {
  createScriptURL(given: string): string;
}
interface TrustedTypes {
  createPolicy(name: string, rules: Policy): Policy;
}

/** Named in the policy of the page (`docs/edge.md`): this file and no other becomes a worker. */
const ONLY_THIS = "meldbrug-worker";

let policy: Policy | undefined;

/**
 * Returns 8 bytes that solve a puzzle.
 *
 * @throws NotReached - the time was over before they were found, or the worker does not run.
 */
export async function solvedBeside(puzzle: Puzzle, withinS: number): Promise<Uint8Array> {
  const worker = new Worker(allowed());
  const stay = whenLeaving(() => worker.terminate());
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Uint8Array | undefined>) => {
        if (data) resolve(data);
        else reject(new NotReached("no time left for the server's puzzle"));
      };
      worker.onerror = () => reject(new NotReached("the puzzle is not solved here"));
      worker.postMessage({ puzzle, withinS });
    });
  } finally {
    worker.terminate();
    stay();
  }
}

/** Returns the address of the worker, as browsers want it that tell text from scripts. */
function allowed(): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  policy ??= trustedTypes?.createPolicy(ONLY_THIS, { createScriptURL: () => address });
  return policy?.createScriptURL("") ?? address;
}
