/* The words of a report, the same in all of its forms, and what it ranks. */
#include "observe/report_parts.h"
#include "observe/rights_list.h"

#include "base/text.h"
#include <string.h>

enum { ATTEMPTS_AN_EPOCH = 100 }; /* chunk_log.h */

/* ---- numbers */

void report_append_count(struct buffer *out, uint64_t count)
{
    char text[32];
    text_human_count(count, text, sizeof(text));
    buffer_append_string(out, text);
}

void report_append_bytes(struct buffer *out, uint64_t bytes)
{
    char text[32];
    text_human_bytes(bytes, text, sizeof(text));
    buffer_append_string(out, text);
}

void report_append_seconds(struct buffer *out, double seconds)
{
    char text[32];
    if (seconds > 0 && seconds < 0.9995) {
        buffer_format(out, "%.0f ms", seconds < 0.001 ? 1.0 : seconds * 1000);
        return;
    }
    text_human_seconds(seconds, text, sizeof(text));
    buffer_append_string(out, text);
}

void report_append_time(struct buffer *out, const char *stamp)
{
    size_t digits = stamp == NULL ? 0 : strspn(stamp, "0123456789-:T");
    if (digits == strlen("2026-01-31T23:59:59") && stamp[10] == 'T' &&
        stamp[strlen(stamp) - 1] == 'Z') {
        buffer_format(out, "%.10s %.8s UTC", stamp, stamp + 11);
    } else {
        report_html(out, stamp);
    }
}

void report_append_rate(struct buffer *out, uint64_t count, double seconds)
{
    if (seconds < 0.001) {
        buffer_append_string(out, "–");
        return;
    }
    double rate = (double)count / seconds;
    if (rate < 10) {
        buffer_format(out, "%.1f", rate);
    } else {
        report_append_count(out, (uint64_t)(rate + 0.5));
    }
    buffer_append_string(out, " records/s");
}

/* ---- words */

static const char *const securities[][2] = {
    {"plaintext", "not encrypted"},
    {"unverified", "peer not verified"},
    {"authority-verified", "authority verified, not the name"},
    {"peer-verified", "peer verified"},
    {"plaintext-loopback", "not encrypted (loopback)"},
    {"local-socket", "local socket"}};

static const char *words_of(const char *security)
{
    for (size_t i = 0; i < sizeof(securities) / sizeof(securities[0]); i++) {
        if (strcmp(securities[i][0], security) == 0) {
            return securities[i][1];
        }
    }
    return security;
}

void report_append_connection(struct buffer *out, const json_t *connection)
{
    const char *server = report_text(connection, "server");
    const char *security = report_text(connection, "security");
    const char *protocol = report_text(connection, "protocol");
    if (security == NULL) {
        return;
    }
    if (server != NULL) {
        buffer_format(out, "%s, ", server);
    }
    if (protocol != NULL && strcmp(security, "local-socket") != 0) {
        bool versioned = strncmp(protocol, "TLSv", 4) == 0;
        buffer_format(out, "%s%s, ", versioned ? "TLS " : "", protocol + (versioned ? 4 : 0));
    }
    buffer_append_string(out, words_of(security));
}

static bool is(const char *text, const char *word)
{
    return text != NULL && strcmp(text, word) == 0;
}

static bool is_validated(const struct report *report)
{
    return json_is_true(json_object_get(report->validation, "ok"));
}

/* Has a comparison found nothing else than rejects that are missing, or was there none? */
static bool lacks_rejects_alone(const struct report *report)
{
    return report->validation == NULL ||
           strncmp(report_validation_words(report->validation), "No ", 3) == 0;
}

/* Was each record compared? */
static bool is_proven(const struct report *report)
{
    const char *level = json_string_value(json_object_get(report->validation, "level"));
    return is(level, "hash") || is(level, "full");
}

const char *report_validation_words(const json_t *validation)
{
    static const char *const others[] = {"missing", "different", "extra", "unreadable"};
    uint64_t differing = json_array_size(json_object_get(validation, "records"));
    uint64_t rejected = 0;
    size_t index;
    const json_t *entity;
    json_array_foreach(json_object_get(validation, "entities"), index, entity)
    {
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
            differing += report_count(entity, others[i]);
        }
        rejected += report_count(entity, "rejected");
    }
    return json_is_true(json_object_get(validation, "ok")) ? "No difference was found"
           : differing == 0 && rejected > 0
               ? "No other difference was found than records that were rejected and are "
                 "missing"
               : "Differences were found";
}

const char *report_verdict(const struct report *report)
{
    if (is(report->status, "rolled_back")) {
        return "rolled back";
    }
    if (is(report->status, "rolling_back")) {
        return report->at_work ? "being rolled back" : "rollback interrupted";
    }
    if (is(report->status, "completed")) {
        return report->sum.rejected > 0 && lacks_rejects_alone(report) ? "done, with rejects"
               : report->validation != NULL && !is_validated(report)   ? "done, but differs"
               : report->sum.rejected > 0                              ? "done, with rejects"
               : report->broken_references > 0                         ? "done, foreign keys broken"
               : is(report->snapshot, "mixed")                         ? "done, snapshot mixed"
                                                                       : "done";
    }
    if (is(report->status, "failed")) {
        return "failed";
    }
    if (report->interrupted) {
        return "interrupted";
    }
    if (is(report->status, "not_started")) {
        return "not begun";
    }
    return report->at_work ? "in progress" : "stopped";
}

bool report_is_streamed(const struct report *report)
{
    return is(report->status, "completed") && !report->resumable &&
           json_object_get(report->state, "resumable") != NULL;
}

/* Sentences go into the page as they are, and a state.json may say anything. */
bool report_is_run_id(const char *text)
{
    return text[0] != '\0' && strspn(text, "0123456789abcdefTZ-") == strlen(text);
}

/* The next step for a run whose records are gone, or going. NULL: it is none. */
static const char *step_of_rollback(const struct report *report)
{
    bool repair = is(report->kind, "repair");
    if (is(report->status, "rolling_back")) {
        return arena_format(
            report->arena,
            "If no process is running it: `transhume rollback --run %s --confirm` continues the rollback.",
            report_is_run_id(report->run) ? report->run : "ID");
    }
    if (!is(report->status, "rolled_back")) {
        return NULL;
    }
    return repair
               ? "What this repair wrote is gone from the target, and what it overwrote or deleted is "
                 "back. `transhume validate` shows what differs now."
               : "What this run wrote is gone from the target, and what it overwrote is back. "
                 "`transhume migrate` begins a new run.";
}

uint32_t report_next_steps(const struct report *report, const char *sentences[REPORT_STEPS_MAX])
{
    uint32_t count = 0;
    bool done = is(report->status, "completed");
    const char *of_rollback = step_of_rollback(report);
    if (of_rollback != NULL) {
        sentences[count++] = of_rollback;
        return count;
    }
    if (report->at_work && !done) {
        sentences[count++] = "Wait: `transhume status --watch` shows how far it is.";
        return count;
    }
    if (!done) {
        sentences[count++] =
            report->resumable || json_object_get(report->state, "resumable") == NULL
                ? "Fix what stopped it, then `transhume resume`: what is done is kept, and nothing is "
                  "copied twice."
                : "This target keeps no ledger: empty it and run `transhume migrate` again.";
        return count;
    }
    if (report->sum.rejected > 0 && is(report->kind, "repair")) {
        sentences[count++] =
            "Run `transhume validate --repair` again: what blocked a rejected record may be gone. Of records that hold each other's unique values, delete one in the target "
            "first.";
    } else if (report->sum.rejected > 0) {
        sentences[count++] =
            "Correct the rejected records in the state folder's `rejects/` and load them "
            "with `transhume migrate --rejects FILE`.";
    }
    if (report->broken_references > 0) {
        sentences[count++] =
            "Foreign keys are missing in the target, or records break them: the run's log names "
            "them. Fix them there, or in the source and copy again.";
    }
    if (rights_list_count(report->rights, true) > 0) {
        sentences[count++] =
            "Somebody may more in the target than in the source: run the statements that are "
            "listed below before anybody works there.";
    }
    if (report->not_carried_sum != NULL) {
        sentences[count++] =
            "Not all of the source is in the target: what was not carried is listed "
            "below. Make by hand what the target needs of it.";
    }
    if (report_is_streamed(report)) {
        sentences[count++] =
            "Standard output can't be read again: to compare what went there, put it into a folder as "
            "`DIR/TABLE` with the format's suffix and validate that one.";
        return count;
    }
    if (report->validation == NULL) {
        sentences[count++] =
            is(report->snapshot, "mixed")
                ? "Run `transhume validate`: the source may have changed between the "
                  "attempts of this run."
                : "Run `transhume validate` to compare source and target.";
    } else if (!is_validated(report)) {
        sentences[count++] =
            "Look at the differences below; `transhume validate --repair` writes what "
            "is missing or different.";
    }
    if (is_validated(report) && !is_proven(report)) {
        sentences[count++] =
            "Run `transhume validate` once more, without `--level`: only a look at "
            "every record, which `transhume finish` asks for, proves that all is there.";
    } else if (is_validated(report) && report->sum.rejected == 0 &&
               report->broken_references == 0) {
        sentences[count++] =
            report->not_carried_sum == NULL
                ? "Nothing is left to do. `transhume finish` drops the ledger from the target."
                : "No record is left to copy: `transhume finish` drops the ledger from the target.";
    }
    return count;
}

const char *report_guarantee_text(const struct report *report)
{
    if (is(report->guarantee, "exactly once")) {
        return "Each chunk and its done mark were committed together: whatever happened in between, no "
               "record was lost and none was written twice.";
    }
    if (is(report->guarantee, "idempotent")) {
        return "Records are put under keys of their own: after a crash some are written again, with the "
               "same result.";
    }
    if (is(report->guarantee, "at least once")) {
        return "No record is lost; after a crash some may be there twice.";
    }
    return "The state folder does not say what is guaranteed.";
}

const char *report_snapshot_text(const struct report *report)
{
    if (is(report->snapshot, "mixed")) {
        return "Mixed: the run was resumed, and the source may have changed meanwhile, so that chunks "
               "show it at different times.";
    }
    if (is(report->snapshot, "none")) {
        return "None: this source knows no snapshots, so what changed during the copy may be seen old "
               "or new.";
    }
    return "One: all records show the source at one moment.";
}

/* ---- ranks */

uint32_t report_chunk_tries(const struct report_chunk *chunk)
{
    return chunk->attempt == 0 ? 0 : (chunk->attempt - 1) % ATTEMPTS_AN_EPOCH + 1;
}

const struct report_stream *report_stream_of(const struct report *report, uint64_t chunk)
{
    uint32_t low = 0;
    uint32_t high = report->stream_count;
    while (high - low > 1) { /* the last that begins at or before it, and is not empty */
        uint32_t middle = low + (high - low) / 2;
        if (report->streams[middle].first_chunk <= chunk) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &report->streams[low];
}

uint32_t report_slowest_streams(const struct report *report, uint32_t *order, uint32_t limit)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < report->stream_count; i++) {
        double seconds = report->streams[i].seconds;
        if (seconds <= 0 ||
            (count == limit && seconds <= report->streams[order[count - 1]].seconds)) {
            continue;
        }
        uint32_t place = count < limit ? count++ : count - 1;
        for (; place > 0 && report->streams[order[place - 1]].seconds < seconds; place--) {
            order[place] = order[place - 1];
        }
        order[place] = i;
    }
    return count;
}

uint32_t report_slowest_chunks(const struct report *report, uint64_t *order, uint32_t limit)
{
    uint32_t count = 0;
    for (uint64_t i = 0; i < report->chunk_count; i++) {
        double seconds = report->chunks[i].seconds;
        if (seconds <= 0 ||
            (count == limit && seconds <= report->chunks[order[count - 1]].seconds)) {
            continue;
        }
        uint32_t place = count < limit ? count++ : count - 1;
        for (; place > 0 && report->chunks[order[place - 1]].seconds < seconds; place--) {
            order[place] = order[place - 1];
        }
        order[place] = i;
    }
    return count;
}
