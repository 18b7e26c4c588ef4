/* A digest of a schema as the database tells it: what the history keeps of what a command left. */
#include "base/buffer.h"
#include "base/log.h"
#include "base/text.h"
#include "evolve/folder/foreign.h"
#include "evolve/run/run_internal.h"
#include <stdlib.h>
#include <string.h>

static void append_text(struct buffer *out, const char *text)
{
    buffer_append_string(out, text != NULL ? text : "");
    buffer_append_byte(out, '\x1f');
}

/* Facts in the order of their names. */
static const char *line_of(const struct definition *item, struct arena *arena)
{
    struct buffer line = {0};
    const char **facts = arena_allocate_zeroed(arena, item->fact_count + 1u, sizeof *facts);
    uint32_t count = 0;
    append_text(&line, item->kind);
    append_text(&line, item->schema);
    append_text(&line, item->table);
    append_text(&line, item->name);
    for (uint32_t i = 0; i < item->fact_count; i++) {
        const struct definition_fact *fact = &item->facts[i];
        if (fact->name[0] != '_') {
            facts[count++] = arena_format(arena, "%s=%s", fact->name, fact->value);
        }
    }
    if (count > 0) {
        qsort(facts, count, sizeof *facts, text_compare_strings);
    }
    for (uint32_t i = 0; i < count; i++) {
        append_text(&line, facts[i]);
    }
    const char *kept = arena_copy_string(arena, buffer_string(&line));
    buffer_free(&line);
    return kept;
}

/* "d1:" and the SHA-256 of the lines in their order by bytes. */
static const char *digest_of(const struct definitions *definitions, struct arena *arena)
{
    struct buffer all = {0};
    const char **lines = arena_allocate_zeroed(arena, definitions->count + 1u, sizeof *lines);
    for (uint32_t i = 0; i < definitions->count; i++) {
        lines[i] = line_of(&definitions->items[i], arena);
    }
    if (definitions->count > 0) {
        qsort(lines, definitions->count, sizeof *lines, text_compare_strings);
    }
    for (uint32_t i = 0; i < definitions->count; i++) {
        buffer_append_string(&all, lines[i]);
        buffer_append_byte(&all, '\n');
    }
    const char *digest = arena_format(
        arena, "d1:%s", foreign_digest("SHA256", buffer_string(&all), all.length, arena));
    buffer_free(&all);
    return digest;
}

enum status schema_hash_read(struct database *database, struct arena *arena, const char **hash,
                             struct error *error)
{
    const struct definition_functions *functions = database->connector->definitions;
    struct definition_session *session = NULL;
    struct definitions definitions = {0};
    *hash = NULL;
    if (functions == NULL) {
        return STATUS_OK;
    }
    enum status status = functions->open(database, false, &session, error);
    if (status == STATUS_OK) {
        status = functions->read(session, arena, &definitions, error);
        functions->close(session);
    }
    if (status == STATUS_OK) {
        *hash = digest_of(&definitions, arena);
    }
    return status;
}

/* The entry whose act is the history's last one; NULL: that one failed. */
static const struct schema_entry *last_entry(const struct schema_history *history)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct schema_entry *entry = &history->entries[i];
        if (entry->act.number == history->last_number && entry->act.state == HISTORY_DONE) {
            return entry;
        }
    }
    return NULL;
}

enum schema_since schema_compare_hash(const struct schema_history *history, const char *now)
{
    const struct schema_entry *last = last_entry(history);
    if (last == NULL || last->act.schema_hash == NULL || now == NULL) {
        return SCHEMA_SINCE_UNKNOWN;
    }
    return strcmp(last->act.schema_hash, now) == 0 ? SCHEMA_SINCE_SAME : SCHEMA_SINCE_CHANGED;
}

/* An act that was done stands in any case: a digest that can't be had is only told. */
void work_note_schema(struct schema_work *work)
{
    struct error problem = {0};
    const char *hash = NULL;
    if (work->options->database->connector->definitions == NULL || work->session == NULL) {
        return;
    }
    work_relax(work, false);
    if (work_settle(work, &problem) == STATUS_OK && work_read(work, &problem) == STATUS_OK &&
        schema_hash_read(work->options->database, work->arena, &hash, &problem) == STATUS_OK) {
        const struct schema_entry *last = last_entry(&work->history);
        if (last == NULL) {
            return;
        }
        struct history_row row = last->act;
        row.schema_hash = hash;
        row.who = work->who;
        row.run = work->run;
        if (work->alter->history_put(work->session, &row, &problem) == STATUS_OK) {
            return;
        }
    }
    log_write(LOG_WARNING, "how the schema looks now could not be noted in the history: %s",
              problem.message);
}
