#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A job file for HyperQueue, run by HyperQueue's server and a worker inside this process: the package
`hyperqueue` brings both, where the command `hq` cannot be had. Reads of the lines #HQ what it can give to a
task (array, cpus, cwd); the others are for `hq submit`.
   hyperqueue_local.py FILE CORES      exit status 0 = all tasks ended with 0; 1 = not
"""
import shlex
import sys

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
from hyperqueue.ffi.protocol import ResourceRequest


def directives(file):
    words = []
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("#HQ "):
                words += shlex.split(line[4:])
    return dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)


def main(file, cores):
    asked = directives(file)
    first, last = map(int, asked["array"].split("-"))
    with LocalCluster() as cluster:
        cluster.start_worker(WorkerConfig(cores=cores))
        client = cluster.client()
        job = Job(max_fails=None)
        # Its tasks are numbered from 0: the last shard is task 0.
        for _ in range(last - first + 1):
            job.program(
                ["bash", file],
                cwd=asked["cwd"],
                stdout="hyperqueue-%{TASK_ID}.out",
                stderr="hyperqueue-%{TASK_ID}.err",
                resources=ResourceRequest(cpus=asked["cpus"]),
            )
        done = client.wait_for_jobs([client.submit(job)], raise_on_error=False)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
