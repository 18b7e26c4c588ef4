/*
 * state.json as a table. Read without trust: members that are absent or of another type are shown
 * as unknown, since people and scripts may have touched the file.
 */
#include "cli/state_view.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"
#include "engine/ledger/json_text.h"
#include "model/json_tree.h"
#include "observe/not_carried.h"
#include "observe/table.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ERRORS_SHOWN = 3, WORKERS_SHOWN = 8, STAMP_DIGITS = 23, RATE_SHOWN_MAX = 1000000000 };

struct sums {
    int64_t total; /* -1 once one is not known */
    int64_t migrated;
    int64_t rejected;
    int64_t skipped;
    int64_t work; /* of the source's records, where the total is not known */
    int64_t work_total;
};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

/* -1: no count */
static int64_t count_of(const json_t *object, const char *name)
{
    const json_t *number = json_object_get(object, name);
    return json_is_integer(number) && json_integer_value(number) >= 0 ? json_integer_value(number)
                                                                      : -1;
}

/* Milliseconds since 1970 of "2026-01-31T23:59:59.123Z"; 0: not such a stamp. */
static int64_t stamp_of(const json_t *object, const char *name)
{
    const char *text = text_of(object, name);
    int parts[7] = {0};
    static const char form[] = "####-##-##T##:##:##.###";
    if (strlen(text) < STAMP_DIGITS) {
        return 0;
    }
    for (int i = 0, part = 0; i < STAMP_DIGITS; i++) {
        if (form[i] != '#') {
            part++;
        }
        if (form[i] == '#' ? text[i] < '0' || text[i] > '9' : text[i] != form[i]) {
            return 0;
        }
        parts[part] = form[i] == '#' ? parts[part] * 10 + (text[i] - '0') : parts[part];
    }
    if (parts[1] < 1 || parts[1] > 12) {
        return 0;
    }
    int64_t days = clock_days_from_civil(parts[0], parts[1], parts[2]);
    return (((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5]) * 1000 + parts[6];
}

static void add_percent(struct table *table, int64_t done, int64_t total)
{
    if (done < 0 || total < 0) {
        table_add_text(table, "?");
    } else if (done >= total) {
        table_add_text(table, "100.0%");
    } else {
        unsigned tenths = (unsigned)((double)done / (double)total * 1000);
        table_format(table, "%u.%u%%", tenths / 10, tenths % 10);
    }
}

/* The file may say anything: a sum of its counts ends at the largest number. Both >= 0. */
static int64_t sum_of(int64_t left, int64_t right)
{
    return left > INT64_MAX - right ? INT64_MAX : left + right;
}

static int64_t done_of(const struct sums *sums)
{
    return sum_of(sum_of(sums->migrated, sums->rejected), sums->skipped);
}

/* Done is what was written, rejected or skipped. */
static void add_row(struct table *table, const char *table_name, const char *name,
                    const struct sums *sums, const char *last_id)
{
    table_add_text(table, table_name);
    table_add_text(table, name);
    table_add_count(table, sums->migrated);
    table_add_count(table, sums->rejected);
    table_add_count(table, sums->total);
    if (sums->total < 0) {
        add_percent(table, sums->work, sums->work_total);
    } else {
        add_percent(table, done_of(sums), sums->total);
    }
    table_add_text(table, last_id);
}

static int64_t count_or_zero(const json_t *object, const char *name)
{
    int64_t count = count_of(object, name);
    return count < 0 ? 0 : count;
}

/* Where there is no room for all entities, those under way come first, then those to come. */
enum { MOVING, WAITING, COMPLETE, CLASSES };

struct room {
    uint32_t left[CLASSES];
    uint32_t hidden;
};

static int class_of(const json_t *entity)
{
    int64_t done = sum_of(count_or_zero(entity, "migrated"), count_or_zero(entity, "rejected"));
    int64_t total = count_of(entity, "total");
    done = sum_of(done, count_or_zero(entity, "skipped"));
    if (total >= 0 && done >= total) {
        return COMPLETE;
    }
    return done > 0 || count_or_zero(entity, "read") > 0 ? MOVING : WAITING;
}

static void share_room(json_t *tables, uint32_t rows, struct room *room)
{
    const char *table_name;
    const char *name;
    json_t *table;
    json_t *entity;
    uint32_t counts[CLASSES] = {0};
    uint32_t free_rows = rows == 0 ? UINT32_MAX : rows;
    json_object_foreach(tables, table_name, table)
    {
        json_object_foreach(json_object_get(table, "entities"), name, entity)
        {
            counts[class_of(entity)]++;
        }
    }
    for (int i = 0; i < CLASSES; i++) {
        room->left[i] = counts[i] < free_rows ? counts[i] : free_rows;
        room->hidden += counts[i] - room->left[i];
        free_rows -= room->left[i];
    }
}

static void add_entity(struct table *table, const char *table_name, const char *name,
                       const json_t *entity, struct sums *all, struct room *room)
{
    struct sums own = {.total = count_of(entity, "total"),
                       .migrated = count_or_zero(entity, "migrated"),
                       .rejected = count_or_zero(entity, "rejected"),
                       .skipped = count_or_zero(entity, "skipped")};
    own.work = own.total < 0 ? count_of(entity, "read") : done_of(&own);
    own.work_total = own.total < 0 ? count_of(entity, "source_records") : own.total;
    uint32_t *left = &room->left[class_of(entity)];
    if (*left > 0) {
        --*left;
        add_row(table, table_name, name, &own, text_of(entity, "last_id"));
    }
    bool known = own.work >= 0 && own.work_total >= 0 && all->work_total >= 0;
    all->work = known ? sum_of(all->work, own.work) : -1;
    all->work_total = known ? sum_of(all->work_total, own.work_total) : -1;
    all->total = all->total < 0 || own.total < 0 ? -1 : sum_of(all->total, own.total);
    all->migrated = sum_of(all->migrated, own.migrated);
    all->rejected = sum_of(all->rejected, own.rejected);
    all->skipped = sum_of(all->skipped, own.skipped);
}

static void append_tables(json_t *state, bool color, uint32_t rows, struct sums *sums,
                          struct buffer *out)
{
    static const char *const titles[] = {"table",  "entity", ">migrated", ">rejected",
                                         ">total", ">done",  "last",      NULL};
    struct table *table = table_create(titles);
    const char *table_name;
    const char *entity_name;
    json_t *table_object;
    json_t *entity;
    struct room room = {0};
    share_room(json_object_get(state, "tables"), rows, &room);
    json_object_foreach(json_object_get(state, "tables"), table_name, table_object)
    {
        json_object_foreach(json_object_get(table_object, "entities"), entity_name, entity)
        {
            add_entity(table, table_name, entity_name, entity, sums, &room);
        }
    }
    table_rule(table);
    add_row(table, "total", "", sums, "");
    table_fit(table, cli_terminal_columns(STDOUT_FILENO));
    table_append(table, color, out);
    table_destroy(table);
    if (room.hidden > 0) {
        char count[32];
        text_human_count(room.hidden, count, sizeof(count));
        buffer_format(out, "and %s more, for which there is no room here\n", count);
    }
}

/* Between two looks; at the first one, the mean of this attempt. */
static double state_view_measure(const json_t *state, int64_t done, struct state_watch *watch)
{
    const json_t *attempt = json_object_get(state, "attempt");
    int64_t now_ms = clock_monotonic_ms();
    int64_t began = stamp_of(attempt, "started_at");
    int64_t elapsed_ms = stamp_of(state, "updated_at") - began;
    int64_t migrated = done - count_or_zero(attempt, "migrated_before");
    double rate = watch->rate;
    if (watch->then_ms > 0 && now_ms > watch->then_ms && done >= watch->done) {
        double now = (double)(done - watch->done) * 1000 / (double)(now_ms - watch->then_ms);
        rate = rate > 0 ? rate * 0.7 + now * 0.3 : now;
    } else if (began > 0 && migrated > 0) {
        rate = (double)migrated * 1000 / (double)(elapsed_ms < 1 ? 1 : elapsed_ms);
    }
    watch->then_ms = now_ms;
    watch->done = done;
    watch->rate = rate;
    return rate;
}

static void append_rate(const json_t *state, bool running, const struct sums *sums,
                        struct state_watch *watch, struct buffer *out)
{
    char text[32];
    int64_t left = sums->total < 0 ? 0 : sums->total - done_of(sums);
    double rate = state_view_measure(state, sums->migrated, watch);
    if (rate <= 0) {
        return;
    }
    text_human_count(rate < RATE_SHOWN_MAX ? (uint64_t)(rate + 0.5) : RATE_SHOWN_MAX, text,
                     sizeof(text));
    buffer_format(out, "\nrate     %s records/s", text);
    if (running && left > 0) {
        text_human_seconds((double)left / rate, text, sizeof(text));
        buffer_format(out, ", about %s left", text);
    }
    buffer_append_byte(out, '\n');
}

static void append_printable(struct buffer *out, const char *text)
{
    char printable[400];
    text_printable(text, strlen(text), printable, sizeof(printable));
    buffer_append_string(out, printable);
}

static void append_member(const char *label, const json_t *state, const char *name,
                          struct buffer *out)
{
    const char *text = text_of(state, name);
    if (*text != '\0') {
        buffer_format(out, "%-9s", label);
        append_printable(out, text);
        buffer_append_byte(out, '\n');
    }
}

static void append_rollback(const char *run_id, struct buffer *out)
{
    buffer_append_string(out, ": `transhume rollback --run ");
    append_printable(out, run_id);
    buffer_append_string(out, " --confirm` continues it");
}

void state_view_append_rollback(const char *run_id, struct buffer *out)
{
    buffer_append_string(out, "a rollback of run ");
    append_printable(out, run_id);
    buffer_append_string(out, " was begun");
    append_rollback(run_id, out);
    buffer_append_byte(out, '\n');
}

/* The object in `json` gets the member, which this takes over, unless it has one of the name. */
static void member_add(struct buffer *json, const char *name, json_t *value)
{
    json_t *object = json_tree_load(json->data, json->length, 0, NULL);
    if (!json_is_object(object) || json_object_get(object, name) != NULL) {
        json_decref(value);
        json_decref(object);
        return;
    }
    json_object_set_new(object, name, value);
    buffer_clear(json);
    json_tree_append(object, JSON_INDENT(2), json);
    json_decref(object);
    buffer_append_byte(json, '\n');
}

void state_view_add_rollback(const char *run_id, struct buffer *json)
{
    char next[160];
    snprintf(next, sizeof(next), "transhume rollback --run %s --confirm", run_id);
    member_add(json, "rollback",
               json_pack("{s:o,s:o}", "run", json_text(run_id), "next", json_text(next)));
}

void state_view_append_quiet(uint32_t count, int64_t since_us, bool running, struct buffer *out)
{
    char since[32];
    clock_format_utc(since_us, since, sizeof since);
    buffer_format(out, "%u trigger%s of the target %s off since %s, while changes are applied%s\n",
                  count, count == 1 ? "" : "s", count == 1 ? "has been" : "have been", since,
                  running
                      ? ""
                      : ", which nobody does any more: the next `transhume follow` or `transhume "
                        "cutover` gives them back, as do `transhume cutover --abandon --confirm` "
                        "and `transhume finish`");
}

void state_view_add_quiet(uint32_t count, int64_t since_us, struct buffer *json)
{
    char since[32];
    clock_format_utc(since_us, since, sizeof since);
    member_add(json, "triggers_off",
               json_pack("{s:I,s:s}", "count", (json_int_t)count, "since", since));
}

void state_view_append_fence(int64_t since_us, bool sealed, bool running, struct buffer *out)
{
    char since[32];
    clock_format_utc(since_us, since, sizeof since);
    buffer_format(out, "the source's writers have been stopped since %s by a cut-over%s", since,
                  running ? " that is at work"
                  : sealed
                      ? " after which the application may be at the target: `transhume cutover "
                        "--confirm` continues it, `transhume cutover --back --confirm` lets "
                        "them write again"
                      : " that did not end: the next `transhume follow` or `transhume cutover "
                        "--back --confirm` lets them write again");
    buffer_append_byte(out, '\n');
}

void state_view_add_text(const char *name, const char *text, struct buffer *json)
{
    member_add(json, name, json_text(text));
}

void state_view_add_fence(int64_t since_us, bool sealed, struct buffer *json)
{
    char since[32];
    clock_format_utc(since_us, since, sizeof since);
    member_add(json, "fence", json_pack("{s:s,s:b}", "since", since, "sealed", sealed ? 1 : 0));
}

static void append_status(const json_t *state, bool running, struct buffer *out)
{
    const char *status = text_of(state, "status");
    const json_t *resumable = json_object_get(state, "resumable");
    const char *next = json_is_false(resumable) ? "`transhume migrate` writes all of it again"
                       : strcmp(text_of(state, "phase"), "following") == 0
                           ? "`transhume follow` continues"
                           : "`transhume resume` continues";
    bool rolling = strcmp(status, "rolling_back") == 0;
    buffer_append_string(out, "status   ");
    append_printable(out, *status == '\0'                      ? "?"
                          : strcmp(status, "in_progress") == 0 ? "in progress"
                          : strcmp(status, "not_started") == 0 ? "not started"
                          : strcmp(status, "rolled_back") == 0 ? "rolled back"
                          : !rolling                           ? status
                          : running                            ? "being rolled back"
                                                               : "a rollback was begun");
    if (strcmp(status, "in_progress") == 0 && !running) {
        bool interrupted = json_is_true(json_object_get(state, "interrupted"));
        buffer_format(out, ", %s: %s", interrupted ? "interrupted" : "but no process is running",
                      next);
    } else if (strcmp(status, "failed") == 0) {
        buffer_format(out, ": once the cause is fixed, %s", next);
    } else if (rolling && !running) {
        append_rollback(text_of(state, "run"), out);
    }
    buffer_append_byte(out, '\n');
}

/* The result of the last validation. */
static void append_validation(const json_t *state, struct buffer *out)
{
    const json_t *list = json_object_get(state, "validation");
    size_t count = json_array_size(list);
    if (count == 0) {
        return;
    }
    const json_t *last = json_array_get(list, count - 1);
    bool lacks_alone = count_or_zero(last, "rejects_missing") > 0 &&
                       count_or_zero(last, "missing") + count_or_zero(last, "different") +
                               count_or_zero(last, "extra") ==
                           0;
    buffer_append_string(out, json_is_true(json_object_get(last, "ok")) ? "valid    equal"
                              : lacks_alone                             ? "valid    INCOMPLETE"
                                                                        : "valid    DIFFERENT");
    buffer_append_string(out, " at level ");
    append_printable(out, text_of(last, "level"));
    buffer_append_string(out, ", ");
    append_printable(out, text_of(last, "at"));
    buffer_append_byte(out, '\n');
}

static void append_repair(const json_t *state, struct buffer *out)
{
    const char *table;
    const json_t *count;
    const char *repaired = text_of(state, "repairs");
    if (*repaired != '\0') {
        buffer_append_string(out, "repairs  run ");
        append_printable(out, repaired);
        buffer_append_string(out, " (`transhume report --run ");
        append_printable(out, repaired);
        buffer_append_string(out, "` is about it)\n");
    }
    json_object_foreach(json_object_get(state, "deleted"), table, count)
    {
        char text[32];
        int64_t records = json_is_integer(count) ? json_integer_value(count) : 0;
        text_human_count(records > 0 ? (uint64_t)records : 0, text, sizeof(text));
        buffer_format(out, "deleted  %s record%s of ", text, records == 1 ? "" : "s");
        append_printable(out, table);
        buffer_append_byte(out, '\n');
    }
}

/* "there with other values: album 1, artist 3 (skipped)" */
static void append_differing(const json_t *state, struct buffer *out)
{
    const char *table;
    json_t *count;
    const char *separator = "there with other values: ";
    json_t *tables = json_object_get(state, "differing_there");
    json_object_foreach(tables, table, count)
    {
        buffer_append_string(out, separator);
        append_printable(out, table);
        buffer_format(out, " %" JSON_INTEGER_FORMAT, json_integer_value(count));
        separator = ", ";
    }
    buffer_append_string(out, json_object_size(tables) > 0 ? " (skipped)\n" : "");
}

static void append_not_carried(const json_t *state, struct buffer *out)
{
    struct buffer sum = {0};
    not_carried_append_sum(json_object_get(state, "not_carried"), &sum);
    if (sum.length > 0) {
        buffer_append_string(out, "not carried: ");
        append_printable(out, buffer_string(&sum));
        buffer_append_string(out, " (`transhume report` lists them)\n");
    }
    buffer_free(&sum);
}

/* "missing  2 records of orders, since they were rejected (number-range: …)" */
static void append_missing(const json_t *state, struct buffer *out)
{
    size_t index;
    const json_t *reason;
    json_array_foreach(json_object_get(json_object_get(state, "rejects"), "reasons"), index, reason)
    {
        char count[32];
        int64_t records = count_or_zero(reason, "count");
        const char *code = text_of(reason, "code");
        const char *why = text_of(reason, "reason");
        text_human_count((uint64_t)records, count, sizeof count);
        buffer_format(out, "missing  %s record%s of ", count, records == 1 ? "" : "s");
        append_printable(out, text_of(reason, "table"));
        buffer_format(out, ", since %s rejected", records == 1 ? "it was" : "they were");
        buffer_append_string(out, *code != '\0' ? " (" : "");
        append_printable(out, code);
        buffer_append_string(out, *why != '\0' ? ": " : "");
        append_printable(out, why);
        buffer_append_string(out, *code != '\0' ? ")\n" : "\n");
    }
}

static void append_waiting(const json_t *state, bool running, struct buffer *out)
{
    char text[32];
    double seconds = json_number_value(json_object_get(state, "waiting_seconds"));
    if (running && seconds > 0) {
        text_human_seconds(seconds, text, sizeof(text));
        buffer_format(out, "\nwaiting  to try again what failed, %s (transhume.log says why)\n",
                      text);
    }
}

/* Who asks to slow down now, and what capacity was used. */
static void append_use(const json_t *state, bool running, const char *side, struct buffer *out)
{
    char name[16];
    char text[32];
    snprintf(name, sizeof(name), "%s_use", side);
    const json_t *use = json_object_get(state, name);
    double throttled = json_number_value(json_object_get(use, "throttled_seconds"));
    double units = json_number_value(json_object_get(use, "capacity_units"));
    if (running && throttled > 0) {
        text_human_seconds(throttled, text, sizeof(text));
        buffer_format(out, "\nwaiting  the %s has been asking to slow down for %s\n", side, text);
    }
    if (units > 0) {
        text_human_count(units < RATE_SHOWN_MAX ? (uint64_t)(units + 0.5) : RATE_SHOWN_MAX, text,
                         sizeof(text));
        buffer_format(out, "capacity %s units of the %s\n", text, side);
    }
}

/* "reader 1   reads, chunk 12 of orders, 4,500 records, since …" */
static void append_worker(const json_t *worker, struct buffer *out)
{
    char rows[32];
    int64_t count = json_integer_value(json_object_get(worker, "rows"));
    bool reads = strcmp(text_of(worker, "side"), "source") == 0;
    buffer_format(out, "  %s %-3" JSON_INTEGER_FORMAT "  ", reads ? "reader" : "writer",
                  json_integer_value(json_object_get(worker, "number")));
    append_printable(out, text_of(worker, "doing"));
    if (json_object_get(worker, "chunk") != NULL) {
        text_human_count(count > 0 ? (uint64_t)count : 0, rows, sizeof(rows));
        buffer_format(out, ", chunk %" JSON_INTEGER_FORMAT " of ",
                      json_integer_value(json_object_get(worker, "chunk")));
        append_printable(out, text_of(worker, "stream"));
        buffer_format(out, ", %s records", rows);
    }
    buffer_append_string(out, ", since ");
    append_printable(out, text_of(worker, "since"));
    buffer_append_byte(out, '\n');
}

static void append_workers(const json_t *state, struct buffer *out)
{
    const json_t *workers = json_object_get(state, "workers");
    size_t count = json_array_size(workers);
    buffer_append_string(out, count > 0 ? "\nworkers\n" : "");
    for (size_t i = 0; i < count && i < WORKERS_SHOWN; i++) {
        append_worker(json_array_get(workers, i), out);
    }
    if (count > WORKERS_SHOWN) {
        buffer_format(out, "  and %zu more: --json has them\n", count - WORKERS_SHOWN);
    }
}

static void append_errors(const json_t *state, struct buffer *out)
{
    const json_t *errors = json_object_get(state, "errors");
    size_t count = json_array_size(errors);
    if (count == 0) {
        return;
    }
    size_t first = count > ERRORS_SHOWN ? count - ERRORS_SHOWN : 0;
    buffer_append_string(out, first > 0 ? "\nlast errors\n" : "\nerrors\n");
    for (size_t i = first; i < count; i++) {
        const json_t *error = json_array_get(errors, i);
        buffer_append_string(out, "  ");
        append_printable(out, text_of(error, "at"));
        buffer_append_string(out, "  ");
        append_printable(out, text_of(error, "message"));
        buffer_append_string(out, " [");
        append_printable(out, text_of(error, "code"));
        buffer_append_string(out, "]\n");
    }
}

enum status state_view_append(const char *json, bool running, bool color, struct state_watch *watch,
                              struct buffer *out, struct error *error)
{
    json_t *state = NULL;
    struct sums sums = {0};
    if (json_tree_parse(json, strlen(json), JSON_REJECT_DUPLICATES, "state.json",
                        ERROR_STATE_INVALID, &state, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!json_is_object(state)) {
        json_decref(state);
        return error_set(error, ERROR_STATE_INVALID, "state.json", "is damaged: it is no object");
    }
    append_member("run", state, "run", out);
    append_member("source", state, "source", out);
    append_member("target", state, "target", out);
    append_status(state, running, out);
    append_member("started", state, "started_at", out);
    append_member("updated", state, "updated_at", out);
    append_validation(state, out);
    if (json_is_true(json_object_get(state, "mixed_snapshot"))) {
        buffer_append_string(out, "snapshot mixed: chunks show the source at different times\n");
    }
    if (json_integer_value(json_object_get(state, "broken_references")) > 0) {
        buffer_append_string(out, "foreign keys: missing or broken; the log names them\n");
    }
    append_repair(state, out);
    append_differing(state, out);
    append_not_carried(state, out);
    append_missing(state, out);
    buffer_append_byte(out, '\n');
    append_tables(state, color, watch->rows, &sums, out);
    append_rate(state, running, &sums, watch, out);
    state_view_append_follow(state, color, out);
    append_waiting(state, running, out);
    append_use(state, running, "source", out);
    append_use(state, running, "target", out);
    if (running && watch->rows == 0) { /* who watches has no room for more lines */
        append_workers(state, out);
    }
    append_errors(state, out);
    json_decref(state);
    return STATUS_OK;
}

bool state_view_is_open(const char *json)
{
    json_t *state = json_tree_load(json, strlen(json), 0, NULL);
    const char *status = text_of(state, "status");
    bool open = strcmp(status, "completed") != 0 && strcmp(status, "failed") != 0;
    json_decref(state);
    return open;
}
