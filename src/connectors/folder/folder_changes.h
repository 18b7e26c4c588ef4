/*
 * Files of changes (folder_apply.c), one after the other, each with whole transactions:
 *
 *   DIR/_transhume_changes/<table>/<log>.changes-<first><suffix>[.gz|.zst]    whole, for readers
 *                                  .<log>.changes-<first><suffix>.open        being written
 *
 * <first> is the number of its first change, 12 digits or more; <log> the table's name as a file is
 * called, with .2, .3 … for further entities of the table. What was written behind the last commit
 * is cut off.
 */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_CHANGES_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_CHANGES_H

#include "connectors/folder/folder.h"

/* Zeroed but for folder, path and name, and with descriptor -1, there is no file. */
struct folder_changes {
    const struct folder *folder;
    const char *path;
    const char *name;
    int descriptor; /* -1: no file is open */
    uint64_t first;
    uint64_t written; /* bytes in the file */
    uint64_t committed;
    int64_t begun_ms; /* monotonic */
    struct buffer buffer;
};

/* Takes up the file that begins with `first`, of which `bytes` were committed: it is open, or was
 * made whole behind that. */
enum status folder_changes_restore(struct folder_changes *changes, uint64_t first, uint64_t bytes,
                                   struct error *error) MUST_USE;
/* Removes open files but for the one in hand. `*whole`: there are whole ones. */
enum status folder_changes_sweep(const struct folder_changes *changes, bool *whole,
                                 struct error *error) MUST_USE;
/* A file for the change of that number, if none is open. `*made`: it wants its head. */
enum status folder_changes_begin(struct folder_changes *changes, uint64_t number, bool *made,
                                 struct error *error) MUST_USE;
/* Writes out the buffer, if it is large or `all`. */
enum status folder_changes_write(struct folder_changes *changes, bool all,
                                 struct error *error) MUST_USE;
/* All of it is durable, and yet to be committed by whoever keeps `written`. */
enum status folder_changes_sync(struct folder_changes *changes, struct error *error) MUST_USE;
enum status folder_changes_roll_back(struct folder_changes *changes, struct error *error) MUST_USE;
/* The open file, all of which is committed, is renamed for readers. */
enum status folder_changes_complete(struct folder_changes *changes, struct error *error) MUST_USE;
void folder_changes_free(struct folder_changes *changes);

/* DIR/_transhume_changes/<table>. */
char *folder_changes_path(struct arena *arena, const struct folder *folder, const char *table);
/* Removes what was written of a table's changes. */
enum status folder_changes_remove(const struct folder *folder, const char *table,
                                  struct error *error) MUST_USE;

#endif
