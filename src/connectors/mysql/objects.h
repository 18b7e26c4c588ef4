/* What a plain copy between two of these servers carries besides tables. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_OBJECTS_H
#define TRANSHUME_CONNECTORS_MYSQL_OBJECTS_H

#include "connectors/mysql/target.h"

/* ---------------------------------------------------------------- objects_show.c */

/* `self`'s view, trigger, procedure … of that name: a line that sets the session as its text wants
 * it (it may be empty), then the statement that makes it. `*text` NULL: it can't be read, or there
 * is none; `why` (may be NULL) then says what is in the way. A lock is a failure, for another try.
 */
enum status maria_object_show(struct maria_database *self, MYSQL *connection, const char *what,
                              const char *name, struct arena *arena, const char **text,
                              const char **why, struct error *error) MUST_USE;
/* Is one of that name there, as far as the account can see? */
enum status maria_object_is_there(struct maria_database *self, MYSQL *connection, const char *what,
                                  const char *name, bool *found, struct error *error) MUST_USE;
/* When a routine was made and changed last, and by whom: what is told of it to an account that may
 * not read its text. NULL: it is no routine, or not there. */
enum status maria_routine_made(struct maria_database *self, MYSQL *connection, const char *what,
                               const char *name, struct arena *arena, const char **when,
                               struct error *error) MUST_USE;
/* schema_object.native_query: what it answers moves the sequence on to where it then is. */
const char *maria_sequence_query(const struct maria_database *self, const char *name,
                                 struct arena *arena);

/* ---------------------------------------------------------------- objects.c */

enum maria_moment {
    MARIA_BEFORE_TABLES, /* what can't be made yet waits for MARIA_AFTER_LOAD */
    MARIA_AFTER_LOAD
};

/*
 * Makes the objects of that moment, and notes each in the ledger, just before it and after it. One
 * that is there stays; one that the server refuses is left out; the log says both. Repeatable.
 * `objects` NULL: nothing.
 */
enum status maria_objects_make(struct maria_database *self, const struct target_table *tables,
                               uint32_t table_count, const struct schema *objects,
                               enum maria_moment moment, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- objects_ledger.c */

/* What the ledger knows of an object that a run makes; texts in the arena of who asked. */
struct maria_noted {
    const char *what;
    const char *name;
    const char *digest; /* of its text as it was made; NULL: it was about to be */
};

/* Those of the claimed run, the last first. Without the table there is none. */
enum status maria_objects_noted(struct maria_database *self, MYSQL *connection, struct arena *arena,
                                struct maria_noted **noted, uint32_t *count,
                                struct error *error) MUST_USE;
enum status maria_objects_make_table(struct maria_database *self, MYSQL *connection,
                                     struct error *error) MUST_USE;
/* It is about to be made. */
enum status maria_object_intend(struct maria_database *self, MYSQL *connection, const char *what,
                                const char *name, struct error *error) MUST_USE;
/* It is made: its digest. STATUS_END: it is not there, and no longer noted. */
enum status maria_object_note(struct maria_database *self, MYSQL *connection, const char *what,
                              const char *name, struct error *error) MUST_USE;
enum status maria_object_forget(struct maria_database *self, MYSQL *connection, const char *what,
                                const char *name, struct error *error) MUST_USE;
/* All of a run's. */
enum status maria_objects_forget(struct maria_database *self, MYSQL *connection, const char *run_id,
                                 struct error *error) MUST_USE;
/* Is it what the run made? Else `*why` says what speaks against it, perhaps in `arena`; NULL:
 * nothing. */
enum status maria_object_compare(struct maria_database *self, MYSQL *connection,
                                 const struct maria_noted *noted, struct arena *arena,
                                 const char **why, struct error *error) MUST_USE;

/* It was made, but its text could not be read: nobody knows of a later change. */
bool maria_object_is_unknown(const struct maria_noted *noted);

/* ---------------------------------------------------------------- objects_drop.c */

/* Drops what the claimed run made before its tables, and nobody else uses. */
enum status maria_objects_drop_early(struct maria_database *self, MYSQL *connection,
                                     struct error *error) MUST_USE;
enum status maria_remove_objects(struct database *self, bool dry_run, struct buffer *what,
                                 struct error *error);
/* Fails with ERROR_ROLLBACK_REFUSED if a view reads the table, or may, and is not one of the run's
 * that go with it. */
enum status maria_refuse_readers(struct maria_database *self, MYSQL *connection, const char *name,
                                 struct error *error) MUST_USE;

#endif
