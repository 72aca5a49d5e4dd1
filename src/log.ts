import { pino, stdTimeFunctions, type Logger } from "pino";

export type { Logger };

/** JSON lines on stderr: stdout is for what a command was asked for. Nothing of the secrets branch of Config is ever handed in. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ["req.headers.authorization", "req.headers.cookie", 'req.headers["idempotency-key"]'],
        censor: "[redacted]",
      },
    },
    process.stderr,
  );
}
