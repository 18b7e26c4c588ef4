/* A file of declared changes, NNN_NAME.change.yaml. */
#ifndef TRANSHUME_EVOLVE_CHANGE_FILE_H
#define TRANSHUME_EVOLVE_CHANGE_FILE_H

#include "connectors/contract/change.h"
#include "evolve/folder/folder.h"
#include "plan/text/faults.h"

enum { CHANGE_FILE_BYTES_MAX = 1 << 20, CHANGE_OPERATIONS_MAX = 1000 };

struct change_file {
    const char *path;
    char checksum[MIGRATION_CHECKSUM_SIZE];
    struct change change;
};

/* Reads and checks the form of one. What is wrong with it goes to `faults`, all of it
 * (ERROR_CHANGE_INVALID). */
enum status change_file_read(const char *path, struct arena *arena, struct change_file *file,
                             struct plan_faults *faults, struct error *error) MUST_USE;
/* The same of a text; `name` as the file's would be. */
enum status change_file_parse(const char *text, size_t length, const char *name,
                              struct arena *arena, struct change_file *file,
                              struct plan_faults *faults, struct error *error) MUST_USE;

#endif
