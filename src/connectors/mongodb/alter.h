/*
 * Changing the schema of a database of MongoDB: what alter*.c and change*.c share.
 *
 *   alter.c                    sessions, the lock, statements, questions
 *   alter_step.c               a step as text, and sending it
 *   alter_json.c               texts as BSON
 *   alter_settle.c             what became of a step whose session is gone
 *   change.c                   operations on collections
 *   change_field.c, change_index.c, change_validator.c, change_copy.c    on what they hold
 *   change_text.c              parts of steps as JSON
 *   change_batch.c             batches, as steps have them
 *
 * A step is a command of the server as MongoDB Extended JSON (version 2), in either of two forms:
 *
 *   {"createIndexes": "users", "indexes": [ … ]}
 *   {"command": { … }, "ignore": [26, 27], "asks": "any" | "none"}
 *
 * Errors with one of these codes count as done. A question is answered by the number `n` of a
 * reply, or by the first value of its cursor's first document (that of _id where it has no other);
 * with "asks" by whether the cursor has a document. Writes are acknowledged by most of a replica
 * set unless the command says otherwise. renameCollection goes to the database admin; a name
 * without the database is completed.
 */
#ifndef TRANSHUME_CONNECTORS_MONGODB_ALTER_H
#define TRANSHUME_CONNECTORS_MONGODB_ALTER_H

#include "connectors/common/change_builder.h"
#include "connectors/common/history_store.h"
#include "connectors/mongodb/mongodb.h"

extern const struct alter_functions mongodb_alter;
extern const struct change_functions mongodb_change;

/* A store in that collection; `collection` outlives it. Closed by mongodb_store.close. */
struct store *mongodb_store_open_in(struct database *self, const char *collection);

/* ---------------------------------------------------------------- alter_step.c */

enum { MONGODB_INDEX_NOT_FOUND = 27, MONGODB_TIME_IS_UP = 50 };

enum mongodb_question { MONGODB_ASKS_VALUE, MONGODB_ASKS_ANY, MONGODB_ASKS_NONE };

struct mongodb_step {
    bson_t command;     /* as it is sent, but for maxTimeMS */
    const char *name;   /* its first element's; in `command` */
    const char *object; /* that element's value, if it is a name; NULL */
    bool admin;         /* goes to the database admin */
    enum mongodb_question question;
    int64_t ignored[8];
    uint32_t ignored_count;
};

/* Reads a step; `*fault` (may be NULL): where in the text it is no JSON, SIZE_MAX: not known. A
 * step that was read is given to mongodb_step_free, and on failure nothing is to be freed. */
enum status mongodb_step_read(const struct mongodb_database *self, const char *text, size_t length,
                              struct mongodb_step *step, size_t *fault,
                              struct error *error) MUST_USE;
void mongodb_step_free(struct mongodb_step *step);
/* Does it change documents or collections, so that it is no question? */
bool mongodb_step_writes(const struct mongodb_step *step);

/*
 * Sends a step and waits as long as it takes, or `request->time_ms` (`request` may be NULL); the
 * session's lease is renewed meanwhile. `reply` is initialised in any case, and the caller's.
 * Errors of single writes and of the write concern are failures. What was sent and has no answer
 * fails with ERROR_TARGET_UNKNOWN_OUTCOME if it changes something.
 */
enum status mongodb_step_send(struct alter_session *session, const struct mongodb_step *step,
                              const struct alter_request *request, bson_t *reply,
                              struct error *error) MUST_USE;
/* The same of a text that is this program's own. */
enum status mongodb_step_run(struct alter_session *session, const char *text, bson_t *reply,
                             struct error *error) MUST_USE;
/* The answer that a reply gives, in the arena; NULL: no document, or null. */
const char *mongodb_step_answer(const struct mongodb_step *step, const bson_t *reply,
                                struct arena *arena);
/* Sets `at` to the first document of the reply's cursor. */
bool mongodb_first_document(const bson_t *reply, bson_iter_t *at);
/* A value as a text for people and comparisons, in the arena; NULL: null. */
const char *mongodb_value_text(const bson_iter_t *at, struct arena *arena);

/* ---------------------------------------------------------------- alter_json.c */

/* bson_new_from_json of filters, too; the caller's. NULL: `why` (may be NULL) says why not. */
bson_t *mongodb_json_read(const char *text, size_t length, bson_error_t *why);

/* ---------------------------------------------------------------- alter_settle.c */

/* For alter_functions. */
enum status mongodb_alter_settle(struct alter_session *session, const struct alter_request *request,
                                 const struct alter_object *objects, uint32_t count,
                                 const char *before, enum alter_settled *settled,
                                 struct error *error);

/* ---------------------------------------------------------------- compiling */

struct mongodb_compiler {
    struct change_builder builder;
    struct alter_session *session;
    struct mongodb_database *mongodb;
    struct arena *arena;
};

typedef enum status mongodb_compile(struct mongodb_compiler *compiler,
                                    const struct change_value *value, struct error *error);

/* change.c */
enum status mongodb_invalid(struct mongodb_compiler *compiler, const struct change_value *at,
                            struct error *error, const char *why, const char *instead);
enum status mongodb_refuse(struct mongodb_compiler *compiler, const struct change_value *at,
                           struct error *error, const char *why, const char *instead);
/* A statement; `undo` and `stands` may be NULL. */
struct change_step *mongodb_add(struct mongodb_compiler *compiler, enum change_phase phase,
                                const char *title, const char *text, const char *undo,
                                const char *stands);
/* Batches: `stages` as change_batch.c has them, `undo` may be NULL. */
struct change_step *mongodb_add_batches(struct mongodb_compiler *compiler, enum change_phase phase,
                                        const char *title, const char *stages, const char *undo);
/* Is the collection that the text at `at` names there, or made by an operation ahead of this one?
 * `*made` (may be NULL): by such a one. */
enum status mongodb_find_collection(struct mongodb_compiler *compiler,
                                    const struct change_value *at, bool *made,
                                    struct error *error) MUST_USE;
/* A name that a collection can get, and none has. */
enum status mongodb_keep_free(struct mongodb_compiler *compiler, const struct change_value *at,
                              struct error *error) MUST_USE;
/* Asks a step's text; in the arena. */
enum status mongodb_ask(struct mongodb_compiler *compiler, const char *text, const char **answer,
                        struct error *error) MUST_USE;

/* change_field.c */
mongodb_compile mongodb_add_field;
mongodb_compile mongodb_drop_field;
mongodb_compile mongodb_rename_field;
mongodb_compile mongodb_alter_field;
/* change_index.c */
mongodb_compile mongodb_create_index;
mongodb_compile mongodb_drop_index;
/* The name of a unique index over the field, in the arena; NULL: there is none. */
enum status mongodb_unique_index_of(struct mongodb_compiler *compiler, const char *collection,
                                    const char *field, const char **name,
                                    struct error *error) MUST_USE;
/* change_validator.c */
mongodb_compile mongodb_set_collection;
/* Appends the options of a map as members, each behind a comma. */
enum status mongodb_append_options(struct mongodb_compiler *compiler,
                                   const struct change_value *options, struct buffer *out,
                                   struct error *error) MUST_USE;
/* change_copy.c */
mongodb_compile mongodb_copy_collection;

/* ---------------------------------------------------------------- change_text.c */

/* All in the compiler's arena. */
const char *mongodb_quoted(struct mongodb_compiler *compiler, const char *text); /* "a\"b" */
const char *mongodb_path(struct mongodb_compiler *compiler, const char *field);  /* "$a.b" */
/* The text of the buffer, which is freed. */
const char *mongodb_taken(struct mongodb_compiler *compiler, struct buffer *text);
/* A value of the file as JSON, checked; NULL: `error` says what is wrong with it. */
const char *mongodb_json(struct mongodb_compiler *compiler, const struct change_value *at,
                         struct error *error) MUST_USE;
/* The same of a document. */
const char *mongodb_json_document(struct mongodb_compiler *compiler, const struct change_value *at,
                                  struct error *error) MUST_USE;
/* An expression of an aggregation: "$field", a document, or any other value as it is. */
const char *mongodb_expression(struct mongodb_compiler *compiler, const struct change_value *at,
                               struct error *error) MUST_USE;
/* Is it a path that a document can have, and not _id? */
enum status mongodb_check_field(struct mongodb_compiler *compiler, const struct change_value *at,
                                struct error *error) MUST_USE;
/* Parts of commands. */
const char *mongodb_exists(struct mongodb_compiler *compiler, const char *field, bool exists);
const char *mongodb_update_all(struct mongodb_compiler *compiler, const char *collection,
                               const char *match, const char *set);
const char *mongodb_named(struct mongodb_compiler *compiler, const char *collection, bool exists);
const char *mongodb_drop(struct mongodb_compiler *compiler, const char *collection);
const char *mongodb_rename(struct mongodb_compiler *compiler, const char *from, const char *to,
                           bool replaces);

/* ---------------------------------------------------------------- change_batch.c */

/* For change_functions. */
enum status mongodb_batch(struct alter_session *session, const struct change_step *step,
                          const char *position, uint64_t rows, struct arena *arena,
                          struct change_batch *batch, struct error *error);
enum status mongodb_estimate(struct alter_session *session, const struct change_step *step,
                             uint64_t *rows, struct error *error);

#endif
