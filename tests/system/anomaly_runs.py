"""Runs of a migration as samples a second, made from a seed: quiet ones, and some with a fault.

What makes a quiet run hard to judge is in them: noise that lasts, checkpoints, short freezes, other
tables with other records, a slow beginning and a slow end, pauses and caps that were asked for,
memory that fills up, a few rejects and retries, changes that come in bursts.

A sample is an array, as tests/anomaly_probe reads it:
    seconds, phase, scope, moves, held, records, bytes, rejected, retries, chunks_left, workers,
    resident, memory_bound, lag, retention
"""
import json
import math
import random

MIB = 1 << 20
FAULTS = ["slow", "rejects", "retries", "stall", "leak", "lag", "retention"]
# The series in which each is to be found.
SERIES = {"slow": {"throughput"}, "rejects": {"rejects"}, "retries": {"retries"}, "stall": {"progress"},
          "leak": {"memory"},
          "lag": {"lag"}, "retention": {"retention"}}
CONNECT, PREPARE, COPY, INDEXES, COUNT = 0, 2, 3, 4, 6


def log_uniform(rng, low, high):
    return math.exp(rng.uniform(math.log(low), math.log(high)))


class Noise:
    """Of a speed: a factor that depends on the one before it, with dips and short freezes."""

    def __init__(self, rng):
        self.rng = rng
        self.phi = rng.uniform(0.2, 0.9)
        self.sigma = rng.choice([0.03, 0.06, 0.1, 0.15, 0.2])
        self.state = 0.0
        self.dip_every = rng.choice([0, 0, 30, 60, 120])
        self.dip_depth = rng.uniform(0.1, 0.7)
        self.dip_left = 0
        self.freeze_chance = rng.choice([0, 0, 1 / 200, 1 / 80])
        self.freeze_left = 0
        self.trend = rng.uniform(-0.0008, 0.0005)
        self.slow_swing = rng.choice([0, 0, 0.15])
        self.swing_period = rng.uniform(60, 300)

    def factor(self, second):
        rng = self.rng
        self.state = self.phi * self.state + rng.gauss(0, self.sigma) * math.sqrt(1 - self.phi ** 2)
        value = math.exp(self.state + self.trend * second) * (1 + self.slow_swing
                                                              * math.sin(second * 2 * math.pi / self.swing_period))
        if self.dip_every and self.dip_left <= 0 and rng.random() < 1 / self.dip_every:
            self.dip_left = rng.randint(1, 4)
        if self.dip_left > 0:
            self.dip_left -= 1
            value *= self.dip_depth
        if self.freeze_left <= 0 and rng.random() < self.freeze_chance:
            self.freeze_left = rng.randint(1, 6)
        if self.freeze_left > 0:
            self.freeze_left -= 1
            value = 0
        return value


class Run:
    """One made run; `fault` None: a quiet one."""

    def __init__(self, seed, fault=None):
        self.rng = rng = random.Random(seed)
        self.fault = fault
        self.fault_at = None
        self.follows = fault in ("lag", "retention") or (fault is None and rng.random() < 0.25)
        self.samples = []
        self.time = 0.0
        self.counts = {"records": 0.0, "bytes": 0.0, "rejected": 0.0, "retries": 0}
        self.workers = rng.choice([1, 2, 4, 4, 8])
        self.memory_bound = rng.choice([96, 128, 192, 256, 512]) * MIB
        self.resident = rng.uniform(0.1, 0.2) * self.memory_bound
        self.plateau = rng.uniform(0.25, 0.65) * self.memory_bound
        self.fill_seconds = rng.uniform(2, 25)
        self.batch = rng.choice([1, 50, 200, 1000])
        self.reject_part = rng.choice([0, 0, 0, 0.0005, 0.003])
        self.retry_chance = rng.choice([0, 0, 0.02, 0.1, 0.3])
        self.lag = 0.0
        self.retention = rng.uniform(3600, 86400)
        self.leaked = 0.0
        self.noise = Noise(rng)
        self.pending = 0.0
        if self.follows:
            self.make_following()
        else:
            self.make_copy()

    # ---- what a second adds

    def sample(self, phase, scope, moves, held=False, chunks_left=100):
        self.time += max(0.7, self.rng.gauss(1, 0.02))
        if self.fault == "leak" and self.fault_at is not None:
            self.leaked += self.leak_step * self.rng.uniform(0.7, 1.3)
        target = self.plateau if phase == COPY else self.resident
        self.resident += (target - self.resident) / self.fill_seconds
        shown = self.resident + self.leaked + self.rng.gauss(0, 0.3 * MIB)
        counts = self.counts
        lag = self.lag if self.follows else -1
        self.samples.append([round(self.time, 3), phase, scope, int(moves), int(held), int(counts["records"]),
                             int(counts["bytes"]),
                             int(counts["rejected"]), counts["retries"], chunks_left, self.workers, int(shown),
                             self.memory_bound,
                             round(lag, 2), int(self.retention) if self.follows else -1])

    def begin_fault(self):
        rng = self.rng
        self.fault_at = self.time
        self.slow_factor = rng.uniform(0.08, 0.45)
        self.slow_ramp = rng.choice([1, 1, 4, 8])
        self.leak_step = self.memory_bound * log_uniform(rng, 1 / 120, 1 / 40)
        self.burst_part = log_uniform(rng, 0.03, 0.6)
        self.burst_retries = log_uniform(rng, 2, 10)
        self.lag_step = rng.uniform(0.5, 1)
        if self.fault == "retention":
            self.retention = rng.uniform(650, 900)

    def work(self, speed, size):
        """A second of copying at about `speed` records of `size` bytes."""
        rng = self.rng
        active = self.fault if self.fault_at is not None else None
        if active == "slow":
            into = min(1, (self.time - self.fault_at + 1) / self.slow_ramp)
            speed *= 1 + (self.slow_factor - 1) * into
        elif active == "stall":
            speed = 0
        self.pending += speed
        done = self.pending // self.batch * self.batch
        self.pending -= done
        part = self.reject_part * rng.choice([0, 0, 1, 3]) if active != "rejects" else self.burst_part
        rejected = min(done, max(0, round(rng.gauss(done * part, math.sqrt(done * part * (1 - part))))))
        self.counts["records"] += done
        self.counts["bytes"] += done * size
        self.counts["rejected"] += rejected
        if active == "retries":
            self.counts["retries"] += sum(rng.random() < self.burst_retries / 20 for _ in range(20))
        elif rng.random() < self.retry_chance:
            self.counts["retries"] += rng.choice([1, 1, 1, 2, 4])

    # ---- a copy

    def make_copy(self):
        rng = self.rng
        for _ in range(rng.randint(2, 8)):
            self.sample(PREPARE, 0, False)
        tables = rng.randint(1, 5)
        faulty = rng.randrange(tables) if self.fault else -1
        capped = self.fault is None and rng.random() < 0.2
        pauses = rng.random() < 0.2
        for table in range(tables):
            self.copy_table(table, table == faulty, capped, pauses, table == tables - 1)
            if self.fault_at is not None:
                return
        for _ in range(rng.randint(2, 40)):
            self.sample(INDEXES, 0, False)
        for _ in range(rng.randint(1, 20)):
            self.sample(COUNT, 0, False)

    def copy_table(self, table, faulty, capped, pauses, last):
        rng = self.rng
        size = log_uniform(rng, 30, 4000)
        speed = log_uniform(rng, 2000, 200000) if size < 300 else log_uniform(rng, 200, 20000)
        speed = max(speed, self.batch / 2)
        cap = speed * rng.uniform(0.3, 0.6) if capped else None
        seconds = rng.randint(20, 240) if not faulty else rng.randint(60, 200)
        size_swing = rng.choice([0, 0, 0.3])
        self.noise.freeze_left = 0
        for second in range(seconds + (45 if faulty else 0)):
            if faulty and second == seconds:
                self.begin_fault()
            ramp = min(1, (second + 1) / rng.uniform(1, 4))
            now = speed * self.noise.factor(second) * ramp
            if cap is not None:
                now = min(now, cap)
            left = max(1, int((seconds - second) / 3)) if not faulty else 50
            if last and left < self.workers:
                now *= left / self.workers
            if not last:
                left += 50
            if pauses and not faulty and rng.random() < 1 / 120:
                for _ in range(rng.randint(5, 60)):
                    self.sample(COPY, table + 1, True, held=True, chunks_left=left)
            self.work(now, size * (1 + size_swing * math.sin(second / 20)))
            self.sample(COPY, table + 1, True, chunks_left=left)

    # ---- changes that are followed

    def make_following(self):
        rng = self.rng
        seconds = rng.randint(100, 300)
        every = rng.choice([1, 1, 3, 10])
        usual = rng.uniform(0.1, 2)
        arrival = log_uniform(rng, 5, 5000)
        spike_at = rng.randint(40, seconds) if rng.random() < 0.3 else None
        spike = rng.uniform(2, 6)
        for second in range(seconds + (45 if self.fault else 0)):
            if self.fault and second == seconds:
                self.begin_fault()
            if self.fault == "lag" and self.fault_at is not None:
                self.lag += self.lag_step * rng.uniform(0.8, 1.2)
            elif second % every == 0:
                self.lag = max(0, rng.gauss(usual, usual / 3))
                if spike_at is not None and spike_at <= second < spike_at + 5:
                    self.lag += spike
            else:
                self.lag += 1
            self.retention += rng.gauss(0,
                                        1) if self.fault != "retention" or self.fault_at is None else -rng.uniform(10,
                                            60)
            self.retention = max(self.retention, 0)
            busy = rng.random() < 0.7 or self.fault_at is not None
            self.work(arrival * rng.uniform(0, 2) if busy else 0, 200)
            self.sample(COPY, 1, busy)

    def lines(self, name):
        return json.dumps({"run": name}) + "\n" + "".join(json.dumps(sample) + "\n" for sample in self.samples)


def quiet_runs(count, seed):
    return {"quiet-%03d" % i: Run("%s quiet %d" % (seed, i)) for i in range(count)}


def fault_runs(count, seed):
    return {"%s-%03d" % (FAULTS[i % len(FAULTS)], i): Run("%s fault %d" % (seed, i), FAULTS[i % len(FAULTS)])
            for i in range(count)}
