/** What a view does one at a time: whether something is under way, and what failed last. */
export class Acting {
  busy = $state(false);
  failed = $state.raw<unknown>();

  /** Does one thing. Returns whether it was done; what failed is kept to be said. */
  async act(work: () => Promise<unknown>): Promise<boolean> {
    this.failed = undefined;
    this.busy = true;
    try {
      await work();
      return true;
    } catch (error) {
      this.failed = error;
      return false;
    } finally {
      this.busy = false;
    }
  }
}
