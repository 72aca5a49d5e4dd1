"""The scipy side of bench/stats.ts: reads commands as JSON lines, answers each with one.

load   {"cmd": "load", "candidate": path, "baseline": path, "n": n}   sets of n doubles, one after the other, in the byte order of the machine
time   {"cmd": "time", "calls": k}                                    milliseconds for k calls, going through the sets
answer {"cmd": "answer"}                                              the results on the first set
"""

import json
import resource
import sys
import time

import numpy
import scipy
from scipy.stats import ks_2samp, mannwhitneyu

candidate = baseline = None


def both(x, y):
    return mannwhitneyu(x, y, method="asymptotic"), ks_2samp(x, y, method="asymp")


for line in sys.stdin:
    command = json.loads(line)
    if command["cmd"] == "load":
        candidate = numpy.fromfile(command["candidate"]).reshape(-1, command["n"])
        baseline = numpy.fromfile(command["baseline"]).reshape(-1, command["n"])
        both(candidate[0], baseline[0])
        reply = {"scipy": scipy.__version__, "numpy": numpy.__version__}
    elif command["cmd"] == "time":
        sets = len(candidate)
        start = time.perf_counter()
        for call in range(command["calls"]):
            both(candidate[call % sets], baseline[call % sets])
        reply = {"ms": 1000 * (time.perf_counter() - start)}
    else:
        mwu, ks = both(candidate[0], baseline[0])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        reply = {"u": mwu.statistic, "mwu": mwu.pvalue, "d": ks.statistic, "ks": ks.pvalue, "peakMB": peak}
    print(json.dumps(reply), flush=True)
