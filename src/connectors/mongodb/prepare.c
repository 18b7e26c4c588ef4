/* Making and removing collections: a note in the database of what is made, and its documents. */
#include "connectors/keyed/tables.h"
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

/* A collection as it is found, and its note. */
struct known {
    struct mongodb_facts facts;
    struct mongodb_note note;
    bool noted;
};

/* The note says which collection it is; of one that was dropped it says nothing of another one. */
static enum status table_look(struct database *database, const struct target_table *table,
                              struct arena *arena, struct keyed_there *there, struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    struct known *known = arena_allocate_zeroed(arena, 1, sizeof(*known));
    enum status noted = mongodb_note_read(self, table->name, arena, &known->note, error);
    if (noted == STATUS_FAILED ||
        mongodb_collection_look(self, table->name, &known->facts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    known->noted = noted == STATUS_OK;
    *there = (struct keyed_there){.exists = known->facts.exists, .facts = known};
    if (known->noted && known->facts.exists) {
        there->id = mongodb_note_is_of(&known->note, &known->facts) ? known->note.run : "";
    }
    return STATUS_OK;
}

static bool is_stale(const struct known *known)
{
    return known->noted &&
           (!known->facts.exists || !mongodb_note_is_of(&known->note, &known->facts));
}

static enum status make_table(struct database *database, const struct target_table *table,
                              const struct keyed_there *there, bool again, struct arena *arena,
                              const char **id, struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    const struct known *known = there->facts;
    (void)arena;
    *id = self->keyed.room.run_id;
    /* a note of an earlier run would be taken for this one's also after an attempt that broke off
     */
    bool stale = is_stale(known) && (!again || strcmp(known->note.run, *id) != 0);
    if ((stale && mongodb_note_delete(self, table->name, NULL, error) != STATUS_OK) ||
        mongodb_note_put(self, table, *id, NULL, error) != STATUS_OK ||
        failpoint_hit("mongodb.after_note", error) != STATUS_OK ||
        create_collection(self, table, error) != STATUS_OK ||
        failpoint_hit("mongodb.after_create", error) != STATUS_OK ||
        claim_collection(self, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return mongodb_indexes_make(self, table, true, error);
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

static enum status use_table(struct database *database, const struct target_table *table,
                             const struct keyed_there *there, struct arena *arena,
                             struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    const struct known *known = there->facts;
    (void)arena;
    if (table->created) {
        return STATUS_OK;
    }
    if ((is_stale(known) && mongodb_note_delete(self, table->name, NULL, error) != STATUS_OK) ||
        warn_of_indexes(self, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return known->noted && !is_stale(known)
               ? STATUS_OK
               : mongodb_note_put(self, table, self->keyed.room.run_id, &known->facts, error);
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

static enum status drop_table(struct database *database, const struct target_table *table,
                              const struct keyed_there *there, enum keyed_made made,
                              struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    (void)there;
    (void)made;
    enum status status = mongodb_drop_collection(self, table->name, error);
    return status == STATUS_OK
               ? mongodb_note_delete(self, table->name, self->keyed.room.run_id, error)
               : status;
}

enum status mongodb_forget_run(struct database *database, const char *run_id, bool rolled_back,
                               struct error *error)
{
    return rolled_back ? mongodb_note_delete(mongodb_of(database), NULL, run_id, error) : STATUS_OK;
}

const struct keyed_tables mongodb_tables = {.look = table_look,
                                            .make = make_table,
                                            .use = use_table,
                                            .drop = drop_table,
                                            .clear = mongodb_empty_collection};

const struct rollback_functions mongodb_rollback = {.remove_table = keyed_remove_table};
