/**
 * Calls `work` and returns what it returns. Whoever hands one in may time the parts of a judgement; the judgement itself knows no clock and cannot tell.
 *
 * `judge` is the judging of one candidate, `metric` of one metric in it, `test` of one component, or of the named tests together.
 */
export type Watch = <T>(part: "judge" | "metric" | "test", name: string, work: () => T) => T;

export const unwatched: Watch = (_part, _name, work) => work();
