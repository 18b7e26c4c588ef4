/*
 * Declared changes of a prefix's indexes.
 *
 *   change.c         what each operation becomes: in place, or a copy
 *   change_place.c   a table as it is found; texts of requests
 *   change_copy.c    tables that are copied into a new index: what it becomes, and the steps
 *   change_script.c  the scripts of a copy, for both ways
 *   change_move.c    the batches of copying and filling
 *   change_compare.c   those of comparing
 *   change_pages.c   documents in the order of their sequence numbers
 *   change_back.c    steps that are no single request: taking a switch back, deleting
 *
 * A table T is copied from its index O into a new one, N = PREFIXt_VERSION:
 *
 *   expand         make N                                   undo: delete N
 *   fill           copy along _seq_no, until little is left
 *   prove          compare all documents
 *   switch writes  copy what changed meanwhile
 *                  shut writers out of O                    undo: let them in
 *                  copy the rest, and delete what was deleted; compare what changed since the
 * proof, and the counts (T is no alias yet:) clone O as PREFIXt_before_VERSION, which is O from now
 * on in one request: T stands for N           undo: copy back what changed, T stands for O again
 *   contract       delete O
 *
 * Each shard numbers its writes (_seq_no), and a document that is written again gets a higher
 * number: what changed since a pass has a number above those that the shards had come to when it
 * began. Deletes leave nothing that a search finds; they show in the counts.
 * Documents keep their versions (version_type=external), so that a pass that is late cannot put an
 * older state over a newer one.
 */
#ifndef TRANSHUME_CONNECTORS_OPENSEARCH_CHANGE_SESSION_H
#define TRANSHUME_CONNECTORS_OPENSEARCH_CHANGE_SESSION_H

#include "connectors/common/change_builder.h"
#include "connectors/opensearch/alter_session.h"

/* ---------------------------------------------------------------- change_place.c */

/* A table as the server describes it; `tree` is the compiler's. */
struct opensearch_place {
    const char *name;  /* what applications call it: the prefix and the table, in small letters */
    const char *index; /* that it is, or that the alias stands for */
    bool is_alias;
    const json_t *mapping;  /* {"properties": …} */
    const json_t *settings; /* below "index" */
    const json_t *aliases;  /* {NAME: {…}} of the index */
};

struct opensearch_copy;

struct opensearch_compiler {
    struct change_builder builder;
    struct opensearch_alter *session;
    struct arena *arena;
    json_t *trees; /* a list of all that places borrow from */
    struct opensearch_copy *copies;
    uint32_t copy_count;
    uint32_t copy_capacity;
};

enum status opensearch_refuse(struct opensearch_compiler *compiler, const struct change_value *at,
                              struct error *error, const char *why, const char *instead);
/* The table under `key` of the operation. ERROR_CHANGE_INVALID: there is none. */
enum status opensearch_find_place(struct opensearch_compiler *compiler,
                                  const struct change_value *value, const char *key,
                                  struct opensearch_place *place, struct error *error) MUST_USE;
/* The name of a table's index. ERROR_CHANGE_INVALID: there is an index or alias of that name, or
 * none can be called so. */
enum status opensearch_free_name(struct opensearch_compiler *compiler,
                                 const struct change_value *at, const char *table,
                                 const char **name, struct error *error) MUST_USE;
/* "/INDEX" and what follows. */
const char *opensearch_change_path(struct arena *arena, const char *index, const char *rest);
/* A request as a step has it; takes `body`, NULL: none. `allowed` as in opensearch_call. */
const char *opensearch_request_text(struct arena *arena, const char *method, const char *path,
                                    json_t *body, uint32_t allowed);
struct change_step *opensearch_add_step(struct opensearch_compiler *compiler,
                                        enum change_phase phase, const char *title,
                                        const char *text, const char *undo, const char *stands);
/* A column's mapping by its type: a word, or an object of JSON. The caller's. */
enum status opensearch_read_type(struct opensearch_compiler *compiler,
                                 const struct change_value *at, json_t **property,
                                 struct error *error) MUST_USE;
/* A setting by its name and text; the value is a number, a text, or an object of JSON. The
 * caller's. */
json_t *opensearch_read_setting(const char *text);
/* Keeps the note in the mapping's _meta (mapping.c) in step: the field `name` is of the type
 * `word`, NULL: it is no field any more. */
void opensearch_note_field(json_t *mapping, const char *name, const char *word);

/* ---------------------------------------------------------------- change_copy.c */

struct opensearch_copy {
    struct opensearch_place place;
    uint32_t operation; /* the first one that needs it */
    json_t *mapping;    /* of the new index */
    json_t *settings;
    struct buffer up;    /* Painless: what the copy does to each document */
    struct buffer down;  /* and back */
    json_t *renamed;     /* [[OLD, NEW]] in their order */
    json_t *dropped;     /* [NAME] */
    json_t *computed;    /* [NAME in the new index] whose values are not the old ones */
    const char *one_way; /* a field whose old values no `down` makes; NULL: there is none */
};

/* Does one of the change's operations need a copy of the table? */
bool opensearch_needs_copy(const struct opensearch_compiler *compiler, const char *table);
/* Is the option one that only a new index can have? */
bool opensearch_is_static(const char *option);
/* The copy of that table, made on first use. */
enum status opensearch_copy_of(struct opensearch_compiler *compiler,
                               const struct change_value *value, struct opensearch_copy **copy,
                               struct error *error) MUST_USE;
/* The steps of all copies. */
enum status opensearch_add_copies(struct opensearch_compiler *compiler,
                                  struct error *error) MUST_USE;
void opensearch_copies_free(struct opensearch_compiler *compiler);

/* change_script.c: what an operation means for a table that is copied */
enum status opensearch_copy_add(struct opensearch_compiler *compiler,
                                const struct change_value *value, struct opensearch_copy *copy,
                                struct error *error) MUST_USE;
enum status opensearch_copy_drop(struct opensearch_compiler *compiler,
                                 const struct change_value *value, struct opensearch_copy *copy,
                                 struct error *error) MUST_USE;
enum status opensearch_copy_rename(struct opensearch_compiler *compiler,
                                   const struct change_value *value, const char *from_key,
                                   const char *to_key, struct opensearch_copy *copy,
                                   struct error *error) MUST_USE;
enum status opensearch_copy_alter(struct opensearch_compiler *compiler,
                                  const struct change_value *value, struct opensearch_copy *copy,
                                  struct error *error) MUST_USE;
/* "ctx._source['name']" with the name quoted. */
void opensearch_append_field(const char *name, struct buffer *out);
/* "'name'" */
void opensearch_append_quoted(const char *name, struct buffer *out);

/* ---------------------------------------------------------------- change_pages.c */

/* How far an index has come. */
struct opensearch_reach {
    int64_t low;    /* all below it is in each shard, and no later write gets such a number */
    int64_t high;   /* the highest number of a write; -1: there is none */
    int64_t writes; /* of all shards */
};
/* Makes all writes up to now visible to searches, and says how far they go. */
enum status opensearch_reach(struct opensearch_alter *session, const char *index,
                             struct opensearch_reach *reach, struct error *error) MUST_USE;
/* The number of the `rows`th document from `low` on, or `high` where there are fewer. */
enum status opensearch_page_end(struct opensearch_alter *session, const char *index, int64_t low,
                                int64_t high, uint64_t rows, int64_t *end,
                                struct error *error) MUST_USE;
/* Up to `rows` documents from `low` to `high` in their order; `*root` is the caller's, `*hits`
 * borrowed from it. Without their fields unless `whole`. */
enum status opensearch_page(struct opensearch_alter *session, const char *index, int64_t low,
                            int64_t high, uint64_t rows, bool whole, json_t **root,
                            const json_t **hits, struct error *error) MUST_USE;
/* The documents of `hits` in another index, by id, as they are now; `*root` is the caller's, its
 * "docs" in the order of the hits. */
enum status opensearch_fetch_same(struct opensearch_alter *session, const char *index,
                                  const json_t *hits, bool whole, json_t **root,
                                  struct error *error) MUST_USE;
enum status opensearch_count_written(struct opensearch_alter *session, const char *index,
                                     uint64_t *count, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- change_move.c */

/* A copy, as its steps have it: {"do":"copy","from":O,"to":N,"alias":T, …}. */
struct opensearch_move {
    const json_t *tree;
    const char *from;
    const char *to;
    const char *note; /* the new index, whatever the direction: the key of what is noted */
    const char *script;
    bool final; /* nobody writes any more */
    bool back;  /* from the new index into the old one */
};
/* change_functions */
enum status opensearch_change_batch(struct alter_session *base, const struct change_step *step,
                                    const char *position, uint64_t rows, struct arena *arena,
                                    struct change_batch *batch, struct error *error);
enum status opensearch_change_estimate(struct alter_session *base, const struct change_step *step,
                                       uint64_t *rows, struct error *error);
/* Borrows from the tree. */
void opensearch_move_read(const json_t *tree, struct opensearch_move *move);
enum status opensearch_move_copy(struct opensearch_alter *session,
                                 const struct opensearch_move *move, const char *position,
                                 uint64_t rows, struct arena *arena, struct change_batch *batch,
                                 struct error *error) MUST_USE;

/* The rest of a pass, as positions of batches have it. */
struct opensearch_pass {
    int64_t low;
    int64_t high;
    int64_t next;
    uint64_t round;
    uint64_t changed;
};
bool opensearch_pass_read(const char *position, struct opensearch_pass *pass);
const char *opensearch_pass_write(const struct opensearch_pass *pass, struct arena *arena);
enum status opensearch_pass_begin(struct opensearch_alter *session, const char *index, int64_t low,
                                  uint64_t round, struct opensearch_pass *pass,
                                  struct error *error) MUST_USE;
/* The position of a sweep behind a pass: how far it is, and what of the pass is still needed. */
bool opensearch_sweep_read(const char *position, int64_t *low, int64_t *high,
                           struct opensearch_pass *pass);
const char *opensearch_sweep_write(int64_t low, int64_t high, const struct opensearch_pass *pass,
                                   struct arena *arena);
/* Deletes from the new index what the old one has not; `*low`: where the next page begins. */
enum status opensearch_sweep_page(struct opensearch_alter *session,
                                  const struct opensearch_move *move, int64_t *low, int64_t high,
                                  struct change_batch *batch, struct error *error) MUST_USE;
/* A page, and where the one behind it begins. */
enum status opensearch_take_page(struct opensearch_alter *session, const char *index, int64_t low,
                                 int64_t high, uint64_t rows, bool whole, json_t **root,
                                 const json_t **hits, int64_t *next, struct error *error) MUST_USE;
struct opensearch_outcome {
    uint64_t total;
    uint64_t changed;
    uint64_t conflicts; /* others wrote them meanwhile, or they have that version already */
};
/* Copies what `query` (JSON) finds. `external`: an older version loses against a newer one, and
 * what is there with the same one is passed over. */
enum status opensearch_reindex(struct opensearch_alter *session, const struct opensearch_move *move,
                               const char *query, bool external, struct opensearch_outcome *outcome,
                               struct error *error) MUST_USE;

/* change_compare.c */
enum status opensearch_move_compare(struct opensearch_alter *session,
                                    const struct opensearch_move *move, const char *position,
                                    uint64_t rows, struct arena *arena, struct change_batch *batch,
                                    struct error *error) MUST_USE;

/* change_note.c: numbers that outlast a step: schema/copy/INDEX in the history's store */
struct opensearch_copy_note {
    int64_t copied;   /* the next pass begins here */
    int64_t proved;   /* the next comparison */
    int64_t switched; /* in the new index: what applications write after the switch is not below */
    int64_t writes;   /* that it had seen by then */
};
enum status opensearch_note_get(struct opensearch_alter *session, const char *index,
                                struct opensearch_copy_note *note, struct error *error) MUST_USE;
enum status opensearch_note_put(struct opensearch_alter *session, const char *index,
                                const struct opensearch_copy_note *note,
                                struct error *error) MUST_USE;
enum status opensearch_note_forget(struct opensearch_alter *session, const char *index,
                                   struct error *error) MUST_USE;

#endif
