/* Each second: what came since, each check in its turn, and what that makes of its state. */
#include "observe/anomaly/anomaly_monitor.h"

#include "base/memory.h"
#include "observe/anomaly/anomaly_detector.h"
#include "observe/anomaly/anomaly_ratio.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAST_S = 240,   /* what speeds are compared with */
    LEAST_S = 20,   /* … once there is so much of it */
    WARM_UP_S = 10, /* of a phase, a table, and after it was held */
    MEAN_S = 5,
    SLOW_MEAN_S = 20,
    RATIO_S = 30, /* rejects are counted over */
    GROWTH_S = 20,
    AWAY_MS = 5000, /* without a sample for so long: the process was not let */
    RING = 32,
    STALL_MS = 15000,
    STALL_UNSURE_MS = 60000, /* before it is known how the run moves */
    STALL_MOVES = 5,
    STALL_MAX_MS = 120000,
    RETENTION_S = 600,
    RECORD_BYTES = 256, /* a record costs as much as so many bytes, besides its own */
};
#define MIB 1048576.0
#define SLOW_DEVIATIONS 4.0

struct check_info {
    const char *series;
    const char *detector;
    const char *unit;
    uint32_t begin_s; /* outside for so long: it begins */
    uint32_t end_s;   /* inside for so long: it ends */
    uint32_t window_s;
    const char *hint;
};

#define SLOWER                                                                                    \
    "look at the load of source and target, and at locks; `transhume status` shows which chunks " \
    "are under way"
static const struct check_info checks[ANOMALY_CHECKS] = {
    [ANOMALY_THROUGHPUT_ROBUST_Z] = {"throughput", "robust_z", "records/s", 14, 10, PAST_S, SLOWER},
    [ANOMALY_THROUGHPUT_EWMA] = {"throughput", "ewma", "records/s", 14, 10, PAST_S, SLOWER},
    [ANOMALY_THROUGHPUT_DRIFT] = {"throughput", "drift", "records/s", 14, 10, PAST_S, SLOWER},
    [ANOMALY_THROUGHPUT_CUSUM] = {"throughput", "cusum", "records/s", 20, 10, PAST_S, SLOWER},
    [ANOMALY_THROUGHPUT_SLOW] = {"throughput", "slow", "records/s", 4, 10, PAST_S, SLOWER},
    [ANOMALY_PROGRESS_STALL] = {"progress", "stall", "seconds without movement", 1, 3, PAST_S,
                                "see whether source and target still answer, and who holds locks "
                                "there"},
    [ANOMALY_REJECTS_WILSON] = {"rejects", "wilson", "of the records", 2, 10, RATIO_S,
                                "look at the reasons with `transhume report`; --max-rejects ends "
                                "a run that has too many"},
    [ANOMALY_RETRIES_CUSUM] = {"retries", "cusum", "retries/s", 1, 15, PAST_S,
                               "the log says what is tried again and why; fewer --jobs or a cap "
                               "on the rate may help"},
    [ANOMALY_MEMORY_BOUND] = {"memory", "bound", "bytes", 5, 10, 5,
                              "give it a smaller --memory or fewer --jobs before the system ends "
                              "it"},
    [ANOMALY_MEMORY_GROWTH] = {"memory", "growth", "bytes", 1, 10, GROWTH_S,
                               "it will pass its bound soon: stop it (it can be resumed), and "
                               "report it if no large values explain it"},
    [ANOMALY_LAG_GROWTH] = {"lag", "growth", "seconds", 3, 10, GROWTH_S,
                            "changes come faster than they are applied: look at the target's "
                            "load"},
    [ANOMALY_RETENTION_LEFT] = {"retention", "left", "seconds", 5, 10, GROWTH_S,
                                "the source will drop changes that were not read yet: let it keep "
                                "more, or speed up the target"},
};

struct check_state {
    double score;
    uint32_t outside_s;
    uint32_t inside_s;
    int64_t since_ms;
    bool active;
};

/* The view that a check had of this second. */
struct look {
    double score;
    double value;
    double low;
    double high;
    int64_t since_ms; /* 0: since now */
};

struct anomaly_monitor {
    void (*tell)(void *context, const struct anomaly_finding *finding);
    void *context;
    struct anomaly_sample samples[RING]; /* the n-th at n % RING */
    uint64_t count;
    struct check_state states[ANOMALY_CHECKS];
    int64_t segment_ms; /* since when phase and table are the same, and nothing holds the run */
    int64_t moved_ms;
    int64_t longest_gap_ms;
    uint32_t moves;
    struct anomaly_detector speed; /* of the logarithm */
    double retry_mean;             /* a second */
    double retry_square;
    uint32_t retry_seconds;
    struct anomaly_poisson retry_sum;
    struct anomaly_window resident;
    struct anomaly_window lag;
};

/* Found by trying on generated runs: docs/observing.md, "Anomalies". */
static const struct anomaly_options speed_options = {
    .window = PAST_S,
    .least = LEAST_S,
    .gap = 15,
    .limit = {[ANOMALY_ROBUST_Z] = 6, [ANOMALY_EWMA] = 7, [ANOMALY_DRIFT] = 7},
    .weight = {[ANOMALY_ROBUST_Z] = 1, [ANOMALY_EWMA] = 0.2, [ANOMALY_DRIFT] = 0.05},
    .tail = 0.04,
    .reach = 1.1,
    .floor = 0.08,
    .cusum_slack = 1,
    .cusum_limit = 90,
};

struct anomaly_monitor *anomaly_monitor_create(void (*tell)(void *context,
                                                            const struct anomaly_finding *finding),
                                               void *context)
{
    struct anomaly_monitor *monitor = memory_allocate_zeroed(1, sizeof(*monitor));
    monitor->tell = tell;
    monitor->context = context;
    anomaly_detector_init(&monitor->speed, &speed_options);
    anomaly_window_init(&monitor->resident, PAST_S);
    anomaly_window_init(&monitor->lag, PAST_S);
    return monitor;
}

void anomaly_monitor_destroy(struct anomaly_monitor *monitor)
{
    if (monitor != NULL) {
        anomaly_detector_free(&monitor->speed);
        anomaly_window_free(&monitor->resident);
        anomaly_window_free(&monitor->lag);
        free(monitor);
    }
}

const char *anomaly_check_series(enum anomaly_check check)
{
    return checks[check].series;
}

const char *anomaly_check_detector(enum anomaly_check check)
{
    return checks[check].detector;
}

double anomaly_monitor_score(const struct anomaly_monitor *monitor, enum anomaly_check check)
{
    return monitor->states[check].score;
}

bool anomaly_monitor_is_active(const struct anomaly_monitor *monitor, enum anomaly_check check)
{
    return monitor->states[check].active;
}

/* ---- states */

static void anomaly_monitor_tell(struct anomaly_monitor *monitor, enum anomaly_check check,
                                 const struct look *look, int64_t at_ms, bool ended)
{
    const struct check_info *info = &checks[check];
    const struct anomaly_finding finding = {.check = check,
                                            .series = info->series,
                                            .detector = info->detector,
                                            .unit = info->unit,
                                            .value = look->value,
                                            .low = look->low,
                                            .high = look->high,
                                            .window_seconds = info->window_s,
                                            .since_ms = monitor->states[check].since_ms,
                                            .at_ms = at_ms,
                                            .ended = ended,
                                            .hint = info->hint};
    monitor->states[check].active = !ended;
    monitor->tell(monitor->context, &finding);
}

/* Another check of the same series found it already. */
static bool is_taken(const struct anomaly_monitor *monitor, enum anomaly_check check)
{
    bool taken = false;
    for (int i = 0; i < ANOMALY_CHECKS && !taken; i++) {
        taken = monitor->states[i].active && i != (int)check &&
                strcmp(checks[i].series, checks[check].series) == 0 &&
                !(check == ANOMALY_MEMORY_BOUND && i == ANOMALY_MEMORY_GROWTH);
    }
    return taken;
}

/* It begins when it was outside for long enough, and ends when it was well inside for long enough:
 * what lies between leaves it as it is. */
static void anomaly_monitor_note(struct anomaly_monitor *monitor, enum anomaly_check check,
                                 int64_t at_ms, const struct look *look)
{
    struct check_state *state = &monitor->states[check];
    state->score = look->score;
    if (look->score >= 1) {
        if (state->outside_s == 0 && !state->active) {
            state->since_ms = look->since_ms != 0 ? look->since_ms : at_ms;
        }
        state->outside_s++;
        state->inside_s = 0;
    } else {
        state->outside_s = 0;
        state->inside_s = look->score < 0.8 ? state->inside_s + 1 : 0;
    }
    if (!state->active && state->outside_s >= checks[check].begin_s && !is_taken(monitor, check)) {
        anomaly_monitor_tell(monitor, check, look, at_ms, false);
    } else if (state->active && state->inside_s >= checks[check].end_s) {
        anomaly_monitor_tell(monitor, check, look, at_ms, true);
    }
}

/* The past that it compares with is gone: nothing can be said any more. */
static void anomaly_monitor_drop(struct anomaly_monitor *monitor, enum anomaly_check check,
                                 int64_t at_ms)
{
    struct check_state *state = &monitor->states[check];
    const struct look nothing = {0, NAN, NAN, NAN, 0};
    if (state->active) {
        anomaly_monitor_tell(monitor, check, &nothing, at_ms, true);
    }
    *state = (struct check_state){0};
}

void anomaly_monitor_end(struct anomaly_monitor *monitor, int64_t at_ms)
{
    for (int i = 0; i < ANOMALY_CHECKS; i++) {
        anomaly_monitor_drop(monitor, (enum anomaly_check)i, at_ms);
    }
}

/* ---- samples */

/* The one of so many seconds ago, or the oldest. */
static const struct anomaly_sample *ago(const struct anomaly_monitor *monitor, uint64_t seconds)
{
    uint64_t last = monitor->count - 1;
    uint64_t kept = monitor->count < RING ? monitor->count : RING;
    uint64_t back = seconds < kept ? seconds : kept - 1;
    return &monitor->samples[(last - back) % RING];
}

static double since_counter(uint64_t now, uint64_t before)
{
    return now > before ? (double)(now - before) : 0;
}

static double work_between(const struct anomaly_sample *now, const struct anomaly_sample *before)
{
    double seconds = (double)(now->at_ms - before->at_ms) / 1000;
    double work = since_counter(now->bytes, before->bytes) +
                  RECORD_BYTES * since_counter(now->records, before->records);
    return seconds > 0 ? work / seconds : 0;
}

static double records_between(const struct anomaly_sample *now, const struct anomaly_sample *before)
{
    double seconds = (double)(now->at_ms - before->at_ms) / 1000;
    return seconds > 0 ? since_counter(now->records, before->records) / seconds : 0;
}

/* ---- speed */

static void begin_segment(struct anomaly_monitor *monitor, int64_t at_ms)
{
    monitor->segment_ms = at_ms;
    anomaly_detector_clear(&monitor->speed);
    for (int i = ANOMALY_THROUGHPUT_ROBUST_Z; i <= ANOMALY_THROUGHPUT_SLOW; i++) {
        anomaly_monitor_drop(monitor, (enum anomaly_check)i, at_ms);
    }
}

static bool is_slower_known(const struct anomaly_monitor *monitor)
{
    bool known = false;
    for (int i = ANOMALY_THROUGHPUT_ROBUST_Z; i <= ANOMALY_THROUGHPUT_SLOW; i++) {
        known = known || monitor->states[i].active;
    }
    return known;
}

/* Work as records, at the present size of records. */
static double as_records(double logarithm, double records, double work)
{
    return work > 0 ? exp(logarithm) * records / work : NAN;
}

/* The speeds of the last twenty seconds: of them all, and of the best five. Two freezes in a row
 * make the first one low, but not the second. */
static void find_pace(const struct anomaly_monitor *monitor, double *whole, double *best)
{
    const struct anomaly_sample *now = ago(monitor, 0);
    *whole = work_between(now, ago(monitor, SLOW_MEAN_S));
    *best = 0;
    for (uint64_t back = 0; back + MEAN_S <= SLOW_MEAN_S; back++) {
        *best = fmax(*best, work_between(ago(monitor, back), ago(monitor, back + MEAN_S)));
    }
}

/* Halved, or far below what is usual by one of the methods: not by a freeze alone, and not by less
 * than nearly a half, which is nobody's trouble however unusual. */
static void note_speed(struct anomaly_monitor *monitor, const struct anomaly_sample *now,
                       const struct anomaly_verdict *verdict, double speed)
{
    static const enum anomaly_method methods[] = {ANOMALY_ROBUST_Z, ANOMALY_EWMA, ANOMALY_DRIFT,
                                                  ANOMALY_CUSUM};
    const struct anomaly_sample *before = ago(monitor, SLOW_MEAN_S);
    double records = records_between(now, before);
    double whole;
    double best;
    find_pace(monitor, &whole, &best);
    bool known = verdict->high > verdict->low;
    double far = known ? log(fmax(whole, 1)) - verdict->center : 0;
    double frozen = known ? (log(fmax(best, 1)) - verdict->center) / log(0.65) : 0;
    double worth = known ? fmin((speed - verdict->center) / log(0.55), frozen) : 0;
    struct look look = {.value = records_between(now, ago(monitor, MEAN_S)),
                        .low = as_records(verdict->low, records, whole),
                        .high = as_records(verdict->high, records, whole)};
    for (int i = 0; i < 4; i++) {
        look.score = fmax(0, fmin(-verdict->scores[methods[i]], worth));
        anomaly_monitor_note(monitor, (enum anomaly_check)(ANOMALY_THROUGHPUT_ROBUST_Z + i),
                             now->at_ms, &look);
    }
    double sure = known ? -far / (SLOW_DEVIATIONS * verdict->deviation) : 0;
    look = (struct look){.score = fmax(0, fmin(fmin(far / log(0.5), frozen), sure)),
                         .value = records,
                         .low = as_records(verdict->center + log(0.5), records, whole),
                         .high = NAN};
    anomaly_monitor_note(monitor, ANOMALY_THROUGHPUT_SLOW, now->at_ms, &look);
}

static void check_speed(struct anomaly_monitor *monitor, const struct anomaly_sample *now)
{
    struct anomaly_verdict verdict;
    double work = work_between(now, ago(monitor, MEAN_S));
    bool tail = now->workers > 0 && now->chunks_left < now->workers;
    bool gone = now->at_ms - monitor->moved_ms >= MEAN_S * 1000; /* the stall's business */
    if (now->at_ms - monitor->segment_ms < WARM_UP_S * 1000 || tail) {
        return;
    }
    double speed = log(fmax(work, 1));
    bool learn = !is_slower_known(monitor) && !gone;
    anomaly_detector_feed(&monitor->speed, speed, learn, &verdict);
    if (!gone) {
        note_speed(monitor, now, &verdict, speed);
    }
}

/* ---- movement */

/* Without movement for how long it is a stall. */
static int64_t stall_limit_ms(const struct anomaly_monitor *monitor,
                              const struct anomaly_sample *now)
{
    int64_t limit_ms = 2 * monitor->longest_gap_ms;
    limit_ms = limit_ms < STALL_MS ? STALL_MS : limit_ms > STALL_MAX_MS ? STALL_MAX_MS : limit_ms;
    if (monitor->moves < STALL_MOVES && limit_ms < STALL_UNSURE_MS) {
        limit_ms = STALL_UNSURE_MS;
    }
    return now->stall_ms > 0 && now->stall_ms < limit_ms ? now->stall_ms : limit_ms;
}

static void check_movement(struct anomaly_monitor *monitor, const struct anomaly_sample *now,
                           const struct anomaly_sample *before)
{
    bool moved = now->records != before->records || now->bytes != before->bytes ||
                 now->chunks_left != before->chunks_left || now->moved_ms != before->moved_ms;
    int64_t gap_ms = now->at_ms - monitor->moved_ms;
    if (moved || !now->moves || now->held) {
        bool usual = gap_ms < STALL_UNSURE_MS && !monitor->states[ANOMALY_PROGRESS_STALL].active;
        if (moved && usual && gap_ms > monitor->longest_gap_ms) {
            monitor->longest_gap_ms = gap_ms;
        }
        monitor->moved_ms = now->at_ms;
        monitor->moves += moved;
        gap_ms = 0;
    }
    int64_t limit_ms = stall_limit_ms(monitor, now);
    const struct look look = {.score = (double)gap_ms / (double)limit_ms,
                              .value = (double)gap_ms / 1000,
                              .low = NAN,
                              .high = (double)limit_ms / 1000,
                              .since_ms = monitor->moved_ms};
    anomaly_monitor_note(monitor, ANOMALY_PROGRESS_STALL, now->at_ms, &look);
}

/* ---- rejects and retries */

static void check_rejects(struct anomaly_monitor *monitor, const struct anomaly_sample *now)
{
    enum { LEAST = 5 };
    const double most = 0.01;
    const struct anomaly_sample *before = ago(monitor, RATIO_S);
    double rejected = since_counter(now->rejected, before->rejected);
    double all = since_counter(now->records, before->records);
    double low;
    double high;
    anomaly_wilson(rejected, all, 2.576, &low, &high);
    bool enough = rejected >= LEAST && monitor->count > WARM_UP_S;
    const struct look look = {.score = enough ? low / most : 0,
                              .value = all > 0 ? rejected / all : 0,
                              .low = NAN,
                              .high = most};
    anomaly_monitor_note(monitor, ANOMALY_REJECTS_WILSON, now->at_ms, &look);
}

/* The usual rate, and how much more than those of independent events its numbers differ. */
static void learn_retries(struct anomaly_monitor *monitor, double count)
{
    enum { MEMORY_S = 120 };
    monitor->retry_seconds += monitor->retry_seconds < MEMORY_S;
    double weight = 1.0 / monitor->retry_seconds;
    monitor->retry_mean += weight * (count - monitor->retry_mean);
    monitor->retry_square += weight * (count * count - monitor->retry_square);
}

static void check_retries(struct anomaly_monitor *monitor, const struct anomaly_sample *now,
                          const struct anomaly_sample *before)
{
    enum { LIMIT = 10, TIMES = 4 };
    double count = since_counter(now->retries, before->retries);
    double usual = fmax(0.2, monitor->retry_mean);
    double variance = monitor->retry_square - monitor->retry_mean * monitor->retry_mean;
    double clumps = fmax(1, monitor->retry_mean > 0 ? variance / monitor->retry_mean : 1);
    const struct look look = {
        .score =
            anomaly_poisson_feed(&monitor->retry_sum, count, usual, TIMES, LIMIT * fmin(clumps, 4)),
        .value = since_counter(now->retries, ago(monitor, MEAN_S)->retries) / MEAN_S,
        .low = NAN,
        .high = usual * TIMES};
    anomaly_monitor_note(monitor, ANOMALY_RETRIES_CUSUM, now->at_ms, &look);
    if (look.score < 0.7) {
        learn_retries(monitor, count);
    }
}

/* ---- memory */

/* It rose in nearly every second, above all that it had, does not slow down, and will be at its
 * bound soon. Buffers that fill in the first minute are not meant. */
static double growth_score(const struct anomaly_monitor *monitor, const struct anomaly_sample *now)
{
    enum { ROSE_MIN = GROWTH_S * 3 / 4, SOON_S = 600, SETTLED_S = 75 };
    double grown = now->resident_bytes - ago(monitor, GROWTH_S)->resident_bytes;
    double before = anomaly_window_quantile(&monitor->resident, 1);
    uint32_t rose = 0;
    double lately = now->resident_bytes - ago(monitor, GROWTH_S / 2)->resident_bytes;
    if (monitor->resident.count < SETTLED_S - GROWTH_S || grown <= 0) {
        return 0;
    }
    for (uint32_t i = 0; i < GROWTH_S; i++) {
        rose += ago(monitor, i)->resident_bytes > ago(monitor, i + 1)->resident_bytes;
    }
    double left_s = (now->memory_bound_bytes - now->resident_bytes) / (grown / GROWTH_S);
    double parts[] = {(double)rose / ROSE_MIN,
                      grown / fmax(12 * MIB, 0.06 * before),
                      now->resident_bytes / (1.1 * before),
                      now->resident_bytes / (0.5 * now->memory_bound_bytes),
                      SOON_S / fmax(left_s, 1),
                      lately / (0.4 * grown)};
    double least = parts[0];
    for (size_t i = 1; i < sizeof(parts) / sizeof(parts[0]); i++) {
        least = fmin(least, parts[i]);
    }
    return least;
}

static void check_memory(struct anomaly_monitor *monitor, const struct anomaly_sample *now)
{
    const double part = 0.8;
    if (now->resident_bytes <= 0 || now->memory_bound_bytes <= 0) {
        return;
    }
    struct look look = {.score = now->resident_bytes / (part * now->memory_bound_bytes),
                        .value = now->resident_bytes,
                        .low = NAN,
                        .high = part * now->memory_bound_bytes};
    /* A value that is well inside differs by little from one that is outside. */
    look.score = look.score >= 1 ? look.score : look.score < 0.94 ? look.score * 0.8 : 0.9;
    anomaly_monitor_note(monitor, ANOMALY_MEMORY_BOUND, now->at_ms, &look);
    look.score = growth_score(monitor, now);
    look.high = 1.1 * anomaly_window_quantile(&monitor->resident, 1);
    anomaly_monitor_note(monitor, ANOMALY_MEMORY_GROWTH, now->at_ms, &look);
    if (monitor->count > GROWTH_S) {
        anomaly_window_add(&monitor->resident, ago(monitor, GROWTH_S)->resident_bytes);
    }
}

/* ---- changes that are followed */

static void check_lag(struct anomaly_monitor *monitor, const struct anomaly_sample *now)
{
    const struct anomaly_sample *before = ago(monitor, GROWTH_S);
    double highest = anomaly_window_quantile(&monitor->lag, 1);
    bool grows = true;
    if (now->lag_seconds < 0 || before->lag_seconds < 0 || monitor->count <= GROWTH_S) {
        return;
    }
    for (uint32_t i = 0; i < GROWTH_S && grows; i++) {
        grows = ago(monitor, i)->lag_seconds >= ago(monitor, i + 1)->lag_seconds - 1;
    }
    double high = 4 + 1.1 * highest;
    double grown = now->lag_seconds - before->lag_seconds;
    const struct look look = {
        .score = grows || monitor->states[ANOMALY_LAG_GROWTH].active
                     ? fmin(now->lag_seconds / high,
                            fmax(grown / (0.4 * GROWTH_S), now->lag_seconds / (2 * high)))
                     : 0,
        .value = now->lag_seconds,
        .low = NAN,
        .high = high};
    anomaly_monitor_note(monitor, ANOMALY_LAG_GROWTH, now->at_ms, &look);
    if (!monitor->states[ANOMALY_LAG_GROWTH].active && look.score < 1) {
        anomaly_window_add(&monitor->lag, before->lag_seconds);
    }
}

static void check_retention(struct anomaly_monitor *monitor, const struct anomaly_sample *now)
{
    const struct anomaly_sample *before = ago(monitor, GROWTH_S);
    if (now->retention_seconds < 0 || before->retention_seconds < 0) {
        return;
    }
    double left = fmax(now->retention_seconds, 1);
    const struct look look = {
        .score = RETENTION_S / left, .value = left, .low = RETENTION_S, .high = NAN};
    anomaly_monitor_note(monitor, ANOMALY_RETENTION_LEFT, now->at_ms, &look);
}

/* ---- a second */

static bool is_other_segment(const struct anomaly_sample *now, const struct anomaly_sample *before)
{
    return now->phase != before->phase || now->scope != before->scope || now->held || !now->moves ||
           now->at_ms - before->at_ms >= AWAY_MS;
}

void anomaly_monitor_feed(struct anomaly_monitor *monitor, const struct anomaly_sample *sample)
{
    if (monitor->count == 0) {
        monitor->samples[0] = *sample;
        monitor->count = 1;
        monitor->moved_ms = sample->at_ms;
        begin_segment(monitor, sample->at_ms);
        return;
    }
    const struct anomaly_sample before = *ago(monitor, 0);
    if (sample->at_ms <= before.at_ms) {
        return;
    }
    monitor->samples[monitor->count++ % RING] = *sample;
    if (sample->at_ms - before.at_ms >= AWAY_MS) {
        monitor->moved_ms += sample->at_ms - before.at_ms;
    }
    if (is_other_segment(sample, &before)) {
        begin_segment(monitor, sample->at_ms);
    }
    check_movement(monitor, sample, &before);
    check_speed(monitor, sample);
    check_rejects(monitor, sample);
    check_retries(monitor, sample, &before);
    check_memory(monitor, sample);
    check_lag(monitor, sample);
    check_retention(monitor, sample);
}
