/** A table of figures, for people who read the output of a campaign. */
export function print(title: string, figures: Readonly<Record<string, string | number>>): void {
  const width = Math.max(...Object.keys(figures).map(({ length }) => length));
  const lines = Object.entries(figures).map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
  process.stdout.write(`campaign: ${title}\n${lines.join("\n")}\n`);
}
