/* The statements of a migration, and which of them are run as one. */
#ifndef TRANSHUME_EVOLVE_FOLDER_STEPS_H
#define TRANSHUME_EVOLVE_FOLDER_STEPS_H

#include "evolve/folder/folder.h"
#include "sql/classify.h"

/* One statement. Texts are those of the file. */
struct migration_step {
    uint32_t number; /* from 1 */
    const char *text;
    size_t length;
    const char *data; /* of COPY … FROM stdin; NULL */
    size_t data_length;
    struct sql_place place; /* in the file */
    enum sql_statement_class class;
    bool outside;   /* a setting that has no effect in a transaction */
    bool temporary; /* of temporary tables alone: MySQL does not commit */
    uint32_t block; /* the BEGIN … COMMIT of the file that it stands in, from 1; 0: none */
    const struct alter_object *objects; /* that it makes, changes or drops */
    uint32_t object_count;
    const char *done_when; /* a query whose first value is true once it was carried out; NULL */
    char checksum[MIGRATION_CHECKSUM_SIZE];
};

enum segment_kind {
    SEGMENT_FREE,        /* settings and queries: nothing is noted, and they may be run again */
    SEGMENT_TRANSACTION, /* one transaction */
    SEGMENT_ALONE        /* one statement without a transaction */
};

/* A run of steps. */
struct migration_segment {
    enum segment_kind kind;
    uint32_t first; /* index of its first step */
    uint32_t count;
    bool doubtful; /* it may commit by itself, so that its end is not that of the transaction */
};

struct migration_steps {
    struct migration_step *items;
    uint32_t count;
    struct migration_segment *segments;
    uint32_t segment_count;
    /* All of it is one transaction, but for what is free: nothing of it stands before all does. */
    bool is_whole;
    bool changes_session;  /* the session is to be settled behind it */
    bool leaves_out_locks; /* LOCK TABLES and UNLOCK TABLES are no steps */
};

/*
 * Takes a text apart, for a database that `alter` is of. What can't be run as it stands (a command
 * of a client, a BEGIN without COMMIT, a string that does not end, a language that the database
 * does not understand) goes to `faults`.
 */
enum status migration_read_steps(const struct migration_text *text, enum alter_language language,
                                 const struct alter_functions *alter, struct arena *arena,
                                 struct migration_steps *steps, struct plan_faults *faults,
                                 struct error *error) MUST_USE;

/* The same of all texts of a migration (the way there, the way back, what verifies it), for its
 * faults alone. */
void migration_check_steps(const struct migration *file, const struct alter_functions *alter,
                           struct plan_faults *faults);

/* other_steps.c: one statement or document of a text that is not SQL. */
struct migration_part {
    const char *text;
    size_t length;
    const char *comments; /* begin in front of it */
    const char *fault;    /* NULL: none */
};
/* Takes the next part of `*rest`, which ends at `end`. False: nothing is left. */
bool migration_next_cql(const char **rest, const char *end, struct migration_part *part);
bool migration_next_json(const char **rest, const char *end, struct migration_part *part);
bool migration_next_http(const char **rest, const char *end, struct migration_part *part);

/* segments.c */
void migration_cut_segments(const struct migration_options *options,
                            const struct alter_functions *alter, struct arena *arena,
                            struct migration_steps *steps);

#endif
