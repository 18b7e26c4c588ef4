/*
 * A window on src/observe/anomaly for tests and benchmarks in Python: reads lines, prints lines.
 *
 *   anomaly_probe replay     runs, sample by sample, in virtual time: a line {"run":NAME} begins
 *                            one, and each line after it is a sample, an array as of read_sample.
 *                            Prints an object for each finding that begins or ends.
 *   anomaly_probe series     series of numbers, one a line, each series after a line "# NAME".
 *                            Prints the same with the score of each number instead of it.
 */
#include "observe/anomaly/anomaly_detector.h"
#include "observe/anomaly/anomaly_monitor.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- runs */

struct replay {
    char run[128];
    struct anomaly_monitor *monitor;
    int64_t last_ms;
};

static json_t *number_or_null(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

static void print_finding(void *context, const struct anomaly_finding *finding)
{
    const struct replay *replay = context;
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:f, s:f, s:o, s:o, s:o, s:s}", "run", replay->run, "series",
        finding->series, "detector", finding->detector, "state", finding->ended ? "ended" : "began",
        "at", (double)finding->at_ms / 1000, "since", (double)finding->since_ms / 1000, "value",
        number_or_null(finding->value), "low", number_or_null(finding->low), "high",
        number_or_null(finding->high), "unit", finding->unit);
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(object);
}

static double field(const json_t *line, size_t at)
{
    return json_number_value(json_array_get(line, at));
}

static void read_sample(const json_t *line, struct anomaly_sample *sample)
{
    *sample = (struct anomaly_sample){.at_ms = (int64_t)(field(line, 0) * 1000),
                                      .phase = (uint32_t)field(line, 1),
                                      .scope = (uint32_t)field(line, 2),
                                      .moves = field(line, 3) > 0,
                                      .held = field(line, 4) > 0,
                                      .records = (uint64_t)field(line, 5),
                                      .bytes = (uint64_t)field(line, 6),
                                      .rejected = (uint64_t)field(line, 7),
                                      .retries = (uint64_t)field(line, 8),
                                      .chunks_left = (uint64_t)field(line, 9),
                                      .workers = (uint32_t)field(line, 10),
                                      .resident_bytes = field(line, 11),
                                      .memory_bound_bytes = field(line, 12),
                                      .lag_seconds = field(line, 13),
                                      .retention_seconds = field(line, 14)};
}

static void end_run(struct replay *replay)
{
    if (replay->monitor != NULL) {
        anomaly_monitor_end(replay->monitor, replay->last_ms);
        anomaly_monitor_destroy(replay->monitor);
        replay->monitor = NULL;
    }
}

static void take_line(struct replay *replay, const json_t *line)
{
    if (json_is_object(line)) {
        end_run(replay);
        snprintf(replay->run, sizeof(replay->run), "%s",
                 json_string_value(json_object_get(line, "run")));
        replay->monitor = anomaly_monitor_create(print_finding, replay);
    } else if (replay->monitor != NULL) {
        struct anomaly_sample sample;
        read_sample(line, &sample);
        replay->last_ms = sample.at_ms;
        anomaly_monitor_feed(replay->monitor, &sample);
    }
}

static int replay_runs(void)
{
    struct replay replay = {0};
    char *text = NULL;
    size_t capacity = 0;
    int code = 0;
    while (code == 0 && getline(&text, &capacity, stdin) > 0) {
        json_error_t error;
        json_t *line = json_loads(text, 0, &error);
        if (line == NULL) {
            fprintf(stderr, "anomaly_probe: %s: %s", error.text, text);
            code = 1;
        } else {
            take_line(&replay, line);
        }
        json_decref(line);
    }
    end_run(&replay);
    free(text);
    return code;
}

/* ---- series of which nothing is known */

enum { HOLD = 200, HOLD_ON = 30 };
static const double worse = 1.35;

static const struct anomaly_options series_options = {
    .window = 800,
    .least = 200,
    .limit = {[ANOMALY_ROBUST_Z] = 12, [ANOMALY_DRIFT] = 3, [ANOMALY_JUMPS] = 5},
    .weight = {[ANOMALY_ROBUST_Z] = 1, [ANOMALY_DRIFT] = 0.015, [ANOMALY_JUMPS] = 0.1},
    .tail = 0,
    .reach = 1,
    .floor = 1e-9,
    .floor_part = 0.002,
};

/* What was found is told once: again only when it gets worse, or after it was over for a while. */
struct told {
    int64_t at;
    int64_t until;
    double score;
};

static double tell(struct told *told, double score)
{
    bool tells = score >= 1 && (told->at > told->until || score > told->score * worse);
    if (tells) {
        told->until = told->at + HOLD;
        told->score = score;
    } else if (score >= 1) {
        told->until = told->until > told->at + HOLD_ON ? told->until : told->at + HOLD_ON;
        told->score = fmax(told->score, score);
    }
    told->at++;
    return tells ? score / (score + 1) : fmin(score, 1) / 4;
}

static int judge_series(void)
{
    struct anomaly_detector detector;
    struct told told = {.until = -1};
    char *text = NULL;
    size_t capacity = 0;
    anomaly_detector_init(&detector, &series_options);
    while (getline(&text, &capacity, stdin) > 0) {
        struct anomaly_verdict verdict;
        if (text[0] == '#') {
            anomaly_detector_clear(&detector);
            told = (struct told){.until = -1};
            fputs(text, stdout);
            continue;
        }
        anomaly_detector_feed(&detector, strtod(text, NULL), true, &verdict);
        printf("%.6f\n", tell(&told, fabs(verdict.score)));
    }
    anomaly_detector_free(&detector);
    free(text);
    return 0;
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "replay") == 0) {
        return replay_runs();
    }
    if (count == 2 && strcmp(arguments[1], "series") == 0) {
        return judge_series();
    }
    fprintf(stderr, "usage: anomaly_probe replay|series\n");
    return 2;
}
