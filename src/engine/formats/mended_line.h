/* One line of a reject file, read back: whose record it is, and the record. */
#ifndef TRANSHUME_ENGINE_FORMATS_MENDED_LINE_H
#define TRANSHUME_ENGINE_FORMATS_MENDED_LINE_H

#include "model/batch.h"
#include "model/canonical.h"
#include "model/schema.h"
#include "plan/plan.h"

struct mended_line {
    uint32_t entity; /* the plan's number for "entity" in "table" */
    bool inserts;    /* a repair's: "found":"missing" */
    bool parents_differ;
    enum error_code code; /* why it was rejected; ERROR_NONE: it is not told */
};
/* Finds the entity of a line that is one JSON object. */
enum status mended_line_scan(const struct plan *plan, const char *line, size_t length,
                             struct mended_line *mended, struct error *error) MUST_USE;
/* Checks all of the line: that its record can be read and has only fields that the entity has. */
enum status mended_line_check(const struct plan *plan, const char *line, size_t length,
                              struct mended_line *mended, struct error *error) MUST_USE;

/* One of "parents_differ" (rejects.h). */
struct mended_parent {
    const char *table;
    struct column_list key;
    struct column_list columns;
    struct canonical_hash hash;
};
/* Calls `take` with each; the names live in the arena. */
enum status mended_line_parents(const char *line, size_t length, struct arena *arena,
                                enum status (*take)(void *context,
                                                    const struct mended_parent *parent,
                                                    struct error *error),
                                void *context, struct error *error) MUST_USE;

enum { MENDED_RUN_BYTES = 64 };
/* The run that rejected the line's record, NUL-terminated; "": it names none, or can't be read. */
enum status mended_line_run(const char *line, size_t length, char run[MENDED_RUN_BYTES],
                            struct error *error) MUST_USE;

/* Its reason, in the arena; "": it has none, or can't be read. */
const char *mended_line_reason(const char *line, size_t length, struct arena *arena)
    __attribute__((returns_nonnull));

/*
 * Beside the entity's fields a row has two cells more: the key that the reject was named by (a MAP,
 * or MISSING) and the stream it came from (a TEXT that ends with a NUL), so that a second reject
 * names the same record.
 */
enum { MENDED_EXTRA_CELLS = 2 };
/* Appends the line's record to the batch; everything lives in the batch's arena. */
enum status mended_line_append(const char *line, size_t length, struct batch *batch,
                               struct error *error) MUST_USE;
/* The same of a line as the run wrote it: values that are not in it are MISSING. */
enum status mended_line_append_known(const char *line, size_t length, struct batch *batch,
                                     bool *complete, struct error *error) MUST_USE;

#endif
