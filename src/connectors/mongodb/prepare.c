/* Making and removing collections: a note in the database of what is made, and its documents. */
#include "connectors/mongodb/mongodb.h"

#include "base/failpoint.h"
#include "base/log.h"

/* ---------------------------------------------------------------- making */

static enum status create_collection(struct mongodb_database *self,
                                     const struct target_table *table, struct error *error)
{
    bson_t command = BSON_INITIALIZER;
    (void)bson_append_utf8(&command, "create", -1, table->name, -1);
    enum status status = mongodb_whole_options(table, &command, error);
    mongodb_validator_append(self, table, &command);
    mongodb_append_concern(&command);
    if (status == STATUS_OK) {
        status = mongodb_control(self, MONGODB_WRITE, &command, NULL, error);
    }
    bson_destroy(&command);
    bool there = status == STATUS_FAILED && error->native_code == MONGODB_COLLECTION_EXISTS;
    return there ? STATUS_OK : status;
}

/* Newer servers answer the making of what is there with success. A run writes no document before
 * it has noted that the collection is its own: one that holds any is somebody else's, and stays. */
static enum status claim_collection(struct mongodb_database *self, const struct target_table *table,
                                    struct error *error)
{
    bool exists = false;
    bool filled = false;
    struct mongodb_facts facts;
    if (mongodb_inspect(&self->keyed.base, table, 1, &exists, &filled, error) != STATUS_OK ||
        mongodb_collection_look(self, table->name, &facts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!filled) {
        return mongodb_note_complete(self, table->name, self->keyed.room.run_id, &facts, error);
    }
    if (keyed_made_forget(&self->keyed.room, table->name, error) != STATUS_OK ||
        mongodb_note_delete(self, table->name, self->keyed.room.run_id, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    error_set(error, ERROR_TARGET_SCHEMA, table->name, "somebody made the collection meanwhile");
    return error_hint(error, "See what it is; `existing:` says what to do with its documents.");
}

static enum status make_table(struct mongodb_database *self, struct target_table *table,
                              enum keyed_made made, struct error *error)
{
    struct keyed_room *room = &self->keyed.room;
    if (made == KEYED_MADE_NOT && (failpoint_hit("mongodb.before_intent", error) != STATUS_OK ||
                                   keyed_made_intend(room, table->name, error) != STATUS_OK ||
                                   failpoint_hit("mongodb.after_intent", error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (mongodb_note_put(self, table, room->run_id, NULL, error) != STATUS_OK ||
        failpoint_hit("mongodb.after_note", error) != STATUS_OK ||
        create_collection(self, table, error) != STATUS_OK ||
        failpoint_hit("mongodb.after_create", error) != STATUS_OK ||
        claim_collection(self, table, error) != STATUS_OK ||
        mongodb_indexes_make(self, table, true, error) != STATUS_OK ||
        keyed_made_done(room, table->name, room->run_id, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    table->created = true;
    return failpoint_hit("mongodb.after_made", error);
}

static enum status refuse_lost(const char *table, struct error *error)
{
    error_set(error, ERROR_TARGET_SCHEMA, table,
              "the run made this collection, and it is not there any more");
    return error_hint(error, "start again: `transhume reset --confirm`, then `transhume migrate`");
}

static enum status warn_of_indexes(struct mongodb_database *self, const struct target_table *table,
                                   struct error *error)
{
    struct buffer lines = {0};
    enum status status = mongodb_indexes_tell_lacking(self, table, "", &lines, error);
    const char *line = buffer_string(&lines);
    while (status == STATUS_OK && *line != '\0') {
        int length = (int)strcspn(line, "\n");
        log_write(LOG_WARNING, "%.*s", length, line);
        line += length + 1;
    }
    buffer_free(&lines);
    return status;
}

static enum status prepare_table(struct mongodb_database *self, struct target_table *table,
                                 struct arena *arena, struct error *error)
{
    struct mongodb_note note = {0};
    enum keyed_made made = KEYED_MADE_NOT;
    const char *made_by = NULL;
    struct mongodb_facts facts;
    table->created = false;
    enum status noted = mongodb_note_read(self, table->name, arena, &note, error);
    if (noted == STATUS_FAILED ||
        mongodb_collection_look(self, table->name, &facts, error) != STATUS_OK ||
        keyed_made_read(&self->keyed.room, table->name, arena, &made, &made_by, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made == KEYED_MADE_DONE) {
        table->created = true;
        return facts.exists ? STATUS_OK : refuse_lost(table->name, error);
    }
    /* a note without its collection is left of one that somebody dropped */
    bool stale = noted == STATUS_OK && made == KEYED_MADE_NOT &&
                 (!facts.exists || !mongodb_note_is_of(&note, &facts));
    if (stale && mongodb_note_delete(self, table->name, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made == KEYED_MADE_INTENDED || !facts.exists) {
        return make_table(self, table, made, error);
    }
    if (warn_of_indexes(self, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return noted == STATUS_OK && !stale
               ? STATUS_OK
               : mongodb_note_put(self, table, self->keyed.room.run_id, &facts, error);
}

enum status mongodb_prepare(struct database *database, const struct prepare_request *request,
                            struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        arena_reset(arena);
        status = prepare_table(mongodb_of(database), &request->tables[at], arena, error);
    }
    arena_destroy(arena);
    return status;
}

/* Indexes that refuse no record are made once the records are there. */
enum status mongodb_after_load(struct database *database, struct after_load_request *request,
                               struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        if (request->tables[at].created) {
            status = mongodb_indexes_make(mongodb_of(database), &request->tables[at], false, error);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- removing */

static enum status remove_made(struct mongodb_database *self, const struct target_table *table,
                               struct arena *arena, struct error *error)
{
    enum keyed_made made = KEYED_MADE_NOT;
    const char *made_by = NULL;
    if (keyed_made_read(&self->keyed.room, table->name, arena, &made, &made_by, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made == KEYED_MADE_NOT) {
        return STATUS_OK; /* removed already, or never made */
    }
    enum status status = mongodb_drop_collection(self, table->name, error);
    status = status == STATUS_OK
                 ? mongodb_note_delete(self, table->name, self->keyed.room.run_id, error)
                 : status;
    status = status == STATUS_OK ? failpoint_hit("mongodb.table_removed", error) : status;
    return status == STATUS_OK ? keyed_made_forget(&self->keyed.room, table->name, error) : status;
}

static enum status remove_table(struct database *database, const struct target_table *table,
                                struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    struct arena *arena = arena_create(0);
    enum status status = failpoint_hit("mongodb.before_remove_table", error);
    if (status == STATUS_OK) {
        status = table->created ? remove_made(self, table, arena, error)
                                : mongodb_empty_collection(self, table->name, error);
    }
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("mongodb.after_remove_table", error) : status;
}

enum status mongodb_forget_run(struct database *database, const char *run_id, bool rolled_back,
                               struct error *error)
{
    return rolled_back ? mongodb_note_delete(mongodb_of(database), NULL, run_id, error) : STATUS_OK;
}

const struct rollback_functions mongodb_rollback = {.remove_table = remove_table};
