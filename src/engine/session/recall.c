/* Finding what a run learnt, laying it over what its source says now, and writing it. */
#include "engine/session/recall.h"

#include "base/log.h"
#include "base/name_index.h"
#include "engine/folder/types_file.h"
#include "engine/ledger/ledger_texts.h"
#include <string.h>

/* ---------------------------------------------------------------- which run */

static enum status read_phase(const struct ledger_run *ledger, bool *follows, struct error *error)
{
    struct ledger_status known = {0};
    enum status status = ledger_status_read(ledger->status, &known, error);
    *follows = status == STATUS_OK && known.phase == LEDGER_FOLLOWING;
    ledger_status_free(&known);
    return status;
}

static enum status read_header(const struct run_session *session, const char *run_id,
                               struct ledger_header *header, bool *follows, struct error *error)
{
    struct ledger_run *ledger = NULL;
    *follows = false;
    enum status status = ledger_load(session->ledger, run_id, session->arena, &ledger, error);
    status = status == STATUS_OK ? ledger_header_read(ledger->header, session->arena, header, error)
                                 : status;
    return status == STATUS_OK && header->feed != NULL ? read_phase(ledger, follows, error)
                                                       : status;
}

/* The run of that id (NULL: the newest unfinished one, else the newest) or, where that one mends or
 * repairs, the newest copy. STATUS_END: there is none. */
static enum status find_copy(const struct run_session *session, const char *run_id,
                             struct ledger_header *header, bool *follows, struct error *error)
{
    const char **ids = NULL;
    uint32_t count = 0;
    enum status status = read_header(session, run_id, header, follows, error);
    if (status != STATUS_OK || strcmp(header->kind, "copy") == 0) {
        return status;
    }
    const char *first = header->run_id;
    status = ledger_list(session->ledger, session->arena, &ids, &count, error);
    for (uint32_t i = count; status != STATUS_FAILED && i > 0; i--) { /* END: it is gone since */
        status = read_header(session, ids[i - 1], header, follows, error);
        if (status == STATUS_OK && strcmp(header->kind, "copy") == 0) {
            return STATUS_OK;
        }
    }
    /* the copy was forgotten: of its tables nothing is known, but what the run learnt stands */
    header->run_id = first;
    header->tables = NULL;
    header->table_count = 0;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* NULL: the one that the ledger says. Chosen as run_resume chooses it. */
static enum status find_id(const struct run_session *session, const struct past_run *past,
                           const char **id, struct error *error)
{
    struct state_folder folder;
    struct local_run local;
    *id = session->options.repair.of_run != NULL ? session->options.repair.of_run : past->local.id;
    if (session->options.command == RUN_BEGIN) {
        return STATUS_OK;
    }
    *id = NULL;
    enum status status = state_folder_name(&folder, session->state_path, session->arena, error);
    status = status == STATUS_OK ? local_run_read(&folder, session->arena, &local, error) : status;
    if (status == STATUS_OK && !local.finished) {
        *id = local.id;
    }
    if (status == STATUS_OK) { /* the ledger may not say so yet */
        ((struct run_session *)session)->options.follow.wanted |= local.follows && !local.finished;
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- what it learnt */

/* The facts that a run learnt of another source are of no use for this one, unless it may have
 * moved. */
static bool is_of_source(const struct run_session *session, const struct learnt *learnt)
{
    const struct feed_functions *feed = session->source->connector->feed;
    return session->options.command != RUN_BEGIN || (feed != NULL && feed->elsewhere) ||
           strcmp(learnt->source_identity, session->source_identity) == 0;
}

static enum status read_learnt(struct run_session *session, const char *run_id, struct error *error)
{
    const char *text;
    size_t length;
    enum status status =
        ledger_learnt_get(session->ledger, run_id, session->arena, &text, &length, error);
    if (status != STATUS_OK) {
        return status;
    }
    struct learnt *learnt = arena_allocate_zeroed(session->arena, 1, sizeof *learnt);
    if (learnt_read(text, length, session->arena, learnt, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (is_of_source(session, learnt)) {
        session->kept.learnt = learnt;
        session->kept.answers = learnt->answers;
        session->kept.mapping_version = learnt->version;
        session->source->known = learnt->source;
    }
    return STATUS_OK;
}

enum status recall_find(struct run_session *session, const struct past_run *past,
                        struct error *error)
{
    struct run_options *options = &session->options;
    struct ledger_header header = {0};
    const char *id = NULL;
    bool follows = false;
    session->kept.answers = plan_answers_create(session->arena);
    session->kept.mapping_version = 1;
    if (options->command == RUN_BEGIN && !options->validating && options->repair.file == NULL) {
        return STATUS_OK;
    }
    enum status status = find_id(session, past, &id, error);
    status = status == STATUS_OK ? find_copy(session, id, &header, &follows, error) : status;
    if (status == STATUS_END) {
        return STATUS_OK; /* it had not begun, or was forgotten */
    }
    if (status == STATUS_OK) {
        session->kept.continued = arena_allocate(session->arena, sizeof header);
        *session->kept.continued = header;
        if (options->follow.cascades == CASCADES_UNSET && header.cascades_in_target) {
            options->follow.cascades = CASCADES_TARGET;
        }
        /* whoever gives it up need not have copied, and may have lost tables */
        bool gives_up = header.feed != NULL && options->command == RUN_ABANDON;
        session->kept.follows =
            (follows || gives_up) && options->command != RUN_BEGIN && !options->validating;
        session->kept.copies_on = header.feed != NULL && !session->kept.follows &&
                                  options->command != RUN_BEGIN && !options->validating;
        status = read_learnt(session, header.run_id, error);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- the source as it is now */

bool recall_is_of_run(const struct run_session *session)
{
    const struct run_options *options = &session->options;
    return options->command != RUN_BEGIN || options->repair.file != NULL || session->names_run ||
           (session->kept.continued != NULL && session->kept.continued->feed != NULL);
}

/* The database's own words for a type say all of it. Where it has none, values say it. */
static bool is_declared_alike(const struct value_type *known, const struct value_type *now)
{
    if (known->native == NULL || now->native == NULL) {
        return known->native == now->native;
    }
    return known->kind == now->kind && strcmp(known->native, now->native) == 0;
}

static void overlay_table(const struct run_session *session, const struct schema_table *known,
                          struct schema_table *table, bool leaves_new, struct arena *arena)
{
    struct name_index names = {.arena = arena};
    struct schema_column *columns =
        arena_allocate_zeroed(arena, table->column_count + 1u, sizeof *columns);
    bool *taken = arena_allocate_zeroed(arena, table->column_count + 1u, sizeof *taken);
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;
        (void)name_index_add(&names, name, strlen(name), i);
    }
    for (uint32_t i = 0; i < known->column_count; i++) {
        const struct schema_column *column = &known->columns[i];
        uint32_t at = name_index_find(&names, column->name, strlen(column->name));
        if (at == NAME_INDEX_NONE || taken[at]) {
            continue;
        }
        columns[count] = table->columns[at];
        columns[count].place = at + 1;
        if (is_declared_alike(&column->type, &columns[count].type)) {
            columns[count].type = column->type;
        }
        taken[at] = true;
        count++;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!taken[i] && leaves_new) {
            /* In place of a column that the run has not. */
            log_write(session->kept.copies_on ? LOG_INFO : LOG_WARNING,
                      "column %s.%s is in the source only since the run began, and %s", table->name,
                      table->columns[i].name,
                      session->kept.copies_on ? "comes when the copy is done" : "is no part of it");
        } else if (!taken[i]) {
            columns[count] = table->columns[i];
            columns[count++].place = i + 1;
        }
    }
    table->columns = columns;
    table->column_count = count;
}

static bool has_index(const struct schema_table *table, const char *name)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < table->index_count; i++) {
        found = strcmp(table->indexes[i].name, name) == 0;
    }
    return found;
}

static bool has_foreign_key(const struct schema_table *table, const char *name)
{
    bool found = name == NULL; /* it can't be told from the others */
    for (uint32_t i = 0; !found && i < table->foreign_key_count; i++) {
        const char *other = table->foreign_keys[i].name;
        found = other != NULL && strcmp(other, name) == 0;
    }
    return found;
}

/* The mapping of a run that is copied on has none that came since: they may be of columns and
 * tables that came with them. */
static void leave_constraints_out(const struct schema_table *known, struct schema_table *table,
                                  struct arena *arena)
{
    struct schema_index *indexes =
        arena_allocate_zeroed(arena, table->index_count + 1u, sizeof *indexes);
    struct schema_foreign_key *keys =
        arena_allocate_zeroed(arena, table->foreign_key_count + 1u, sizeof *keys);
    uint32_t index_count = 0;
    uint32_t key_count = 0;
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (has_index(known, table->indexes[i].name)) {
            indexes[index_count++] = table->indexes[i];
        }
    }
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        if (has_foreign_key(known, table->foreign_keys[i].name)) {
            keys[key_count++] = table->foreign_keys[i];
        }
    }
    table->indexes = indexes;
    table->index_count = index_count;
    table->foreign_keys = keys;
    table->foreign_key_count = key_count;
}

/* Their places among the others are by name. */
static void put_back_gone(struct run_session *session)
{
    struct schema *schema = session->schema;
    const struct schema *known = session->kept.learnt->source;
    uint32_t most = schema->table_count + known->table_count;
    struct schema_table *tables = arena_allocate_zeroed(schema->arena, most + 1u, sizeof *tables);
    const char **gone =
        arena_allocate_zeroed(session->arena, known->table_count + 1u, sizeof *gone);
    uint32_t count = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < known->table_count; i++) {
        const char *name = known->tables[i].name;
        while (at < schema->table_count && strcmp(schema->tables[at].name, name) < 0) {
            tables[count++] = schema->tables[at++];
        }
        bool there = at < schema->table_count && strcmp(schema->tables[at].name, name) == 0;
        if (!there && known->tables[i].kind == SCHEMA_TABLE) {
            tables[count++] = known->tables[i];
            gone[session->kept.gone.count++] = name;
        }
    }
    while (at < schema->table_count) {
        tables[count++] = schema->tables[at++];
    }
    session->kept.gone.names = gone;
    schema->tables = tables;
    schema->table_count = count;
}

void recall_overlay(struct run_session *session)
{
    struct schema *schema = session->schema;
    if (session->kept.learnt == NULL) {
        return;
    }
    if (session->kept.follows) {
        put_back_gone(session);
    }
    if (schema->table_count == 0) {
        return;
    }
    bool leaves_new =
        session->kept.copies_on ||
        (session->source->connector->catalog->columns_come && recall_is_of_run(session));
    uint32_t count = 0;
    struct schema_table *tables =
        arena_allocate_zeroed(schema->arena, schema->table_count, sizeof *tables);
    for (uint32_t i = 0; i < schema->table_count; i++) {
        const struct schema_table *known =
            schema_find_table(session->kept.learnt->source, schema->tables[i].name);
        if (known == NULL && session->kept.copies_on) {
            log_write(LOG_INFO,
                      "%s is in the source only since the run began, and is looked at "
                      "when the copy is done",
                      schema->tables[i].name);
            continue;
        }
        tables[count] = schema->tables[i];
        if (known != NULL) {
            overlay_table(session, known, &tables[count], leaves_new, schema->arena);
        }
        if (known != NULL && session->kept.copies_on) {
            leave_constraints_out(known, &tables[count], schema->arena);
        }
        count++;
    }
    schema->tables = tables;
    schema->table_count = count;
}

/* ---------------------------------------------------------------- writing it */

/* Tables of the target that the plan means, or could mean once the source has more columns. */
static struct schema *keep_meant(const struct run_session *session, struct arena *arena)
{
    const struct schema *there = session->there;
    struct name_index names = {.arena = arena, .folded = true};
    for (uint32_t i = 0; i < session->plan->table_count; i++) {
        const char *name = session->plan->tables[i].target.name;
        (void)name_index_add(&names, name, strlen(name), i);
    }
    for (uint32_t i = 0; i < session->schema->table_count; i++) {
        const char *name = session->schema->tables[i].name;
        (void)name_index_add(&names, name, strlen(name), i);
    }
    struct schema *kept = arena_allocate_zeroed(arena, 1, sizeof *kept);
    struct schema_table *tables =
        arena_allocate_zeroed(arena, there->table_count + 1u, sizeof *tables);
    for (uint32_t i = 0; i < there->table_count; i++) {
        const char *name = there->tables[i].name;
        if (name_index_find(&names, name, strlen(name)) != NAME_INDEX_NONE) {
            tables[kept->table_count++] = there->tables[i];
        }
    }
    kept->tables = tables;
    return kept;
}

void recall_append(const struct run_session *session, uint32_t version, struct buffer *out)
{
    struct arena *arena = arena_create(0);
    const struct learnt learnt = {.version = version,
                                  .mapping_hash = session->plan->mapping_hash,
                                  .source_identity = session->source_identity,
                                  .source = session->schema,
                                  .there =
                                      session->there != NULL ? keep_meant(session, arena) : NULL,
                                  .answers = session->kept.answers};
    learnt_append(&learnt, out);
    arena_destroy(arena);
}

static bool knows_columns(const struct schema_table *known, const struct schema_table *table)
{
    bool all = known != NULL;
    for (uint32_t i = 0; all && i < table->column_count; i++) {
        all = schema_column_named(known, table->columns[i].name) != NULL;
    }
    return all;
}

/* Is all that this session resolved by in what the run keeps? */
static bool is_kept(const struct run *run)
{
    const struct run_session *session = run->session;
    const struct schema *schema = session->schema;
    bool kept = session->kept.learnt != NULL && !session->kept.answers->has_grown &&
                run->following.changes == NULL;
    for (uint32_t i = 0; kept && i < schema->table_count; i++) {
        kept =
            knows_columns(schema_find_table(session->kept.learnt->source, schema->tables[i].name),
                          &schema->tables[i]);
    }
    return kept;
}

enum status recall_raise(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    struct buffer text = {0};
    if (is_kept(run)) {
        return STATUS_OK;
    }
    uint32_t version = session->kept.learnt != NULL ? session->kept.mapping_version + 1 : 1;
    recall_append(session, version, &text);
    enum status status = ledger_learnt_put(session->ledger, run->id, text.data, text.length, error);
    if (status == STATUS_OK) {
        session->kept.answers->has_grown = false;
        session->kept.mapping_version = version;
        types_file_write(run);
        log_write(LOG_INFO,
                  "the run's mapping has version %u: what its source has more is kept "
                  "from now on",
                  version);
    }
    buffer_free(&text);
    return status;
}
