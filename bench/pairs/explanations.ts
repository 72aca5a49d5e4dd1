const FOUR_STEPS =
  "Reversed, the candidate is a window of four steps: enough to prove harm exactly (all four lie above all 47, p = 4e-6), too few for a promotion, which asks for 30.";

/** Why the judge says otherwise than the data's authors, by pair. Each sentence is about the data and the rule of the analysis, and was checked against the rows. */
export const EXPLANATIONS: Readonly<Record<string, string>> = {
  "AE2-06":
    "Published is the mean, which falls by 1.8 points and rests on a few prompts; prompt against prompt the concise answers score lower far more often (superiority 0.40), beyond the margin of 0.05. That they are 46 % shorter does not weigh, since length is advisory; reversed, only that advisory length speaks against promoting.",
  "AE2-07":
    "The conflict is with the length-controlled win rate (9.87 to 7.97), which is not in the files; the raw scores rise by mean and by rank, and the answers, 44 % longer, are an advisory metric.",
  "AE1-01":
    "Reversed, the mean falls by 4.8 points, just short of the guard of 5 (5 % of the scale), so that a proven fall does not yet roll back.",
  "AE1-02":
    "Reversed, the quality of these files rises by 3.1 points, which is proven not to be worse; the reason for a pause is another LLM judge's opinion (AE2-01), which is not in them.",
  "AE1-04":
    "Reversed, the mean falls by 3.9 points: too little to roll back at a guard of 5, too much to be proven within it.",
  "AB-03":
    "Scores on ten points with a deviation of 3.3 leave a standard error of 0.27 between two arms of 300, too wide to prove −0.05 within 0.45; compared question by question it would be 0.17.",
  "AB-04":
    "Scores on ten points with a deviation of 3.1 leave a standard error of 0.26 between two arms of 300, too wide to prove −0.09 within 0.45; compared question by question it would be 0.10.",
  "OH-01-gaia":
    "The tail is 7 of 161 tasks above 1.92 USD against 8 of 158, too few to prove that it has not grown by a quarter; the mean (−16 %) is as uncertain.",
  "OH-02-swe-bench":
    "The mean (−11 %) and the typical cost (−33 %) fall, but 38 of 499 tasks cost more than 2.58 USD where 11 of 500 did: the published mean does not show that tail.",
  "OH-02-swt-bench":
    "Reversed, 69 % instead of 54 % of the tasks are solved, but the typical task costs 0.92 instead of 0.67 USD; a required metric that is worse rolls back under the default policy, under critical-only it pauses.",
  "OH-02-gaia":
    "Reversed, the baseline lacks the cost of 13 of its 165 tasks, 11 of them failed ones: more than the 5 % that are tolerated, so that cost is not judged.",
  "OH-03-swt-bench":
    "13 points more tasks solved at almost twice the cost is a trade-off only to somebody who weighs; a required metric that is worse rolls back under the default policy, under critical-only it pauses. Reversed, the critical metric is worse.",
  "OH-05-swe-bench":
    "5.7 points more tasks solved at 63 % more cost: as OH-03-swt-bench, the default policy rolls back on the required metric, and reversed on the critical one.",
  "OH-06-swe-bench":
    "The typical task costs 18 % more and the mean 10 % more: neutral to the authors, beyond the default margin of 5 %. Reversed, 27 against 23 tasks beyond 2.79 USD are too few to prove the tail.",
  "OH-07-swe-bench":
    "62 % instead of 34 % of the tasks are solved at twice the cost: as OH-03-swt-bench, the default policy rolls back on the required metric.",
  "LP-01":
    "End-to-end latency is proven safe by body and mean, but 9 against 6 of 150 requests beyond 3.08 s cannot prove the tail, nor can no error in 150 requests prove 0.1 pp: that takes about 3,000.",
  "LP-02":
    "Reversed, latency is better, but no error in 150 requests per arm cannot prove a margin of 0.1 pp: that takes about 3,000.",
  "LP-03":
    "Latency is better, but no error in 150 requests per arm cannot prove a margin of 0.1 pp: that takes about 3,000.",
  "LP-04":
    "Reversed, latency is better, but 2 of 150 requests fail where none of 145 did: neither harm nor harmlessness is proven.",
  "LP-05":
    "Reversed, errors fall from 87 % to none, but only 20 requests of the baseline have a latency, fewer than the 30 needed to promote.",
  "LP-06":
    "Reversed, errors vanish and requests end in half the time, but the first token takes 0.52 instead of 0.39 s: a required metric is worse.",
  "PS-01": FOUR_STEPS,
  "PS-03": FOUR_STEPS,
  "PS-04": FOUR_STEPS,
  "PS-05": FOUR_STEPS,
  "PS-06": FOUR_STEPS,
  "PS-10": FOUR_STEPS,
  "PS-11": FOUR_STEPS,
  "NB02-C": "CPU rises by 4.2 % from Thursday to the weekend; that is neither beyond 5 % nor proven within it.",
  "NB06-C": "Equal means, but spikes up to 17 times the mean leave an interval of ±11 %, wider than the margin of 5 %.",
  "NB07-C": "Spikes up to 12 times the mean leave +3.6 % uncertain by ±8 %, wider than the margin of 5 %.",
  "NB08-C":
    "Sunday and Monday against Tuesday and Wednesday: the load balancer does serve 26 % more requests; a series against its own past shows the calendar, and whether that is harm nobody has said.",
  "NB10-C": "A deviation of 1.5 times the mean leaves −1.7 % uncertain by ±17 %, wider than the margin of 5 %.",
  "NB12-C": "48 hours with a strong daily cycle leave −5 % uncertain by ±18 %, wider than the margin of 5 %.",
};
