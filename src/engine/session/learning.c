#include "engine/session/learning.h"

#include "base/file.h"
#include "base/log.h"
#include "engine/session/learning_pass.h"
#include <ctype.h>
#include <string.h>

enum { PLAN_COPY_BYTES_MAX = 8 << 20 };

/* ---------------------------------------------------------------- the plan as a document */

static enum status take_document(struct run_session *session, const char *text, size_t length,
                                 struct buffer *faults, struct error *error)
{
    struct plan_document *made;
    const char *path =
        session->document != NULL ? plan_document_path(session->document) : "plain copy";
    if (plan_document_parse(text, length, path == NULL ? "plan" : path, &made, faults, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    session->written_document = session->document; /* options borrow its texts */
    session->document = made;
    session->learned = true;
    return STATUS_OK;
}

/* Below what the user's plan says: its lines keep their numbers. */
static enum status add_to_document(struct run_session *session, const struct learnt_plan *learnt,
                                   struct buffer *faults, struct error *error)
{
    struct buffer text = {0};
    size_t length = 0;
    const char *written =
        session->document == NULL ? NULL : plan_document_text(session->document, &length);
    buffer_append(&text, written == NULL ? "transhume: 1" : written, written == NULL ? 12 : length);
    buffer_append_byte(&text, '\n');
    buffer_append(&text, learnt->yaml.data, learnt->yaml.length);
    enum status status = take_document(session, buffer_string(&text), text.length, faults, error);
    buffer_free(&text);
    return status;
}

static bool is_in_braces(const struct plan_document *document)
{
    size_t length = 0;
    const char *text = document == NULL ? "" : plan_document_text(document, &length);
    while (isspace((unsigned char)*text)) {
        text++;
    }
    return *text == '{';
}

/* ---------------------------------------------------------------- the run before */

static bool copied_the_same(const struct run_session *session, const struct local_run *local)
{
    return local->learned && local->source != NULL && local->target != NULL &&
           strcmp(local->source, session->source_uri->shown) == 0 &&
           strcmp(local->target, session->target_uri->shown) == 0;
}

/* Without the state folder: the target's ledger has the plan, too. STATUS_END: it has
 * none of this source. */
static enum status take_ledger_plan(struct run_session *session, struct buffer *faults,
                                    struct error *error)
{
    const struct ledger_header *header = session->kept.continued;
    bool same = header != NULL && header->source_identity != NULL && header->plan_text != NULL &&
                strstr(header->plan_text, learnt_plan_mark) != NULL &&
                strcmp(header->source_identity, session->source_identity) == 0;
    return same
               ? take_document(session, header->plan_text, strlen(header->plan_text), faults, error)
               : STATUS_END;
}

/* STATUS_END: no run there learnt it. */
static enum status take_past_plan(struct run_session *session, const struct past_run *past,
                                  struct buffer *faults, struct error *error)
{
    struct past_run current = *past;
    struct state_folder folder;
    char *text;
    size_t length;
    const struct run_options *options = &session->options;
    if (options->command == RUN_BEGIN && !options->validating && options->repair.file == NULL) {
        return STATUS_END;
    }
    if (current.local.id == NULL) {
        if (state_folder_name(&folder, session->state_path, session->arena, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        enum status found = past_runs_current(&folder, session->arena, &current, error);
        if (found != STATUS_OK) {
            return found == STATUS_END ? take_ledger_plan(session, faults, error) : found;
        }
    }
    if (!copied_the_same(session, &current.local)) {
        return STATUS_END;
    }
    enum status status = file_read_all(current.folder.plan_file, PLAN_COPY_BYTES_MAX,
                                       session->arena, &text, &length, error);
    return status == STATUS_OK ? take_document(session, text, length, faults, error) : status;
}

/* ---------------------------------------------------------------- learning */

static enum status refuse_before_reading(const struct run_session *session, struct error *error)
{
    if (uri_is_stream(session->source_uri, session->source->connector)) {
        error_set(error, ERROR_USAGE, session->source_uri->shown,
                  "standard input can be read once only, and these records are read twice: for "
                  "their columns, and to copy them");
        error_hint(error, "put them into a file first, or name their fields in a plan");
        return STATUS_FAILED;
    }
    if (is_in_braces(session->document)) {
        error_set(error, ERROR_PLAN_INVALID, plan_document_path(session->document),
                  "columns that are learned can't be added to a plan in braces");
        error_hint(error, "write it as YAML, or name the tables in it");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

enum status learning_make_plan(struct run_session *session, const struct past_run *past,
                               struct learnt_plan *learnt, struct buffer *faults,
                               struct error *error)
{
    const struct run_options *options = &session->options;
    const struct plan_settings settings = {.include = options->selection.include,
                                           .include_count = options->selection.include_count,
                                           .exclude = options->selection.exclude,
                                           .exclude_count = options->selection.exclude_count};
    const struct schema *schema = session->schema;
    bool child_tables = options->making.nested == NESTED_TABLES;
    bool documents = plan_needs_learning(NULL, session->source, session->target, false);
    uint32_t count = 0;
    /* whether lists were to be tables is the past run's to say */
    if (!plan_needs_learning(session->document, session->source, session->target, true)) {
        session->learned = past->local.learned && session->document != NULL;
        if (child_tables && !session->learned) {
            log_write(LOG_WARNING, "--nested tables has no effect: %s",
                      session->document != NULL ? "the plan names its tables"
                                                : "this is no copy of documents into tables");
        }
        return STATUS_OK;
    }
    enum status status = take_past_plan(session, past, faults, error);
    bool needed =
        plan_needs_learning(session->document, session->source, session->target, child_tables);
    if (status != STATUS_END || !needed) {
        return status == STATUS_FAILED ? status : STATUS_OK;
    }
    /* a plan that is refused anyway is not worth a reading */
    if (faults->length > 0 || refuse_before_reading(session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct learnt_table **tables =
        arena_allocate_zeroed(session->arena, schema->table_count + 1u, sizeof(*tables));
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (plan_copies_table(session->document, &settings, &schema->tables[i])) {
            tables[count++] = learnt_table_create(&schema->tables[i], documents, child_tables);
        }
    }
    status = count == 0 ? STATUS_OK : learning_pass(session, tables, count, error);
    if (status == STATUS_OK && count > 0) {
        status = learnt_plan_make(tables, count, session->source, session->target, session->there,
                                  learnt, error);
        status = status == STATUS_OK ? add_to_document(session, learnt, faults, error) : status;
    }
    for (uint32_t i = 0; i < count; i++) {
        learnt_table_destroy(tables[i]);
    }
    return status;
}
