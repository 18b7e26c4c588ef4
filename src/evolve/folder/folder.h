/* A folder of migrations as it is on disk; no database is asked. */
#ifndef TRANSHUME_EVOLVE_FOLDER_FOLDER_H
#define TRANSHUME_EVOLVE_FOLDER_FOLDER_H

#include "base/name_index.h"
#include "connectors/contract/alter.h"
#include "evolve/check/check.h"
#include "evolve/folder/checksum.h"
#include "plan/text/faults.h"

/* Files of declared changes (evolve/change) count in the numbering, and are no migrations. */
#define MIGRATION_CHANGE_ENDING ".change.yaml"

enum migration_kind {
    MIGRATION_VERSIONED,
    MIGRATION_REPEATABLE, /* run again whenever its text changed; its name is its identity */
    MIGRATION_BASELINE    /* makes in one what all versions up to its own make */
};

/* Rows to be kept before a migration changes them: `-- transhume:before-image TABLE WHERE …` */
struct before_image {
    const char *table; /* as it is written */
    const char *where; /* "WHERE …"; "": all of them */
    const char *file;
    uint32_t line;
};

/* Options that the comments at a text's beginning give, `-- transhume:NAME VALUE`. */
struct migration_options {
    bool apart;                        /* transaction none: each statement by itself */
    int64_t lock_ms;                   /* lock-timeout; -1: not said */
    int64_t statement_ms;              /* statement-timeout; likewise */
    struct column_list requires;       /* versions that have to stand before it */
    const struct schema_check *before; /* before null t.c */
    uint32_t before_count;
    const struct schema_check *after;
    uint32_t after_count;
    const struct before_image *images;
    uint32_t image_count;
};

/* The way there, or the way back. */
struct migration_text {
    const char *path;  /* for messages: with the folder */
    const char *whole; /* the file, of which `text` is a part */
    const char *text;  /* NULL: there is none */
    size_t length;
    uint32_t line; /* of the text's first byte in the file */
    char checksum[MIGRATION_CHECKSUM_SIZE];
    struct migration_options options;
};

struct migration {
    enum migration_kind kind;
    enum alter_language language;
    const char *version; /* as written; NULL: repeatable */
    const char *key;     /* migration_version_key */
    const char *name;
    struct migration_text up;
    struct migration_text down;
    /* Statements that run without an error once it is applied, and leave nothing behind. */
    struct migration_text verify;
    const char *origin_id;       /* as the tool knows it that the folder is of; NULL: by version */
    const char *origin_checksum; /* as that tool keeps it; NULL */
};

/* In the order in which they are run: versions, then what is repeatable, by name. Baselines stand
 * in front of the version that they bear. */
/* A file of declared changes, of which only its name is read here. */
struct migration_change {
    const char *version;
    const char *name;
    const char *key; /* migration_version_key */
    const char *path;
};

struct migration_set {
    const char *folder;
    const char *format; /* "transhume", "flyway" … */
    struct migration *items;
    uint32_t count;
    bool is_graph;                    /* migration_format.is_graph */
    struct migration_change *changes; /* the lowest version first */
    uint32_t change_count;
};

/* Does `key` come at or before `limit`? Numbers by their size, others by their place in the set. */
bool migration_is_up_to(const struct migration_set *set, const char *key, const char *limit);

/*
 * Reads a folder. `format` NULL: as it looks. What is wrong with files goes to `faults`, all of it
 * (ERROR_MIGRATION_INVALID); a folder that is not there is one, too.
 */
enum status migration_folder_read(const char *folder, const char *format, struct arena *arena,
                                  struct migration_set *set, struct plan_faults *faults,
                                  struct error *error) MUST_USE;
/* The same of files of which nothing will be run, whoever may write them. */
enum status migration_folder_look(const char *folder, const char *format, struct arena *arena,
                                  struct migration_set *set, struct plan_faults *faults,
                                  struct error *error) MUST_USE;

/* NULL: the set has none of that key. */
const struct migration *migration_by_key(const struct migration_set *set, const char *key);
const struct migration *migration_repeatable(const struct migration_set *set, const char *name);

/* The ending of files in a language, ".sql". */
const char *migration_ending(enum alter_language language);

/* ---------------------------------------------------------------- for readers of formats */

struct migration_reader;
/* A file of the folder, as trust_read_file has it unless the reader only looks. */
enum status migration_read_bytes(const struct migration_reader *reader, const char *path,
                                 size_t limit_bytes, char **bytes, size_t *length,
                                 struct error *error) MUST_USE;

struct migration_reader {
    const char *folder;
    bool only_looks;    /* nothing of the files will be run */
    char *const *names; /* of its entries, sorted by bytes; hidden ones are not among them */
    uint32_t name_count;
    struct arena *arena;
    struct plan_faults *faults;
    struct migration *items;
    uint32_t count;
    uint32_t capacity;
    struct name_index seen[MIGRATION_BASELINE + 1]; /* versions and names by enum migration_kind */
    /* Paths of files that are read, or that a fault or a warning names: the others are left out,
     * and left_out.c names them. NULL: nobody asks. */
    struct name_index *told;
};

/* How one tool lays out a folder. */
struct migration_format {
    const char *name;
    const char *title;
    /* The reader's order is the one in which versions are run; else it is that of their keys. */
    bool orders;
    /* A version stands by what it requires: one that comes late is no fault. */
    bool is_graph;
    bool (*recognises)(const struct migration_reader *reader);
    /* Adds what it finds, in any order; STATUS_FAILED: the folder can't be read at all. */
    enum status (*read)(struct migration_reader *reader, struct error *error);
};
/* Ended by NULL; the last one is the project's own, which recognises everything. */
extern const struct migration_format *const migration_formats[];
extern const struct migration_format migration_format_own;
extern const struct migration_format migration_format_dbmate;
extern const struct migration_format migration_format_migrate;
extern const struct migration_format migration_format_flyway;
extern const struct migration_format migration_format_goose;
extern const struct migration_format migration_format_sqitch;
extern const struct migration_format migration_format_liquibase;
extern const struct migration_format migration_format_drizzle;
extern const struct migration_format migration_format_prisma;
extern const struct migration_format migration_format_alembic;
extern const struct migration_format migration_format_django;
extern const struct migration_format migration_format_rails;

/* A new item, zeroed but for options that are not said; good until the next one is added. */
struct migration *migration_add(struct migration_reader *reader);
/* The first one of that version; NULL: there is none. */
struct migration *migration_find(const struct migration_reader *reader, const char *version);
/* Reads a file of the folder into a text, with its checksum. What is wrong with it (it is not
 * UTF-8) is a fault, and then there is no text. */
enum status migration_load(struct migration_reader *reader, const char *name,
                           struct migration_text *text, struct error *error) MUST_USE;
/* Notes that a file of the folder is read, or told of; a path with the folder. */
void migration_note_told(struct migration_reader *reader, const char *path);
/*
 * Names each file of the folder, and of those below it, that looks like a migration and was not
 * read: left out by its name, or of a kind that is not run here. In the folder itself what should
 * be run is a fault; elsewhere, or where the tool does not run it as a migration, a warning
 * (left_out.c).
 */
enum status migration_name_left_out(struct migration_reader *reader, const char *title,
                                    struct error *error) MUST_USE;
/* Reads one file as the project's own layout has it, both ways where it holds both. */
enum status migration_read_file(const char *path, bool only_looks, struct arena *arena,
                                struct migration *item, struct plan_faults *faults,
                                struct error *error) MUST_USE;
/* Makes of `whole` the part of it from `offset` on. */
void migration_cut(const struct migration_text *whole, size_t offset, size_t length,
                   struct migration_text *part);
/* Reads the directives in the comments that a text begins with (header.c). */
void migration_read_header(struct migration_reader *reader, enum alter_language language,
                           const char *text, size_t length, uint32_t line,
                           struct migration_text *into);
/* Reads NAME.checks.yaml (checks_file.c). */
enum status migration_read_checks(struct migration_reader *reader, const char *name,
                                  struct migration_text *into, struct error *error) MUST_USE;

#endif
