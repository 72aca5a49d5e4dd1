import type { Judge } from "./judgement.ts";
import { judgeByOurs } from "./ours.ts";
import { judgeByPeer, PEERS } from "./peers.ts";

export const OURS = "ours";

/** Every judge as it comes: ours first. */
export const JUDGES: readonly string[] = [OURS, ...PEERS.map(({ name }) => name)];

/**
 * A judge by its name; `ours@0.01` is ours at another rollback budget.
 *
 * @param options  wholePath: Kayenta is asked at every confidence and not only at its own.
 * @throws RangeError when there is no such judge.
 */
export function judgeNamed(name: string, options: { readonly wholePath: boolean }): Judge {
  const [base, budget] = name.split("@");
  if (base === OURS) {
    if (budget === undefined) return judgeByOurs(null);
    if (Number(budget) > 0 && Number(budget) <= 0.5) return judgeByOurs(Number(budget));
    throw new RangeError(`the rollback budget of ${name} is not in (0, 0.5]`);
  }
  const peer = PEERS.find((each) => each.name === name);
  if (peer === undefined) throw new RangeError(`no judge is named ${name}; there are ${JUDGES.join(", ")}`);
  return judgeByPeer(peer, options);
}
