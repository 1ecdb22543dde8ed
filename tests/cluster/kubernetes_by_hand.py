#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the pods of an indexed Job would run, run here one after the other, where there is no Kubernetes: each
index once, and again as the Job's rules say for its exit status. The image, the volume and the scheduler are
not tried.
   kubernetes_by_hand.py FILE      exit status 0 = all indexes succeeded; 1 = not
"""
import os
import subprocess
import sys

import yaml


def action(rules, code):
    for rule in rules:
        codes = rule.get("onExitCodes")
        if codes and codes["operator"] == "In" and code in codes["values"]:
            return rule["action"]
    return "Count"


def run_index(spec, index):
    pod = spec["template"]["spec"]["containers"][0]
    counted = 0
    while True:
        code = subprocess.run(
            pod["command"] + pod["args"],
            cwd=pod["workingDir"],
            env=dict(os.environ, JOB_COMPLETION_INDEX=str(index)),
            check=False,
        ).returncode
        if code == 0:
            return True
        what = action(spec["podFailurePolicy"]["rules"], code)
        print(f"index {index} ended with {code}: {what}", file=sys.stderr)
        if what == "Count":
            counted += 1
        if what == "FailIndex" or counted > spec["backoffLimitPerIndex"]:
            return False


def main(file):
    with open(file, encoding="utf-8") as text:
        spec = yaml.safe_load(text)["spec"]
    return 0 if all([run_index(spec, i) for i in range(spec["completions"])]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
