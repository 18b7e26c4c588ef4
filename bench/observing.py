"""What watching costs: a copy with metrics scraped, pushed to a file and sent, against the same copy that nobody watches.

With TRANSHUME_UNWATCHED naming a program from before events and metrics, that is a third one."""
import os
import socket
import threading
import urllib.request

import harness

NAME = "observing"


def scrape(port, ended, count):
    """Once a second, as Prometheus would; nobody answers between the runs."""
    while not ended.wait(1):
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=1) as answer:
                count.append(len(answer.read()))
        except OSError:
            pass


def run(bench):
    rows = bench.size(6000000, 200000)
    source = bench.flat(rows)
    plan = ["--plan", bench.plans + "/general.yaml", "sqlite:" + source, "sqlite:{folder}/copy.db"]
    with socket.socket() as probe, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        probe.bind(("127.0.0.1", 0))
        statsd.bind(("127.0.0.1", 0))
        port, statsd_port = probe.getsockname()[1], statsd.getsockname()[1]
        probe.close()
        commands = [bench.migrate(*plan),
                    bench.migrate("--metrics", port, "--metrics-file", "{folder}/out.prom", "--statsd", "127.0.0.1:%d" % statsd_port, *plan)]
        before = os.environ.get("TRANSHUME_UNWATCHED")
        if before:
            commands.append([before, *commands[0][1:]])
        ended, count = threading.Event(), []
        scraper = threading.Thread(target=scrape, args=(port, ended, count))
        scraper.start()
        try:
            plain, watched, *old = bench.alternate(*commands)
        finally:
            ended.set()
            scraper.join()
    bench.expect_sqlite_rows(rows)
    for name, of in [("time watched against unwatched", plain), *[("time watched against a program without events", runs) for runs in old]]:
        yield harness.at_most(NAME, name, harness.median(watched, harness.wall_s) / harness.median(of, harness.wall_s), 1.02, "x", "%.3f")
        yield harness.fact(NAME, "processor time, likewise", "%.3f x" % (harness.median(watched, harness.cpu_s) / harness.median(of, harness.cpu_s)))
        yield harness.at_most(NAME, "memory more than that", harness.peak_mib(watched) - harness.peak_mib(of), 2, "MiB", "%.1f")
    yield harness.fact(NAME, "scrapes answered", "%d, %d bytes at most" % (len(count), max(count, default=0)))
