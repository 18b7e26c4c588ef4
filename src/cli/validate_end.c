/* The output of a validation, and what a repair adds to it. */
#include "cli/cli.h"

#include "base/text.h"
#include "cli/run_end.h"
#include "cli/validate_records.h"
#include "observe/table.h"
#include "verify/verify.h"
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* Records that are there in another form, and were to stay. */
static bool keeps_any(const struct verify_result *result)
{
    bool any = false;
    for (uint32_t i = 0; i < result->entity_count; i++) {
        any = any || result->entities[i].kept > 0;
    }
    return any;
}

static void append_entities(const struct verify_result *result, bool color, struct buffer *out)
{
    bool kept = keeps_any(result);
    const char *const titles[] = {
        "entity",     "table",  ">source",     ">target",   ">missing",
        ">different", ">extra", ">unreadable", ">rejected", kept ? ">kept" : NULL,
        NULL};
    struct table *table = table_create(titles);
    for (uint32_t i = 0; i < result->entity_count; i++) {
        const struct verify_entity_result *row = &result->entities[i];
        table_add_text(table, row->name);
        table_add_text(table, row->table);
        table_add_count(table, (int64_t)row->source);
        table_add_count(table, (int64_t)row->target);
        table_add_count(table, (int64_t)row->missing);
        table_add_count(table, (int64_t)row->different);
        table_add_count(table, (int64_t)row->extra);
        table_add_count(table, (int64_t)row->unreadable);
        table_add_count(table, (int64_t)row->rejected);
        if (kept) {
            table_add_count(table, (int64_t)row->kept);
        }
    }
    table_fit(table, cli_terminal_columns(STDOUT_FILENO));
    table_append(table, color, out);
    table_destroy(table);
}

/* The place where each table was compared, if it was to be done in the databases. */
static void append_pushed(const struct verify_result *result, struct buffer *out)
{
    struct buffer line = {0};
    char name[256];
    char why[512];
    uint32_t all = 0;
    uint32_t pushed = 0;
    for (uint32_t i = 0; i < result->entity_count; i++) {
        const struct verify_entity_result *row = &result->entities[i];
        pushed += row->pushed_down;
        all += row->pushed_down || row->read_because != NULL;
        if (row->read_because != NULL) {
            text_printable(row->name, strlen(row->name), name, sizeof name);
            text_printable(row->read_because, strlen(row->read_because), why, sizeof why);
            buffer_format(out, "note: %s was read: %s\n", name, why);
        }
    }
    if (result->push_down) {
        buffer_format(&line, "pushed down: %u of %u entities\n", pushed, all);
        cli_append_wrapped(out, buffer_string(&line), 0, cli_prose_columns(STDOUT_FILENO));
    }
    buffer_free(&line);
}

/* Is what was found put right, all of it? */
static bool is_mended(const struct verify_result *result)
{
    return result->repaired && result->exit_status == EXIT_DONE;
}

/* Is there nothing else than rejects that are missing? */
static bool lacks_alone(const struct verify_result *result)
{
    bool alone = result->rejects_missing > 0;
    for (uint32_t i = 0; i < result->entity_count; i++) {
        const struct verify_entity_result *row = &result->entities[i];
        alone = alone && row->missing + row->different + row->extra + row->unreadable == 0;
    }
    return alone;
}

static void append_rejects(const struct verify_result *result, struct buffer *out)
{
    char printable[1024];
    if (result->rejects_text == NULL) {
        return;
    }
    text_printable(result->rejects_text, strlen(result->rejects_text), printable, sizeof printable);
    cli_append_wrapped(out, printable, 0, cli_prose_columns(STDOUT_FILENO));
    buffer_append_byte(out, '\n');
}

static const char *incomplete(const struct verify_result *result)
{
    return result->rejects_outdated > 0
               ? "INCOMPLETE, what is there is equal but for older states of rejected records,"
               : "INCOMPLETE, what is there is equal,";
}

static void append_last_line(const struct verify_result *result, struct buffer *out)
{
    static const char *const states[] = {
        "", "; the source is as the run read it, so differences are damage",
        "; the source changed since the run read it"};
    char seconds[32];
    struct buffer line = {0};
    text_human_seconds(result->seconds, seconds, sizeof(seconds));
    buffer_format(&line, "%s at level %s after %s%s",
                  result->ok            ? "equal"
                  : is_mended(result)   ? "repaired; it was DIFFERENT"
                  : lacks_alone(result) ? incomplete(result)
                                        : "DIFFERENT",
                  verify_level_name(result->level), seconds,
                  result->ok && result->source_state == VERIFY_SOURCE_UNCHANGED
                      ? ""
                      : states[result->source_state]);
    if (result->level == VERIFY_SAMPLE) {
        buffer_format(&line, "; seed %" PRIu64, result->seed);
    }
    buffer_append_byte(&line, '\n');
    cli_append_wrapped(out, buffer_string(&line), 0, cli_prose_columns(STDOUT_FILENO));
    buffer_free(&line);
}

static uint64_t count_unreadable(const struct verify_result *result)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < result->entity_count; i++) {
        count += result->entities[i].unreadable;
    }
    return count;
}

static void append_counted(uint64_t count, const char *one, const char *many, struct buffer *out)
{
    buffer_format(out, "%" PRIu64 " %s", count, count == 1 ? one : many);
}

/* Differences that a repair does not put right. */
static void append_left(const struct cli_call *call, const struct verify_result *result,
                        struct buffer *out)
{
    struct buffer line = {0};
    uint64_t unreadable = count_unreadable(result);
    if (unreadable > 0) {
        append_counted(
            unreadable,
            "unreadable line or record stays, because it has no key; delete it by hand\n",
            "unreadable lines or records stay, because they have no keys; delete them by hand\n",
            &line);
    }
    if (result->to_leave > 0) {
        bool tried = cli_switch(call, CLI_DELETE_EXTRA) || cli_is_mirroring(call);
        append_counted(result->to_leave,
                       tried ? "extra record stays, because its key is incomplete\n"
                             : "extra record stays; --delete-extra --confirm deletes it\n",
                       tried ? "extra records stay, because their keys are incomplete\n"
                             : "extra records stay; --delete-extra --confirm deletes them\n",
                       &line);
    }
    if (result->to_keep > 0) {
        append_counted(result->to_keep, "record keeps", "records keep", &line);
        buffer_append_string(&line, " what is in columns of other entities, which "
                                    "`existing: upsert` leaves alone: empty them by hand\n");
    }
    if (result->to_contradict > 0) {
        append_counted(result->to_contradict, "record contradicts", "records contradict", &line);
        buffer_append_string(&line, " others of the same partition in a static column, and can't "
                                    "be there as in the source\n");
    }
    if (result->behind_extra > 0) {
        append_counted(result->behind_extra, "record has", "records have", &line);
        buffer_append_string(&line, " another value of a static column than extra records of the "
                                    "partition: it is repaired when these are deleted\n");
    }
    if (line.length > 0) {
        cli_append_wrapped(out, buffer_string(&line), 0, cli_prose_columns(STDOUT_FILENO));
    }
    buffer_free(&line);
}

/* A record may be in the way of another one whose turn came first. */
static const char *how_it_ended(const struct verify_result *result)
{
    if (result->repair.exit_status == EXIT_INTERRUPTED) {
        return "; INTERRUPTED: `transhume resume` continues";
    }
    if (result->repair.rejected == 0) {
        return "";
    }
    if (!result->enforces_keys) {
        return "; some were REJECTED, for the reasons in the state folder";
    }
    return result->repair.rejected < result->to_write
               ? "; some were REJECTED, see the state folder; repair again, as what blocked them may be "
                 "gone"
               : "; they were REJECTED, see the state folder; of records that hold each other's "
                 "unique values, delete one in the target and repair again";
}

static void append_repair(const struct cli_call *call, const struct verify_result *result,
                          struct buffer *out)
{
    if (cli_switch(call, CLI_REPAIR) || cli_is_mirroring(call)) {
        append_left(call, result, out);
    }
    if (!result->repaired) {
        return;
    }
    struct buffer line = {0};
    buffer_format(&line, "run %s %s it: ", result->repair.run_id,
                  result->repair.rejected > 0 ? "was to repair" : "repaired");
    append_counted(result->to_write, "record to write", "records to write", &line);
    buffer_format(&line, ", %" PRIu64 " to delete%s\n", result->to_delete, how_it_ended(result));
    cli_append_wrapped(out, buffer_string(&line), 0, cli_prose_columns(STDOUT_FILENO));
    buffer_free(&line);
}

static void append_text(const struct cli_call *call, const struct verify_result *result,
                        struct buffer *out)
{
    if (result->records != NULL && result->records[0] != '\0') {
        validate_records_append(result->records, cli_color(call, STDOUT_FILENO),
                                cli_terminal_columns(STDOUT_FILENO), out);
        buffer_append_byte(out, '\n');
    }
    append_entities(result, cli_color(call, STDOUT_FILENO), out);
    uint64_t shown = 0;
    for (const char *at = result->records; at != NULL && (at = strchr(at, '\n')) != NULL; at++) {
        shown++;
    }
    if (shown < result->record_count) {
        buffer_format(out, "%" PRIu64 " of %" PRIu64 " differences are shown; all are in %s\n",
                      shown, result->record_count, result->record_file);
    }
    for (uint32_t i = 0; i < result->note_count; i++) {
        buffer_format(out, "note: %s\n", result->notes[i]);
    }
    append_pushed(result, out);
    append_rejects(result, out);
    append_last_line(result, out);
    append_repair(call, result, out);
}

/* After a repair: what is left is what it was not to touch, or could not. */
static int repaired_status(struct verify_result *result)
{
    uint64_t left = result->to_leave + result->to_keep + result->to_contradict +
                    result->behind_extra + count_unreadable(result);
    return result->repair.exit_status != EXIT_DONE ? result->repair.exit_status : left > 0;
}

/* The results of a validation and of a repair, as tables or JSON; the exit status comes back. */
static int cli_tell_validation(const struct cli_call *call, const struct verify_result *result)
{
    struct buffer out = {0};
    struct error error;
    if (result->exit_status == EXIT_INTERRUPTED && !result->repaired) {
        error_set(&error, ERROR_INTERRUPTED, call->command->name,
                  "stopped on request, nothing was changed");
        if (result->parts > 0) {
            error_hint(&error,
                       "the same command continues if neither side changes: %" PRIu32 " of %" PRIu32
                       " parts are compared",
                       result->parts_kept, result->parts);
        } else {
            error_hint(&error, "run it again: a validation starts from the beginning");
        }
        return cli_fail(call, &error);
    }
    if (cli_switch(call, CLI_JSON)) {
        verify_append_json(result, &out);
    } else {
        append_text(call, result, &out);
    }
    return cli_finish(&out, result->exit_status);
}

int cli_end_validation(struct cli_call *call, struct run_session *session, enum status status,
                       struct verify_result *result, struct error *error)
{
    if (status == STATUS_OK && result->exit_status != EXIT_INTERRUPTED &&
        result->to_write + result->to_delete > 0) {
        status = verify_repair(session, result, error);
        result->exit_status = repaired_status(result);
    }
    return status == STATUS_OK ? cli_tell_validation(call, result)
           : result->repair.run_id[0] != '\0'
               ? run_end_failed(call, session, &result->repair, error)
               : cli_fail(call, error);
}
