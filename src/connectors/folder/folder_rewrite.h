/* Data files written again without some of their records, and what is known of them after that. */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_REWRITE_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_REWRITE_H

#include "connectors/folder/folder.h"

/*
 * One file of a table. Its records go to a new file, durable before it takes the old one's place;
 * a crash leaves one of the two. All others of its bytes stay as they are, but for empty lines.
 */
struct folder_rewriting {
    struct folder *folder;
    struct arena *arena; /* for names of files */
    const char *table;
    const char *table_path;
    const char *file;
    bool keeps; /* the old file stays in the claimed run's folder, for folder_restore */
    /* Is the record (as raw_next gives it, from 0) to be left out? */
    enum status (*leaves)(void *context, struct folder_decoder *decoder, uint64_t number,
                          const char *bytes, size_t length, bool *leave, struct error *error);
    void *context;
    uint64_t left_out; /* set: how many records were */
};
/* A file that somebody wrote to meanwhile is an error, and left alone. */
enum status folder_rewrite(struct folder_rewriting *rewriting, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- versions */

/*
 * DIR/_transhume/versions/<table>/<file> has a line for each time that a run wrote the file again:
 *   <bytes> TAB <XXH3-64 of the file> TAB <the run's tag>
 * written before the new file takes its place, so that a file is always its done mark's or one of
 * these. A line that is damaged is none: then the file counts as changed.
 */
struct folder_version {
    struct folder_print print;
    char tag[FOLDER_TAG_LENGTH + 1];
};
/* `versions` lives in the arena; none: count 0. */
enum status folder_versions(const struct folder *folder, const char *table, const char *file,
                            struct arena *arena, struct folder_version **versions, uint32_t *count,
                            struct error *error) MUST_USE;
enum status folder_version_add(const struct folder *folder, const char *table, const char *file,
                               const struct folder_version *version, struct arena *arena,
                               struct error *error) MUST_USE;
/* Is it one of them? `tag` NULL: of any run. */
bool folder_version_is_known(const struct folder_version *versions, uint32_t count,
                             const struct folder_print *print, const char *tag);
/* Once no run is left. */
enum status folder_versions_remove(const struct folder *folder, struct arena *arena,
                                   struct error *error) MUST_USE;

/*
 * Puts the files of a table back that the claimed run replaced, if they are still as it left them.
 * `restored` counts the records that come back, `changed` files that somebody changed since; with
 * `dry_run` nothing more. Repeatable.
 */
enum status folder_restore(struct folder *folder, const char *table, bool dry_run,
                           uint64_t *restored, uint64_t *changed, struct error *error) MUST_USE;

#endif
