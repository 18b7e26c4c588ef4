/* The tables that are in the target before the plan is resolved, and those of the source. */
#include "engine/run/there.h"

#include "base/log.h"
#include "engine/ledger/ledger_texts.h"
#include "engine/run/schema_lines.h"
#include <string.h>
#include <strings.h>

/* By a plan's word or a source's name; case is for resolving to look at. */
static bool may_be_written(const struct run_session *session, const char *name)
{
    for (uint32_t i = 0; i < session->schema->table_count; i++) {
        if (strcasecmp(session->schema->tables[i].name, name) == 0) {
            return true;
        }
    }
    return session->document != NULL && plan_document_names_table(session->document, name);
}

static enum status read_header(const struct run_session *session, const char *run_id,
                               struct ledger_header *header, struct error *error)
{
    struct ledger_run *ledger = NULL;
    enum status status = ledger_load(session->ledger, run_id, session->arena, &ledger, error);
    return status == STATUS_OK ? ledger_header_read(ledger->header, session->arena, header, error)
                               : status;
}

/* The run that is continued or compared, or the copy that it repairs or loads rejects of. `tables`
 * stays NULL: there is none. */
static enum status find_copy(const struct run_session *session, struct ledger_header *header,
                             struct error *error)
{
    const char **ids = NULL;
    uint32_t count = 0;
    enum status status = read_header(session, NULL, header, error);
    if (status != STATUS_OK || strcmp(header->kind, "copy") == 0) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    status = ledger_list(session->ledger, session->arena, &ids, &count, error);
    for (uint32_t i = count; status != STATUS_FAILED && i > 0; i--) { /* END: it is gone since */
        status = read_header(session, ids[i - 1], header, error);
        if (status == STATUS_OK && strcmp(header->kind, "copy") == 0) {
            return STATUS_OK;
        }
    }
    header->tables = NULL;
    header->table_count = 0;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* The same, asked once a session; NULL: none is gone on with. */
static enum status find_continued(struct run_session *session, struct error *error)
{
    const struct run_options *options = &session->options;
    struct ledger_header header = {0};
    bool continues = options->resuming || options->validating || options->rejects_file != NULL;
    if (session->continued != NULL || !continues) {
        return STATUS_OK;
    }
    if (find_copy(session, &header, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    session->continued = arena_allocate(session->arena, sizeof header);
    *session->continued = header;
    return STATUS_OK;
}

static bool made(const struct ledger_header *header, const char *table)
{
    for (uint32_t i = 0; i < header->table_count; i++) {
        if (strcmp(header->tables[i].name, table) == 0) {
            return header->tables[i].was == LEDGER_WAS_ABSENT;
        }
    }
    return false;
}

/* Tables that the run itself made were not there when its plan was resolved, and are not to change
 * what it is resolved to: their columns may tell less than what they were made for. */
static enum status leave_own_out(struct run_session *session, struct schema *there,
                                 struct error *error)
{
    enum status status = find_continued(session, error);
    if (status != STATUS_OK || session->continued == NULL) {
        return status;
    }
    struct schema_table *tables =
        arena_allocate_zeroed(there->arena, there->table_count + 1u, sizeof(*tables));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < there->table_count; i++) {
        if (!made(session->continued, there->tables[i].name)) {
            tables[kept++] = there->tables[i];
        }
    }
    there->tables = tables;
    there->table_count = kept;
    return STATUS_OK;
}

enum status there_leave_new_out(struct run_session *session, struct error *error)
{
    struct schema *schema = session->schema;
    if (find_continued(session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct ledger_header *header = session->continued;
    if (header == NULL || header->feed == NULL || header->schema_text == NULL) {
        return STATUS_OK;
    }
    struct schema_table *tables =
        arena_allocate_zeroed(schema->arena, schema->table_count + 1u, sizeof *tables);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (schema_lines_have_table(header->schema_text, &schema->tables[i])) {
            tables[kept++] = schema->tables[i];
        } else if (schema->tables[i].kind == SCHEMA_TABLE) {
            log_write(LOG_DEBUG,
                      "%s is in the source only since the run began, and is not followed",
                      schema->tables[i].name);
        }
    }
    schema->tables = tables;
    schema->table_count = kept;
    return STATUS_OK;
}

enum status there_describe(struct run_session *session, struct schema **there, struct error *error)
{
    struct database *target = session->target;
    const struct connector *connector = target->connector;
    struct column_list names = {0};
    bool any = false;
    *there = NULL;
    if (session->options.ignores_there || (target->capabilities & CAPABILITY_SQL_SCHEMA) == 0 ||
        connector->target->names == NULL) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    enum status status = connector->target->names(target, arena, &names, error);
    for (uint32_t i = 0; status == STATUS_OK && !any && i < names.count; i++) {
        any = may_be_written(session, names.names[i]);
    }
    arena_destroy(arena);
    if (status != STATUS_OK || !any) {
        return status;
    }
    status = connector->catalog->describe(target, there, error);
    return status == STATUS_OK ? leave_own_out(session, *there, error) : status;
}
