/* The way back after a cut-over. */
#include "engine/follow/cutover/reverse.h"

#include "base/file.h"
#include "base/log.h"
#include "connectors/contract/lacks.h"
#include "engine/folder/state_folder.h"
#include "engine/follow/follow.h"
#include "engine/follow/follow_foresee.h"
#include "engine/follow/translate/routes.h"
#include "engine/session/session_tables.h"
#include "plan/mapping.h"
#include <string.h>

/* ---- can it be turned round */

static enum status reverse_refuse(const char *name, const char *why, struct error *error)
{
    error_set(error, ERROR_FOLLOW, name, "can't be fed back: %s", why);
    return error_hint(error, "cut over without --reverse, or leave it out of the plan");
}

/* The field that carries the column as it is. */
static const struct mapping_field *carrier(const struct plan_stream *stream,
                                           const struct mapping *mapping, const char *column)
{
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        const struct mapping_field *field = &mapping->fields[i];
        bool carries = field->kind == FIELD_VALUE && field->value.origin == ORIGIN_COLUMN &&
                       field->when == MAPPING_NONE && !field->has_default && !field->cast &&
                       field->renumber == NULL && !field->zero_is_null && !field->empty_is_null;
        const struct read_column *from =
            carries ? &stream->request.columns[field->value.index] : NULL;
        if (from != NULL && from->join < 0 && strcmp(from->name, column) == 0) {
            return field;
        }
    }
    return NULL;
}

static const char *find_lost(const struct run_session *session, const struct plan_stream *stream,
                             const struct mapping *mapping)
{
    const struct schema_table *table = schema_find_table(session->schema, stream->request.table);
    for (uint32_t i = 0; table != NULL && i < table->column_count; i++) {
        if (table->columns[i].generated == GENERATED_NO &&
            carrier(stream, mapping, table->columns[i].name) == NULL) {
            return table->columns[i].name;
        }
    }
    return NULL;
}

static enum status check_entity(const struct run_session *session, const struct plan_entity *entity,
                                struct error *error)
{
    const struct plan_stream *stream = &session->plan->streams[entity->stream];
    const struct mapping *mapping = entity->mapping;
    const char *lost = mapping->identity ? NULL : find_lost(session, stream, mapping);
    if (stream->entity_count > 1 || session->plan->tables[entity->table].entity_count > 1) {
        return reverse_refuse(entity->name, "its records share a table with others", error);
    }
    if (stream->request.join_count > 0 || stream->child_count > 0) {
        return reverse_refuse(entity->name, "its records are made of several rows", error);
    }
    if (mapping->where != MAPPING_NONE || mapping->when != MAPPING_NONE) {
        return reverse_refuse(entity->name, "it leaves rows out", error);
    }
    if (lost != NULL) {
        error_set(error, ERROR_FOLLOW, entity->name,
                  "can't be fed back: the target does not have the column %s as it is", lost);
        return error_hint(error, "cut over without --reverse, or copy all columns");
    }
    return STATUS_OK;
}

/*
 * Can this plan be turned round? Only where each table of the source becomes one of the target,
 * with all of its columns, each under a name of its own and as it is. ERROR_FOLLOW: no; says why.
 * Changes nothing.
 */
static enum status reverse_check(const struct run_session *session, struct error *error)
{
    const struct connector *target = session->target->connector;
    const struct connector *source = session->source->connector;
    enum status status = STATUS_OK;
    if (session->plan->masks_values) {
        error_set(error, ERROR_FOLLOW, session->target_uri->shown,
                  "its values are masked, and would be fed back in place of the true ones");
        return error_hint(error, "cut over without --reverse");
    }
    if (target->feed == NULL) {
        error_set(error, ERROR_FOLLOW, session->target_uri->shown,
                  "the changes of %s can't be followed, so that nothing can be fed back",
                  target->title);
        return error_hint(error, "cut over without --reverse");
    }
    if (source->apply == NULL) {
        error_set(error, ERROR_FOLLOW, session->source_uri->shown, "%s takes no changes",
                  source->title);
        return error_hint(error, "cut over without --reverse");
    }
    for (uint32_t i = 0; i < session->plan->entity_count && status == STATUS_OK; i++) {
        status = check_entity(session, &session->plan->entities[i], error);
    }
    return status;
}

/* ---- the plan, turned round */

/* As YAML takes it, whatever is in it. */
static void append_quoted(struct buffer *out, const char *text)
{
    buffer_append_byte(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            buffer_append_byte(out, '\\');
        }
        buffer_append_byte(out, *text);
    }
    buffer_append_byte(out, '"');
}

static void append_fields(struct buffer *out, const struct run_session *session,
                          const struct plan_entity *entity)
{
    const struct plan_stream *stream = &session->plan->streams[entity->stream];
    const struct schema_table *table = schema_find_table(session->schema, stream->request.table);
    buffer_append_string(out, "    fields:\n");
    for (uint32_t i = 0; table != NULL && i < table->column_count; i++) {
        const struct mapping_field *field =
            carrier(stream, entity->mapping, table->columns[i].name);
        if (field == NULL) {
            continue; /* it is generated */
        }
        buffer_append_string(out, "      ");
        append_quoted(out, table->columns[i].name);
        buffer_append_string(out, ": { column: ");
        append_quoted(out, field->name);
        buffer_append_string(out, " }\n");
    }
}

static void append_plan(struct buffer *out, const struct run_session *session)
{
    buffer_append_string(out, "transhume: 1\ntables:\n");
    for (uint32_t i = 0; i < session->plan->entity_count; i++) {
        const struct plan_entity *entity = &session->plan->entities[i];
        const struct plan_stream *stream = &session->plan->streams[entity->stream];
        buffer_append_string(out, "  ");
        append_quoted(out, stream->request.table);
        buffer_append_string(out, ":\n    from: ");
        append_quoted(out, session->plan->tables[entity->table].target.name);
        buffer_append_byte(out, '\n');
        if (!entity->mapping->identity) {
            append_fields(out, session, entity);
        }
    }
}

static enum status write_plan(const struct run_session *session, const char *path,
                              struct error *error)
{
    struct buffer text = {0};
    append_plan(&text, session);
    enum status status = file_write_atomic(path, text.data, text.length, NULL, error);
    buffer_free(&text);
    return status;
}

/* ---- beginning */

/* Is there a run in the folder that has not ended? */
static enum status look_for_open(struct arena *arena, const char *path, bool *is_open,
                                 struct error *error)
{
    struct state_folder folder;
    struct local_run local;
    if (state_folder_name(&folder, path, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = local_run_read(&folder, arena, &local, error);
    *is_open = status == STATUS_OK && !local.finished;
    return status == STATUS_END ? STATUS_OK : status;
}

static bool has_whole(const struct run_session *session)
{
    bool has = false;
    for (uint32_t i = 0; i < session->plan->stream_count; i++) {
        has = has || follow_is_whole(session, &session->plan->streams[i]);
    }
    return has;
}

/* The way back is that of the run with `feed`. */
static enum status fill_options(const struct run_session *session, const char *feed,
                                struct run_options *options, struct error *error)
{
    const struct plan *plan = session->plan;
    struct arena *arena = session->arena;
    const char *folder = arena_format(arena, "%s/back", session->state_path);
    const char **names = arena_allocate_zeroed(arena, plan->table_count + 1u, sizeof *names);
    *options = session->options;
    options->sides.source_uri = session->target_uri->text;
    options->sides.target_uri = session->source_uri->text;
    options->sides.plan_path = NULL;
    options->sides.parameters = NULL;
    options->sides.parameter_count = 0;
    options->sides.ledger_uri = NULL;
    options->sides.ledger_schema = NULL;
    options->selection.schemas = (struct column_list){0};
    options->sides.state_folder = folder;
    /* nothing is copied; what has no key takes no other word */
    options->making.existing = has_whole(session) ? EXISTING_APPEND : EXISTING_UPSERT;
    options->selection.include = options->selection.exclude = options->selection.renumber = NULL;
    options->selection.include_count = options->selection.exclude_count =
        options->selection.renumber_count = 0;
    options->making.no_before_images = true;
    options->making.rollback_keys = false;
    options->follow.wanted = options->follow.catch_up = true;
    options->cut_over.reverse_of = feed;
    options->cut_over.reverse = false;
    options->follow.refresh_count = 0;
    options->cut_over.before_command = options->cut_over.fence_command =
        options->cut_over.after_command = NULL;
    options->cut_over.unfence_command = NULL;
    options->cut_over.fence = NULL;
    options->observer = NULL;
    options->progress = PROGRESS_NONE;
    bool is_open = false;
    if (look_for_open(arena, folder, &is_open, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    options->command = is_open ? RUN_RESUME : RUN_BEGIN;
    options->selection.names = options->selection.since = NULL;
    if (session->document == NULL && session->options.selection.names == NULL) {
        for (uint32_t i = 0; i < plan->table_count; i++) {
            names[i] = plan->tables[i].target.name;
        }
        options->selection.include = names;
        options->selection.include_count = plan->table_count;
        return STATUS_OK;
    }
    options->sides.plan_path = arena_format(arena, "%s/back.yaml", session->state_path);
    return write_plan(session, options->sides.plan_path, error);
}

/* Asks the run turned round, which is open. */
static enum status ask_back(struct run_session *back, struct lack_list *lacks, struct error *error)
{
    struct check_follow found;
    enum status status = follow_foresee(back, lacks, &found, error);
    if (status == STATUS_OK && back->target->connector->apply->may_write != NULL) {
        struct target_table *tables;
        session_list_tables(back, back->arena, &tables);
        status = back->target->connector->apply->may_write(back->target, tables,
                                                           back->plan->table_count, lacks, error);
    }
    return status;
}

enum status reverse_ask(struct run_session *session, const struct run *run, struct lack_list *lacks,
                        struct error *error)
{
    struct run_options options;
    struct run_session *back = NULL;
    struct buffer faults = {0};
    uint32_t before = lacks->count;
    const char *feed = run != NULL ? run->header.feed : follow_feed_name(session, session->arena);
    if (reverse_check(session, error) != STATUS_OK ||
        fill_options(session, feed, &options, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = run_open(&options, &back, &faults, error);
    status = status == STATUS_OK ? ask_back(back, lacks, error) : status;
    if (status != STATUS_OK) {
        error_context(error, "the way back: ");
    }
    for (uint32_t i = before; i < lacks->count; i++) {
        lacks->items[i].text = arena_format(lacks->arena, "the way back: %s", lacks->items[i].text);
    }
    if (back != NULL) {
        run_close(back);
    }
    buffer_free(&faults);
    return status;
}

enum status reverse_begin(struct run *run, struct error *error)
{
    struct run_options options;
    if (reverse_check(run->session, error) != STATUS_OK ||
        fill_options(run->session, run->header.feed, &options, error) != STATUS_OK ||
        run->run_within(&options, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    log_write(LOG_INFO,
              "the way back is kept open: `transhume follow --state %s` feeds the former source "
              "with what is written to the target",
              options.sides.state_folder);
    return STATUS_OK;
}

enum status reverse_give_up(struct run *run, struct error *error)
{
    struct run_options options;
    bool is_open = false;
    const char *folder = arena_format(run->arena, "%s/back", run->session->state_path);
    enum status status = look_for_open(run->arena, folder, &is_open, error);
    if (status != STATUS_OK || !is_open) {
        return status;
    }
    if (fill_options(run->session, run->header.feed, &options, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    options.command = RUN_ABANDON;
    return run->run_within(&options, error);
}
