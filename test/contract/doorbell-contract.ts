import { describe, expect, onTestFinished, test } from "vitest";
import type { Doorbell } from "../../src/doorbell/doorbell.ts";

/** What every doorbell promises. That a ring may be lost is part of it: workers do not depend on one. */
export function doorbellContract(name: string, open: () => Doorbell): void {
  const start = async (): Promise<Doorbell> => {
    const bell = open();
    onTestFinished(() => bell.close());
    // A ring before the bell is connected may be lost.
    await expect.poll(() => bell.health().ok).toBe(true);
    return bell;
  };

  describe(`the doorbell ${name}`, () => {
    test("a ring reaches the handler with its id", async () => {
      const bell = await start();
      const heard = new Promise<string>((resolve) => bell.onRing((id) => Promise.resolve(resolve(id))));
      bell.ring("run_7");
      expect(await heard).toBe("run_7");
    });

    test("a hundred rings reach the handler a hundred times", async () => {
      const bell = await start();
      const heard: string[] = [];
      bell.onRing((id) => Promise.resolve(void heard.push(id)));
      for (let i = 0; i < 100; i++) bell.ring(`run_${i}`);
      await expect.poll(() => new Set(heard).size, { timeout: 10_000 }).toBe(100);
    });

    test("a bell that everybody has heard has no backlog", async () => {
      const bell = await start();
      const heard = new Promise<string>((resolve) => bell.onRing((id) => Promise.resolve(resolve(id))));
      bell.ring("run_9");
      await heard;
      await expect.poll(() => bell.backlog()).toEqual({ depth: 0, oldestSeconds: 0 });
    });

    test("ringing with nobody to hear is no error", async () => {
      const bell = await start();
      expect(() => bell.ring("run_8")).not.toThrow();
    });

    test("after closing nothing is heard", async () => {
      const bell = open();
      const heard: string[] = [];
      bell.onRing((id) => Promise.resolve(void heard.push(id)));
      await bell.close();
      bell.ring("run_9");
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(heard).toEqual([]);
    });
  });
}
