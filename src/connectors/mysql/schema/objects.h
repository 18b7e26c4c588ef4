/* Objects that a plain copy between two of these servers carries, besides tables. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_SCHEMA_OBJECTS_H
#define TRANSHUME_CONNECTORS_MYSQL_SCHEMA_OBJECTS_H

#include "connectors/mysql/target.h"

/* ---------------------------------------------------------------- objects_show.c */

/* `self`'s view, trigger, procedure … of that name: a line that sets the session as its text wants
 * it (it may be empty), then the statement that makes it. `*text` NULL: it can't be read, or there
 * is none; `why` (may be NULL) then says what is in the way. A lock is a failure, for another try.
 */
enum status mysql_object_show(struct mysql_database *self, MYSQL *connection, const char *what,
                              const char *name, struct arena *arena, const char **text,
                              const char **why, struct error *error) MUST_USE;
/* Is one of that name there, as far as the account can see? */
enum status mysql_object_is_there(struct mysql_database *self, MYSQL *connection, const char *what,
                                  const char *name, bool *found, struct error *error) MUST_USE;
/* When a routine was made and changed last, and by whom: what is told of it to an account that may
 * not read its text. NULL: it is no routine, or not there. */
enum status mysql_routine_made(struct mysql_database *self, MYSQL *connection, const char *what,
                               const char *name, struct arena *arena, const char **when,
                               struct error *error) MUST_USE;
/* schema_object.native_query: what it answers moves the sequence on to where it then is. */
const char *mysql_sequence_query(const struct mysql_database *self, const char *name,
                                 struct arena *arena);

/* ---------------------------------------------------------------- objects.c */

/* In the words of this database, of whose name the source's knows nothing. `from`: that one's. */
void mysql_append_object(struct buffer *sql, const struct mysql_database *self, const char *from,
                         const struct schema_object *object, const char *statement);

enum mysql_moment {
    MYSQL_BEFORE_TABLES, /* what can't be made yet waits for MYSQL_AFTER_LOAD */
    MYSQL_AFTER_LOAD
};

/*
 * Makes the objects of that moment, and notes each in the ledger, just before it and after it. One
 * that is there stays; one that the server refuses is left out; the log says both. Repeatable.
 * `objects` NULL: nothing.
 */
enum status mysql_objects_make(struct mysql_database *self, const struct target_table *tables,
                               uint32_t table_count, const struct schema *objects,
                               enum mysql_moment moment, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- objects_ledger.c */

/* The ledger's note on an object that a run makes; texts in the arena of who asked. */
struct mysql_noted {
    const char *what;
    const char *name;
    const char *digest; /* of its text as it was made; NULL: it was about to be */
};

/* The notes of the claimed run, the last first. Without the table there is none. */
enum status mysql_objects_noted(struct mysql_database *self, MYSQL *connection, struct arena *arena,
                                struct mysql_noted **noted, uint32_t *count,
                                struct error *error) MUST_USE;
enum status mysql_objects_make_table(struct mysql_database *self, MYSQL *connection,
                                     struct error *error) MUST_USE;
/* It is about to be made. */
enum status mysql_object_intend(struct mysql_database *self, MYSQL *connection, const char *what,
                                const char *name, struct error *error) MUST_USE;
/* It is made: its digest. STATUS_END: it is not there, and no longer noted. */
enum status mysql_object_note(struct mysql_database *self, MYSQL *connection, const char *what,
                              const char *name, struct error *error) MUST_USE;
enum status mysql_object_forget(struct mysql_database *self, MYSQL *connection, const char *what,
                                const char *name, struct error *error) MUST_USE;
/* All of a run's. */
enum status mysql_objects_forget(struct mysql_database *self, MYSQL *connection, const char *run_id,
                                 struct error *error) MUST_USE;
/* Is it what the run made? Else `*why` says what speaks against it, perhaps in `arena`; NULL:
 * nothing. */
enum status mysql_object_compare(struct mysql_database *self, MYSQL *connection,
                                 const struct mysql_noted *noted, struct arena *arena,
                                 const char **why, struct error *error) MUST_USE;

/* It was made, but its text could not be read: nobody knows of a later change. */
bool mysql_object_is_unknown(const struct mysql_noted *noted);

/* Adds to the script what mysql_objects_make would send at first; one that needs another on a later
 * try. After mysql_read_collations. */
enum status mysql_show_objects(struct mysql_database *self, MYSQL *connection,
                               const struct script_request *request, enum mysql_moment moment,
                               struct script *script, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- objects_drop.c */

/* Drops what the claimed run made before its tables, and nobody else uses. */
enum status mysql_objects_drop_early(struct mysql_database *self, MYSQL *connection,
                                     struct error *error) MUST_USE;
enum status mysql_remove_objects(struct database *self, bool dry_run, struct buffer *what,
                                 struct error *error);
/* Fails with ERROR_ROLLBACK_REFUSED if a view reads the table, or may, and is not one of the run's
 * that go with it. */
enum status mysql_refuse_readers(struct mysql_database *self, MYSQL *connection, const char *name,
                                 struct error *error) MUST_USE;

#endif
