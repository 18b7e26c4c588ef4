/* Watermarks: found and asked for when a run begins, moved when it ends. */
#include "engine/session/since.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/formats/typed_json.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include "engine/session/since_bound.h"
#include <inttypes.h>
#include <string.h>

enum { HIGHEST, CHANGED, NULLS, ANSWER_COLUMNS };

/* The source's answer about a column. */
struct answer {
    struct cell highest; /* NULL: it has none */
    int64_t changed;
    int64_t nulls;
};

/* ---------------------------------------------------------------- values as texts */

static enum status write_value(const struct cell *value, struct arena *arena, const char **text,
                               struct error *error)
{
    struct buffer out = {0};
    enum status status = typed_json_append(value, &out, error);
    *text = status == STATUS_OK ? arena_copy_string(arena, buffer_string(&out)) : NULL;
    buffer_free(&out);
    return status;
}

static enum status read_value(const char *text, struct arena *arena, struct cell *value,
                              struct error *error)
{
    struct json_reader reader;
    enum json_token token;
    json_reader_init(&reader, text, strlen(text), JSON_DEPTH_MAX, arena);
    enum status status = json_reader_next(&reader, &token, error);
    status = status == STATUS_OK ? typed_json_read(&reader, token, arena, value, error) : status;
    return status == STATUS_OK ? STATUS_OK
                               : error_set(error, ERROR_LEDGER_INVALID, "watermark",
                                           "is damaged: its value can't be read");
}

/* ---------------------------------------------------------------- asking the source */

static enum status take_answer(struct cursor *cursor, const struct source_functions *functions,
                               struct arena *arena, struct answer *answer, struct error *error)
{
    struct batch *batch = NULL;
    enum status status = functions->cursor_next(cursor, 2, 1 << 16, &batch, error);
    if (status != STATUS_OK || batch->row_count != 1) {
        if (status == STATUS_OK) {
            batch_destroy(batch);
        }
        return status == STATUS_FAILED
                   ? STATUS_FAILED
                   : error_set(error, ERROR_SOURCE_READ, "since", "the source gave no answer");
    }
    const struct cell *row = batch_row(batch, 0);
    status = value_copy(&row[HIGHEST], arena, &answer->highest);
    answer->changed = row[CHANGED].kind == VALUE_INT64 ? row[CHANGED].i64 : -1;
    answer->nulls = row[NULLS].kind == VALUE_INT64 ? row[NULLS].i64 : -1;
    batch_destroy(batch);
    return status == STATUS_OK ? status : error_set(error, ERROR_MEMORY, NULL, "no memory");
}

static enum status since_ask(struct run_session *session, const struct plan_stream *stream,
                             struct arena *arena, struct answer *answer, struct error *error)
{
    static const struct read_column columns[ANSWER_COLUMNS] = {{.join = -1, .name = "highest"},
                                                               {.join = -1, .name = "changed"},
                                                               {.join = -1, .name = "nulls"}};
    struct database *source = session->source;
    const struct source_functions *functions = source->connector->source;
    struct buffer query = {0};
    struct reader *reader = session->sample_reader; /* the copy has no more than its own */
    struct cursor *cursor = NULL;
    session->sample_reader = NULL;
    enum status status = functions->since_query(source, &stream->request, &query, error);
    const struct read_request request = {.name = stream->name,
                                         .query = buffer_string(&query),
                                         .columns = columns,
                                         .column_count = ANSWER_COLUMNS};
    if (status == STATUS_OK && reader == NULL) {
        status = session_reader_open(session, &reader, error);
    }
    status = status == STATUS_OK ? functions->cursor_open(reader, &request, NULL, &cursor, error)
                                 : status;
    if (status == STATUS_OK) {
        status = take_answer(cursor, functions, arena, answer, error);
        functions->cursor_close(cursor);
    }
    if (reader != NULL) {
        session_reader_keep(session, reader);
    }
    buffer_free(&query);
    return status;
}

/* ---------------------------------------------------------------- watermarks */

struct watermark {
    const char *text; /* NULL: there is none */
    const char *run;
    struct cell value;
    bool mapping_changed;
};

static enum status refuse_other(const struct plan_since *since, const char *what, const char *was,
                                struct error *error)
{
    error_set(error, ERROR_PLAN_INVALID, since->table,
              "the last run read it %s %s, so what changed since then is not known", what, was);
    return error_hint(error, "--full reads all of it once, and goes on from there");
}

static enum status parse_watermark(const struct run_session *session,
                                   const struct plan_since *since, const json_t *object,
                                   struct arena *arena, struct watermark *mark, struct error *error)
{
    const char *column = json_member_text(object, "column", "");
    const char *source = json_member_text(object, "source", "");
    const char *mapping = json_member_text(object, "mapping", "");
    const char *value = json_member_text(object, "value", NULL);
    if (value == NULL) {
        return error_set(error, ERROR_LEDGER_INVALID, since->table, "its watermark is damaged");
    }
    if (strcmp(column, since->column) != 0) {
        return refuse_other(since, "by", column, error);
    }
    if (strcmp(source, session->source_identity) != 0) {
        return refuse_other(since, "from", source, error);
    }
    mark->mapping_changed = strcmp(mapping, session->plan->mapping_hash) != 0;
    mark->run = arena_copy_string(arena, json_member_text(object, "run", ""));
    return read_value(arena_copy_string(arena, value), arena, &mark->value, error);
}

static enum status find_watermark(const struct run_session *session, const struct plan_since *since,
                                  struct arena *arena, struct watermark *mark, struct error *error)
{
    json_t *object;
    *mark = (struct watermark){0};
    enum status status = ledger_get_watermark(session->ledger, since->table, since->entity, arena,
                                              &mark->text, error);
    if (status != STATUS_OK || session->options.selection.full) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_END;
    }
    if (json_from_text(mark->text, since->table, ERROR_LEDGER_INVALID, &object, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    status = parse_watermark(session, since, object, arena, mark, error);
    json_decref(object);
    return status;
}

/* ---------------------------------------------------------------- a run that begins */

static bool is_filled(const struct run_session *session, const struct ledger_table *decided,
                      const struct plan_stream *stream)
{
    bool filled = decided != NULL;
    for (uint32_t i = 0; filled && i < stream->entity_count; i++) {
        filled =
            decided[session->plan->entities[stream->entities[i]].table].was == LEDGER_WAS_FILLED;
    }
    return filled;
}

static void use_bound(struct plan_stream *stream, const struct cell *bound)
{
    stream->request.since_bound = bound;
    for (uint32_t i = 0; i < stream->child_count; i++) {
        stream->children[i].request.since_bound = bound;
    }
    stream->express = stream->express && bound == NULL;
}

/* The bound into the stream's requests; what the source says of it into `answer`. */
static enum status since_decide(struct run_session *session, struct plan_stream *stream,
                                const struct ledger_table *decided, struct arena *arena,
                                struct watermark *mark, struct answer *answer, struct error *error)
{
    struct cell *bound = arena_allocate_zeroed(arena, 1, sizeof *bound);
    enum status status = find_watermark(session, stream->since, arena, mark, error);
    bool known = status == STATUS_OK;
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    if (known && !is_filled(session, decided, stream)) {
        log_write(LOG_WARNING,
                  "%s: the target holds none of what earlier runs wrote, so all of it is read",
                  stream->since->table);
        known = false;
    }
    if (known && since_bound_of(stream->since, &mark->value, arena, bound, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    use_bound(stream, known ? bound : NULL);
    return since_ask(session, stream, arena, answer, error);
}

/* A value behind every other moment would hide all that comes later. */
static bool can_be_bound(const struct cell *value)
{
    if ((value->flags & CELL_SPECIAL) != 0) {
        return false;
    }
    return value->kind == VALUE_INT64 || value->kind == VALUE_UINT64 || value->kind == VALUE_DATE ||
           value->kind == VALUE_TIMESTAMP || value->kind == VALUE_TEXT;
}

static void append_line(const struct run_session *session, const struct plan_stream *stream,
                        const struct watermark *mark, const struct answer *answer,
                        struct buffer *out)
{
    bool part = session->options.selection.sample_rows > 0;
    const struct plan_since *since = stream->since;
    if (stream->request.since_bound == NULL) {
        buffer_format(out,
                      part ? "%s: its sample is read, so the next run knows of no change by %s"
                           : "%s: all of it is read, and from the next run on what changed by %s",
                      since->table, since->column);
    } else {
        buffer_format(out, "%s: %" PRId64 " records are read whose %s is at or above ",
                      since->table, answer->changed, since->column);
        value_print(stream->request.since_bound, 64, out);
    }
    if (answer->nulls > 0) {
        buffer_format(out, "; %" PRId64 " more have NULL there, and are read each time",
                      answer->nulls);
    }
    if (stream->request.since_bound != NULL && mark->mapping_changed) {
        buffer_append_string(out, "; the plan makes other records than in the last run, and only "
                                  "of these: --full makes all of them again");
    }
    buffer_append_byte(out, '\n');
}

static void warn_of_future(const struct plan_since *since, const struct cell *highest)
{
    enum { DAY_SECONDS = 86400, SECOND_MICROSECONDS = 1000000 };
    int64_t days = clock_utc_us() / SECOND_MICROSECONDS / DAY_SECONDS;
    bool future = (highest->kind == VALUE_DATE && highest->i64 > days + 1) ||
                  (highest->kind == VALUE_TIMESTAMP &&
                   highest->i64 / SECOND_MICROSECONDS / DAY_SECONDS > days + 1);
    if (future) {
        log_write(LOG_WARNING,
                  "%s: the highest %s lies in the future: the next run does not read what changes "
                  "before that moment",
                  since->table, since->column);
    }
}

static enum status note_header(struct run *run, const struct plan_stream *stream,
                               const struct watermark *mark, const struct answer *answer,
                               struct error *error)
{
    struct ledger_since *made = &run->header.since[run->header.since_count++];
    const struct cell *highest = &answer->highest;
    *made = (struct ledger_since){.stream = stream->number,
                                  .table = stream->since->table,
                                  .entity = stream->since->entity,
                                  .column = stream->since->column,
                                  .before = mark->text};
    if (highest->kind != VALUE_NULL && highest->kind != VALUE_MISSING) {
        if (!can_be_bound(highest)) {
            error_set(
                error, ERROR_PLAN_INVALID, stream->since->table,
                "`since` can't go by %s: its highest value is no whole number, finite date, finite "
                "timestamp or text",
                stream->since->column);
            return error_hint(error, "correct the record, name another column, or leave `since` "
                                     "out");
        }
        warn_of_future(stream->since, highest);
        if (write_value(highest, run->arena, &made->next, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return stream->request.since_bound == NULL
               ? STATUS_OK
               : write_value(stream->request.since_bound, run->arena, &made->bound, error);
}

static enum status begin_stream(struct run *run, struct plan_stream *stream, struct error *error)
{
    struct run_session *session = run->session;
    struct watermark mark;
    struct answer answer = {0};
    struct buffer line = {0};
    enum status status =
        since_decide(session, stream, run->header.tables, session->arena, &mark, &answer, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    append_line(session, stream, &mark, &answer, &line);
    line.length--;
    log_write(mark.mapping_changed && stream->request.since_bound != NULL ? LOG_WARNING : LOG_INFO,
              "%s", buffer_string(&line));
    buffer_free(&line);
    if (stream->request.since_bound != NULL && answer.changed >= 0) {
        int64_t whole = session->facts[stream->number].row_count;
        run->whole_rows[stream->number] = whole > 0 ? (uint64_t)whole : 0;
        session->facts[stream->number].row_count =
            answer.changed + (answer.nulls > 0 ? answer.nulls : 0);
    }
    return note_header(run, stream, &mark, &answer, error);
}

enum status since_begin(struct run *run, struct error *error)
{
    struct plan *plan = run->session->plan;
    if (run->loads_rejects || run->session->options.selection.parts == PARTS_SCHEMA) {
        return STATUS_OK;
    }
    run->header.since =
        arena_allocate_zeroed(run->arena, plan->stream_count + 1u, sizeof *run->header.since);
    run->header.since_count = 0;
    run->whole_rows = arena_allocate_zeroed(run->arena, plan->stream_count + 1u, sizeof(uint64_t));
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        struct plan_stream *stream = &plan->streams[i];
        if (stream->since == NULL) {
            continue;
        }
        if (run->session->options.follow.wanted) {
            error_set(
                error, ERROR_PLAN_INVALID, stream->since->table,
                "`since` reads what changed at each run, and --follow applies changes as they come");
            return error_hint(error, "leave one of them out");
        }
        if (begin_stream(run, stream, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* Few are one chunk; of more, each job has a part of its own. */
static uint64_t share_of(uint64_t changed, uint32_t jobs, uint64_t rows_max)
{
    enum { SHARE_ROWS_MIN = 4096 };
    uint64_t share = changed / (jobs > 0 ? jobs : 1) + 1;
    share = share < SHARE_ROWS_MIN ? SHARE_ROWS_MIN : share;
    return changed <= share ? UINT64_MAX : share < rows_max ? share : rows_max;
}

uint64_t since_chunk_rows(const struct run *run, const struct plan_stream *stream, uint64_t rows)
{
    const struct stream_facts *facts = &run->session->facts[stream->number];
    if (stream->request.since_bound == NULL || facts->row_count < 0) {
        return rows;
    }
    bool chosen = run->session->options.limits.chunk_rows == 0;
    uint64_t changed = (uint64_t)facts->row_count;
    if (facts->splits_changed) {
        return chosen ? share_of(changed, run->session->options.limits.jobs, rows) : rows;
    }
    /* the changed ones lie anywhere among all: each chunk of theirs looks at a part of the table,
     * and costs as much where there are none */
    enum { CHANGED_ROWS_MIN = 32768 };
    rows = chosen && rows < CHANGED_ROWS_MIN ? CHANGED_ROWS_MIN : rows;
    uint64_t parts = changed / (rows > 0 ? rows : 1);
    return parts < 2 ? UINT64_MAX : rows * (1 + run->whole_rows[stream->number] / (changed + 1));
}

/* ---------------------------------------------------------------- a run that is continued */

enum status since_resume(struct run *run, struct error *error)
{
    struct plan *plan = run->session->plan;
    if (run->loads_rejects) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < run->header.since_count; i++) {
        const struct ledger_since *since = &run->header.since[i];
        if (since->bound == NULL || since->stream >= plan->stream_count) {
            continue;
        }
        struct plan_stream *stream = &plan->streams[since->stream];
        struct cell *bound = arena_allocate_zeroed(run->session->arena, 1, sizeof *bound);
        if (stream->since == NULL || strcmp(stream->since->column, since->column) != 0) {
            error_set(error, ERROR_PLAN_CHANGED, since->table,
                      "the run began with `since: %s`, which the plan does not say any more",
                      since->column);
            return error_hint(error, "put it back into the plan to continue the run");
        }
        if (read_value(since->bound, run->session->arena, bound, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        use_bound(stream, bound);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the end */

static uint64_t count_rejected(const struct run *run, uint32_t number)
{
    const struct plan_stream *stream = &run->session->plan->streams[number];
    uint64_t rejected = 0;
    for (uint32_t i = 0; i < stream->entity_count; i++) {
        rejected += run->totals[stream->entities[i]].rejected;
    }
    return rejected;
}

static enum status since_move(struct run *run, const struct ledger_since *since,
                              struct error *error)
{
    uint64_t rejected = count_rejected(run, since->stream);
    if (since->next == NULL || run->header.sample_rows > 0) {
        return STATUS_OK; /* nothing has a value there; or what was left out has to come yet */
    }
    if (rejected > 0) {
        log_write(LOG_WARNING,
                  "%s: the next run reads the same records again, since %" PRIu64 " %s rejected",
                  since->table, rejected, rejected == 1 ? "was" : "were");
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    json_t *object = json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "format", CONTROL_FORMAT,
                               "table", since->table, "entity", since->entity, "column",
                               since->column, "source", run->header.source_identity, "mapping",
                               run->header.mapping_hash, "run", run->id, "value", since->next);
    const char *text = NULL;
    enum status status = json_to_arena(object, arena, &text, error);
    status = status == STATUS_OK ? ledger_put_watermark(run->session->ledger, since->table,
                                                        since->entity, text, error)
                                 : status;
    arena_destroy(arena);
    return status;
}

enum status since_end(struct run *run, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < run->header.since_count && status == STATUS_OK; i++) {
        status = since_move(run, &run->header.since[i], error);
    }
    return status;
}

static enum status put_back(struct ledger *ledger, const struct ledger_header *header,
                            const struct ledger_since *since, struct arena *arena,
                            struct error *error)
{
    const char *text = NULL;
    json_t *object;
    enum status status =
        ledger_get_watermark(ledger, since->table, since->entity, arena, &text, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    if (json_from_text(text, since->table, ERROR_LEDGER_INVALID, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool own = strcmp(json_member_text(object, "run", ""), header->run_id) == 0;
    json_decref(object);
    return own ? ledger_put_watermark(ledger, since->table, since->entity, since->before, error)
               : STATUS_OK;
}

enum status since_take_back(struct ledger *ledger, const struct ledger_header *header,
                            struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < header->since_count && status == STATUS_OK; i++) {
        status = put_back(ledger, header, &header->since[i], arena, error);
    }
    arena_destroy(arena);
    return status;
}

enum status since_tell(struct run_session *session, const struct ledger_table *decided,
                       struct buffer *out, struct error *error)
{
    struct plan *plan = session->plan;
    for (uint32_t i = 0; session->snapshot != NULL && i < plan->stream_count; i++) {
        struct plan_stream *stream = &plan->streams[i];
        struct watermark mark;
        struct answer answer = {0};
        if (stream->since == NULL) {
            continue;
        }
        if (since_decide(session, stream, decided, session->arena, &mark, &answer, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        append_line(session, stream, &mark, &answer, out);
    }
    return STATUS_OK;
}
