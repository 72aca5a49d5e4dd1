/** The child process of `pool.ts`: takes slices, answers with their verdicts, ends when its parent hangs up. */
import { runSlice, type Slice } from "./slice.ts";

process.on("message", (slice: Slice) => {
  void answer(slice);
});

async function answer(slice: Slice): Promise<void> {
  try {
    process.send?.({ verdicts: await runSlice(slice) });
  } catch (error) {
    process.send?.({ fault: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
