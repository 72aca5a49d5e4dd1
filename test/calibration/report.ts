/** Prints one measured row of a calibration table, to be copied into docs/statistics. */
export function report(row: Readonly<Record<string, string | number>>): void {
  const cells = Object.entries(row).map(([name, value]) => `${name} ${value}`);
  process.stdout.write(`calibration | ${cells.join(" | ")}\n`);
}
