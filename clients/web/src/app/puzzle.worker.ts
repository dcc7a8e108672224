// A file of its own, which runs beside the page: it solves one puzzle, and answers nothing when the time is over.

import { DEVICE, NotReached } from "meldbrug";
import { type Puzzle, solve } from "meldbrug/puzzle";

self.onmessage = async ({ data }: MessageEvent<{ puzzle: Puzzle; withinS: number }>) => {
  try {
    self.postMessage(await solve(data.puzzle, DEVICE, data.withinS));
  } catch (error) {
    if (!(error instanceof NotReached)) throw error;
    self.postMessage(undefined);
  }
};
